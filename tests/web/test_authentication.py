"""A key decides for its own tenant and for nobody else; who has none learns nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from policy_service.identity import keys
from tests.web.conftest import Client, Reply, Site
from tests.web.test_checklist import ALLOW, EVALUATION, EVALUATIONS


def bare(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    return reply.status, {name: value for name, value in reply.headers.items() if name != "x-request-id"}, reply.body


@pytest.fixture(scope="module")
def wrong(site: Site) -> dict[str, str | None]:
    """What may be sent in place of a good key's header."""
    good = site.keys["citadel"]
    prefix, tenant, key_id, secret, checksum = good.split("_")
    changed = f"{secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}"
    short = site.new_key("citadel", expires="1h", now=time.time() - 7200)
    revoked = site.new_key("citadel")
    keys.revoke(site.settings.tenants, "citadel", revoked.split("_")[2])
    return {
        "absent": None,
        "empty": "",
        "undefined": "undefined",
        "no scheme": good,
        "basic": "Basic dXNlcjpwYXNz",
        "another scheme": f"Basic {good}",
        "scheme alone": "Bearer",
        "no key": "Bearer ",
        "nonsense": "Bearer x",
        "two keys": f"Bearer {good},Bearer {good}",
        "another secret": f"Bearer {prefix}_{tenant}_{key_id}_{changed}_{checksum}",
        "another id": f"Bearer {prefix}_{tenant}_{'0' * len(key_id)}_{secret}_{checksum}",
        "another tenant's name": f"Bearer {prefix}_acme_{key_id}_{secret}_{checksum}",
        "no such tenant": f"Bearer {prefix}_nobody_{key_id}_{secret}_{checksum}",
        "a path": f"Bearer {prefix}_../citadel_{key_id}_{secret}_{checksum}",
        "expired": f"Bearer {short}",
        "revoked": f"Bearer {revoked}",
        "not ascii": f"Bearer {good}é",
        "surrogate": "Bearer \udcff",
        "nul": f"Bearer {good}\0",
        "long": f"Bearer {'x' * 100_000}",
    }


@pytest.mark.parametrize("path", [EVALUATION, EVALUATIONS, f"/tenants/citadel{EVALUATION}"])
def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(
    client: Client, wrong: dict[str, str | None], path: str
) -> None:
    answers = {name: bare(client.send("POST", path, ALLOW, authorization=value)) for name, value in wrong.items()}
    first = answers["absent"]
    assert first[0] == 401
    assert first[1]["www-authenticate"].startswith("Bearer")
    assert {name: reply for name, reply in answers.items() if reply != first} == {}


def test_a_key_of_another_tenant_is_no_key(client: Client, site: Site) -> None:
    """Each of the two is good for its own tenant; naming the other is the same 401 as no key at all."""
    nobody = bare(client.send("POST", EVALUATION, ALLOW, authorization=None))
    for tenant, other in (("citadel", "acme"), ("acme", "citadel"), ("citadel", "nobody"), ("citadel", "%2e")):
        asker = Client(client.service, site.keys[tenant])
        assert asker.send("POST", f"/tenants/{tenant}{EVALUATION}", ALLOW).status == 200
        assert bare(asker.send("POST", f"/tenants/{other}{EVALUATION}", ALLOW)) == nobody


def test_a_key_asks_its_own_tenants_policies(client: Client, site: Site) -> None:
    assert client.evaluate(ALLOW).json == {"decision": True}
    assert Client(client.service, site.keys["acme"]).evaluate(ALLOW).json == {"decision": False}


def test_nobody_learns_what_is_wrong_with_a_body(client: Client) -> None:
    options: list[dict[str, Any]] = [{"raw": b"{"}, {"raw": b"x" * 2_000_000}, {"content_type": None}, {"body": []}]
    answers = [bare(client.evaluate(authorization="Bearer x", **option)) for option in options]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 401


def test_a_key_without_the_scope_is_403(client: Client, site: Site) -> None:
    reply = Client(client.service, site.new_key("citadel", scopes=("read", "act"))).evaluate(ALLOW)
    assert reply.status == 403
    assert "decide" in reply.json["error"]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_is_read_without_case(client: Client, scheme: str) -> None:
    assert client.evaluate(ALLOW, authorization=f"{scheme} {client.key}").status == 200


def test_a_new_key_counts_at_once_and_a_revoked_one_no_more(client: Client, site: Site) -> None:
    token = site.new_key("citadel")
    assert Client(client.service, token).evaluate(ALLOW).status == 200
    keys.revoke(site.settings.tenants, "citadel", token.split("_")[2])
    assert Client(client.service, token).evaluate(ALLOW).status == 401
