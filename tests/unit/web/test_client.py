"""The client's address, as policies and the log see it, and who is answered over plain HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Response, request

from policy_service.config import Settings, read_networks
from policy_service.errors import Forbidden, PolicyServiceError, Refused, RequestError
from policy_service.web.client import find_client, guard, read_address

PROXIES = read_networks(["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"])
PROXY = "10.1.1.1"


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::FFFF:0a01:0203", "10.1.2.3"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_an_address_is_one_that_cedar_can_compare(told: str, address: str) -> None:
    assert read_address(told) == address


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:5120", "203.0.113.9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:5120", "2001:db8::9"),
        ("2001:DB8::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        # what a client sends itself stands further left than what the proxies append
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("10.9.9.9, 203.0.113.9", "203.0.113.9"),
        ("nonsense, 203.0.113.9", "203.0.113.9"),
        (",203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("198.51.100.1,203.0.113.9 , 192.0.2.7,[2001:db8:1::5]:80,::ffff:10.3.3.3", "203.0.113.9"),
        # no client beyond the proxies
        ("10.2.2.2", PROXY),
        ("10.2.2.2, 10.3.3.3", PROXY),
    ],
)
def test_behind_a_proxy_it_is_the_last_address_that_is_no_proxy_s(forwarded: str, client: str) -> None:
    for peer in (PROXY, f"::ffff:{PROXY}"):
        assert find_client(peer, forwarded, PROXIES) == client


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        " ",
        "unknown",
        "203.0.113.9,",
        "203.0.113.9, unknown",
        "203.0.113.9 198.51.100.1",
        "203.0.113.9:80:80",
        "[203.0.113.9]x",
        "[]",
        "203.0.113.999",
        "203.0.113.9%" + "x" * 100,
        # granian gives what is not ASCII as nothing
        "198.51.100.1,,10.2.2.2",
    ],
)
def test_what_a_proxy_wrote_and_nobody_can_read_is_no_address_at_all(forwarded: str) -> None:
    with pytest.raises(RequestError, match="X-Forwarded-For"):
        find_client(PROXY, forwarded, PROXIES)


@pytest.mark.parametrize("peer", ["203.0.113.1", "192.0.2.8", "11.0.0.1", "127.0.0.1", "2001:db8:2::1"])
def test_nobody_else_is_believed(peer: str) -> None:
    for forwarded in ("198.51.100.1", "10.2.2.2", "nonsense", ""):
        assert find_client(peer, forwarded, PROXIES) == peer
        assert find_client(peer, forwarded, ()) == peer


def test_a_proxy_that_says_nothing_is_the_client() -> None:
    assert find_client(PROXY, None, PROXIES) == PROXY


def test_behind_a_socket_of_the_file_system_there_is_no_address() -> None:
    assert find_client("", "198.51.100.1", PROXIES) == ""


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "proxy.example.com", "10.0.0.0/8 ", "10.0.0.*"])
def test_networks_that_are_none(text: str) -> None:
    with pytest.raises(Refused, match="no network of proxies"):
        read_networks(["192.0.2.7", text])


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0"])
def test_whoever_comes_is_no_proxy(text: str) -> None:
    with pytest.raises(Refused, match="every address"):
        read_networks([text])


def ask(peer: str, scheme: str = "http", public: str = "https://pdp.example.com", **headers: str) -> Response:
    """What a guarded application answers a peer: the client it sees."""
    app = Flask("test")
    app.register_error_handler(PolicyServiceError, lambda error: (f"{error}", 403 if _is(error) else 400))
    app.add_url_rule("/", "show", lambda: request.remote_addr or "none")
    guard(app, Settings(public_url=public, behind_proxy=("10.0.0.0/8",)))
    overrides: dict[str, Any] = {"REMOTE_ADDR": peer, "wsgi.url_scheme": scheme}
    return app.test_client().get("/", headers=headers, environ_overrides=overrides)


def _is(error: PolicyServiceError) -> bool:
    return isinstance(error, Forbidden)


@pytest.mark.parametrize("peer", ["203.0.113.1", "11.0.0.1", "2001:db8::1", "::ffff:203.0.113.1", "169.254.1.1"])
def test_plain_http_is_refused_from_where_it_crossed_a_network(peer: str) -> None:
    refused = ask(peer, **{"X-Forwarded-For": "10.2.2.2"})
    assert (refused.status_code, "https" in refused.get_data(as_text=True)) == (403, True)
    assert "strict-transport-security" not in refused.headers
    assert ask(peer, "https").status_code == 200


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", ""])
def test_plain_http_is_answered_to_this_machine_without_a_promise(peer: str) -> None:
    answer = ask(peer, **{"X-Forwarded-For": "198.51.100.1"})
    assert (answer.status_code, answer.get_data(as_text=True)) == (200, read_address(peer) or "none")
    assert "strict-transport-security" not in answer.headers


def test_a_proxy_is_answered_and_believed() -> None:
    answer = ask(PROXY, **{"X-Forwarded-For": "198.51.100.1"})
    assert (answer.status_code, answer.get_data(as_text=True)) == (200, "198.51.100.1")
    assert answer.headers.getlist("strict-transport-security") == ["max-age=31536000"]
    assert "strict-transport-security" not in ask(PROXY, public="http://pdp.example.com").headers


def test_a_proxy_that_writes_nonsense_gets_no_answer() -> None:
    refused = ask(PROXY, **{"X-Forwarded-For": "unknown"})
    assert (refused.status_code, "X-Forwarded-For" in refused.get_data(as_text=True)) == (400, True)


@pytest.mark.parametrize("public", ["https://pdp.example.com", "http://pdp.example.com"])
def test_over_tls_every_answer_promises_it(public: str) -> None:
    assert ask("203.0.113.1", "https", public).headers.getlist("strict-transport-security") == ["max-age=31536000"]
