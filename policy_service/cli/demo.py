"""`policy-service demo`, which `make run` calls: the service on loopback with the demo tenants, and what to try."""

from __future__ import annotations

import multiprocessing
import shlex
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import click
import orjson

from policy_service.cli.listener import find_port, listen, read_bind, write_address
from policy_service.cli.options import FILES, read_settings, with_settings
from policy_service.cli.serve import require_start
from policy_service.config import Settings
from policy_service.errors import Refused
from policy_service.identity import keys

TENANTS = ("citadel", "acme")
_MORTY = {"type": "user", "id": "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"}
_ALICE, _CAROL = {"type": "user", "id": "alice"}, {"type": "user", "id": "carol"}
_HOST = {"type": "host", "id": "web-1"}
_WAIT_SECONDS = 60


# what it shows, whose key it needs, path, body
TRIES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "an allow: Morty updates his own todo",
        "citadel",
        "/access/v1/evaluation",
        {
            "subject": _MORTY,
            "action": {"name": "can_update_todo"},
            "resource": {"type": "todo", "id": "1", "properties": {"ownerID": "morty@the-citadel.com"}},
        },
    ),
    (
        "a deny with its reasons: Alice, an administrator, deletes a host in production",
        "acme",
        "/access/v1/evaluation",
        {
            "subject": _ALICE,
            "action": {"name": "PolicyService::delete"},
            "resource": _HOST,
            "options": {"explain": "reasons"},
        },
    ),
    (
        "a batch: Carol, of the group Users, looks at a host and changes it",
        "acme",
        "/access/v1/evaluations",
        {
            "subject": _CAROL,
            "resource": _HOST,
            "evaluations": [
                {"action": {"name": "PolicyService::read"}},
                {"action": {"name": "PolicyService::update"}},
            ],
        },
    ),
)


@click.command(hidden=True, epilog="Example: policy-service demo")
@with_settings(*FILES)
@with_settings("bind", "workers")
def demo(**given: Any) -> None:
    """Serve the demo tenants on loopback, with a key for each of them until it is stopped."""
    settings = _find_place(read_settings(given))
    require_start(settings)
    made = _make_keys(settings)
    try:
        listen(
            settings, on_start=partial(_announce_later, settings, {name: token for name, (token, _) in made.items()})
        )
    finally:
        for tenant, (_, key_id) in made.items():
            keys.revoke(settings.tenants, tenant, key_id)


def _find_place(settings: Settings) -> Settings:
    """The address that was asked for, or the same host with a free port where it is taken."""
    host, port = read_bind(settings.bind)
    try:
        port = find_port(host, port)
    except Refused:
        port = find_port(host, 0)
    address = write_address(host, port)
    return replace(settings, bind=address, public_url=f"http://{address}")


def _make_keys(settings: Settings) -> dict[str, tuple[str, str]]:
    """For each demo tenant that is there, a key of this run and its id; it ends by itself if the run is killed."""
    made = {}
    for tenant in TENANTS:
        if (settings.tenants / tenant / "tenant.yaml").is_file():
            token, entry = keys.create(settings.tenants, tenant, expires="24h", now=time.time())
            made[tenant] = token, entry.id
    return made


def _announce_later(settings: Settings, tokens: Mapping[str, str]) -> None:
    # a process and not a thread: the workers are forked next, and a lock that a thread holds would stay held in them
    multiprocessing.get_context("fork").Process(target=_announce, args=(settings, tokens), daemon=True).start()


def _announce(settings: Settings, tokens: Mapping[str, str]) -> None:
    """Wait until the service can decide, then say what to try."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{settings.public_url}/healthz", timeout=5):  # noqa: S310  our own loopback URL
                click.echo(describe(settings.public_url, tokens))
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    click.echo(f"the service does not answer at {settings.public_url}/healthz, see what is printed above", err=True)


def describe(url: str, tokens: Mapping[str, str]) -> str:
    """What to read and what to try: the URL, a key for each tenant, and lines for a shell."""
    lines = [f"policy-service answers at {url}, its API is documented at {url}/docs", ""]
    lines += [f"key of {tenant}:  {token}" for tenant, token in tokens.items()]
    for what, tenant, path, body in TRIES:
        if tenant in tokens:
            lines += ["", f"# {what}", write_curl(f"{url}{path}", tokens[tenant], body)]
    return "\n".join([*lines, "", "Ctrl-C stops it; the keys end with it"])


def write_curl(url: str, token: str, body: Mapping[str, Any]) -> str:
    """A line for a shell that sends the body."""
    quoted = shlex.quote(orjson.dumps(body).decode())
    key, kind = f"'authorization: Bearer {token}'", "'content-type: application/json'"
    return f"curl -sS {shlex.quote(url)} -H {key} -H {kind} -d {quoted}"
