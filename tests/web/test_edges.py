"""What comes before and after every answer: who is talked to, whose address is believed, and whose keys are shut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from policy_service.access.authorize import Service
from policy_service.errors import StoreFailed
from policy_service.model import Decision
from policy_service.store.control import State
from policy_service.store.lives import set_state
from policy_service.web import authzen
from policy_service.web.application import mount, open_service
from tests.web.conftest import Client, Reply, Site, make_site
from tests.web.test_checklist import ALLOW

PROXY = "10.1.1.1"
PATHS = [
    "/docs",
    "/openapi.json",
    "/healthz",
    "/nowhere",
    "/access/v1/evaluation",
    "/.well-known/authzen-configuration",
]


@pytest.fixture
def front(service: Service) -> FlaskClient:
    """The service behind proxies of 10.0.0.0/8; its public URL is https."""
    return mount(replace(service, settings=replace(service.settings, behind_proxy=("10.0.0.0/8",)))).test_client()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
def test_nothing_is_said_over_plain_http_that_crossed_a_network(front: FlaskClient, method: str, path: str) -> None:
    spoofed = {"x-forwarded-for": PROXY, "x-request-id": "mine"}
    answer = front.open(path, method=method, headers=spoofed, environ_overrides={"REMOTE_ADDR": "203.0.113.1"})
    assert answer.status_code == 403
    assert (answer.headers["content-type"], answer.headers["x-request-id"]) == ("application/problem+json", "mine")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_every_answer_behind_a_proxy_asks_for_tls(front: FlaskClient, method: str, path: str) -> None:
    answer = front.open(path, method=method, environ_overrides={"REMOTE_ADDR": PROXY})
    assert answer.headers.getlist("strict-transport-security") == ["max-age=31536000"]
    refused = front.open(
        path, method=method, headers={"x-forwarded-for": "?"}, environ_overrides={"REMOTE_ADDR": PROXY}
    )
    assert (refused.status_code, refused.headers.get("strict-transport-security")) == (400, "max-age=31536000")


@pytest.mark.parametrize(
    ("peer", "forwarded", "known"),
    [
        (PROXY, "127.0.0.1, 203.0.113.9", "203.0.113.9"),
        (PROXY, None, PROXY),
        ("127.0.0.1", "203.0.113.9", "127.0.0.1"),
    ],
)
def test_a_decision_is_told_the_client_s_address(
    front: FlaskClient, site: Site, monkeypatch: pytest.MonkeyPatch, peer: str, forwarded: str | None, known: str
) -> None:
    seen: list[str] = []

    def decide(_service: Any, _caller: Any, batch: Any) -> Any:
        seen.append(batch.address)
        return "v", [Decision(True, (), (), "v")]

    monkeypatch.setattr(authzen, "authorize", decide)
    headers = {"authorization": f"Bearer {site.keys['citadel']}"}
    if forwarded:
        headers["x-forwarded-for"] = forwarded
    answer = front.post("/access/v1/evaluation", json=ALLOW, headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert (answer.status_code, seen) == (200, [known])


def bare(reply: Reply) -> tuple[int, dict[str, str], Any]:
    return reply.status, {name: value for name, value in reply.headers.items() if name != "x-request-id"}, reply.json


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Service]]:
    """A service of its own, to shut tenants of."""
    site = make_site(tmp_path_factory.mktemp("house"))
    service = open_service(site.settings)
    yield site, service
    service.bundles.close()
    service.log.close()
    service.store.close()


@pytest.mark.parametrize("state", [State.SUSPENDED, State.ERASING, State.ERASED])
def test_the_keys_of_a_tenant_that_is_shut_are_wrong_ones(house: tuple[Site, Service], state: State) -> None:
    site, service = house
    client = Client(service, site.keys["citadel"])
    wrong = client.evaluate(ALLOW, authorization="Bearer psk_citadel_a_b_c")
    set_state(service.store, "citadel", State.ACTIVE)
    assert client.evaluate(ALLOW, authorization="Bearer psk_citadel_a_b_c").status == 401
    assert bare(client.evaluate(ALLOW)) != bare(wrong)
    set_state(service.store, "citadel", state)
    assert bare(client.evaluate(ALLOW)) == bare(wrong)
    assert wrong.status == 401
    assert Client(service, site.keys["acme"]).send("POST", "/access/v1/evaluation", raw=b"").status == 400


def fail(*_: Any) -> None:
    raise StoreFailed("the control database is damaged, restore it")


@pytest.mark.parametrize("key", ["", "psk_citadel_a_b_c", "psk_nobody_a_b_c", "right"])
def test_where_nobody_knows_who_is_shut_no_key_is_wrong(
    client: Client, site: Site, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(client.service.store, "shut", fail)
    token = site.keys["citadel"] if key == "right" else key
    reply = client.evaluate(ALLOW, authorization=f"Bearer {token}")
    assert (reply.status, "damaged" in reply.json["detail"]) == (503, True)


def test_health_is_the_store_s_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.send("GET", "/healthz").status == 200
    monkeypatch.setattr(client.service.store, "shut", fail)
    assert client.send("GET", "/healthz").status == 503
