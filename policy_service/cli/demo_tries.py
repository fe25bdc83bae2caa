"""What the demo has to show: whose keys it gives out, and requests to try with them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from policy_service.assets.asset import derive_id


class Owner(NamedTuple):
    """Whose key it is: an application's that asks for decisions, or somebody's who uses the asset API."""

    tenant: str
    about: str
    scopes: tuple[str, ...] = ("decide",)
    subject: str | None = None


class Try(NamedTuple):
    """A request to try: what it shows, whose key it needs."""

    about: str
    owner: str
    path: str
    body: Mapping[str, Any] | None = None
    method: str = "POST"


def find_host(name: str) -> str:
    """The id that a host of docs/examples/acme.ndjson has in the store."""
    return derive_id("entity", "acme", "aws", "123456789012", f"aws:host:{name}")


_MORTY = "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"
_WEB, _BUILD = find_host("web-1"), find_host("build-1")
_HOST = {"type": "host", "id": _WEB}

_ADDRESS = {"where": {"property": "ipAddress", "op": "starts", "value": "10.1."}}

OWNERS: Mapping[str, Owner] = {
    "citadel": Owner("citadel", "an application that asks for decisions"),
    "acme": Owner("acme", "an application that asks for decisions"),
    "carol": Owner("acme", "of the group Users: sees what is nobody's secret", ("read",), "user:carol"),
    "alice": Owner("acme", "an administrator: sees everything", ("read", "write"), "user:alice"),
    "bob": Owner("acme", "an engineer, of the team that owns some hosts", ("read", "write"), "user:bob"),
    "morty": Owner("citadel", "of another tenant", ("read", "write"), f"user:{_MORTY}"),
}

TRIES: tuple[Try, ...] = (
    Try(
        "an allow: Morty updates his own todo",
        "citadel",
        "/access/v1/evaluation",
        {
            "subject": {"type": "user", "id": _MORTY},
            "action": {"name": "can_update_todo"},
            "resource": {"type": "todo", "id": "1", "properties": {"ownerID": "morty@the-citadel.com"}},
        },
    ),
    Try(
        "a deny with its reasons: Alice, an administrator, deletes a host in production",
        "acme",
        "/access/v1/evaluation",
        {
            "subject": {"type": "user", "id": "alice"},
            "action": {"name": "PolicyService::delete"},
            "resource": _HOST,
            "options": {"explain": "reasons"},
        },
    ),
    Try(
        "a batch: Carol, of the group Users, looks at a host and changes it",
        "acme",
        "/access/v1/evaluations",
        {
            "subject": {"type": "user", "id": "carol"},
            "resource": _HOST,
            "evaluations": [
                {"action": {"name": "PolicyService::read"}},
                {"action": {"name": "PolicyService::update"}},
            ],
        },
    ),
    Try(
        "a search: which hosts may Carol look at?",
        "acme",
        "/access/v1/search/resource",
        {
            "subject": {"type": "user", "id": "carol"},
            "action": {"name": "PolicyService::read"},
            "resource": {"type": "host"},
        },
    ),
    Try("Carol lists the hosts: four, without addresses", "carol", "/api/v1/entities?type=host", method="GET"),
    Try("Bob lists them: five, one is his team's alone", "bob", "/api/v1/entities?type=host", method="GET"),
    Try("Carol finds none by an address that she can't see", "carol", "/api/v1/entities:search", _ADDRESS),
    Try("and Bob does", "bob", "/api/v1/entities:search", _ADDRESS),
    Try("Alice counts the data stores", "alice", "/api/v1/entities:count", {"type": "data_store"}),
    Try("Carol, who may not see two of them, counts fewer", "carol", "/api/v1/entities:count", {"type": "data_store"}),
    Try("what there is of each for her", "carol", "/api/v1/entities:facets", {"facets": ["type", "environment"]}),
    Try("Alice takes all of it with her", "alice", "/api/v1/entities:export", {}),
    Try("Bob reads a host of his team", "bob", f"/api/v1/entities/{_BUILD}", method="GET"),
    Try("and changes it", "bob", f"/api/v1/entities/{_BUILD}", {"osName": "debian"}, "PATCH"),
    Try("one in production he can't change", "bob", f"/api/v1/entities/{_WEB}", {"osName": "debian"}, "PATCH"),
    Try("and Alice can't delete it", "alice", f"/api/v1/entities/{_WEB}", method="DELETE"),
    Try("Morty, of another tenant, sees none of it", "morty", "/api/v1/entities?type=host", method="GET"),
    Try("not even that it is there", "morty", f"/api/v1/entities/{_WEB}", method="GET"),
)


def describe(url: str, tokens: Mapping[str, str]) -> str:
    """What to read and what to try: the URL, the keys, and lines for a shell; `tokens` by whose they are."""
    lines = [f"policy-service answers at {url}, its API is documented at {url}/docs", ""]
    lines += [f"key of {name} ({_say(OWNERS[name])}):  {token}" for name, token in tokens.items()]
    lines += _write_tries(url, tokens)
    return "\n".join([*lines, "", "Ctrl-C stops it; the keys end with it"])


def _say(owner: Owner) -> str:
    return f"{owner.about}; {owner.tenant}" if owner.subject else owner.about


def _write_tries(url: str, tokens: Mapping[str, str]) -> Iterator[str]:
    for attempt in TRIES:
        if attempt.owner in tokens:
            yield from ("", f"# {attempt.about}", write_curl(url, tokens[attempt.owner], attempt))


def write_curl(url: str, token: str, attempt: Try) -> str:
    """A line for a shell that sends a request."""
    words = ["curl", "-sS", f"{url}{attempt.path}"]
    if attempt.method != ("GET" if attempt.body is None else "POST"):
        words += ["-X", attempt.method]
    words += ["-H", f"authorization: Bearer {token}"]
    if attempt.body is not None:
        kind = "application/merge-patch+json" if attempt.method == "PATCH" else "application/json"
        words += ["-H", f"content-type: {kind}", "-d", orjson.dumps(attempt.body).decode()]
    return shlex.join(words)
