"""Where the service may listen, and what its workers are given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from policy_service.cli import listener
from policy_service.cli.listener import listen, require_private
from policy_service.config import Settings
from policy_service.errors import Refused
from tests.certificates import make_pair


@pytest.mark.parametrize("bind", ["127.0.0.1:80", "[::1]:80", "localhost:80", "127.9.9.9:80"])
def test_loopback_needs_nothing(bind: str) -> None:
    require_private(Settings(bind=bind))


@pytest.mark.parametrize("bind", ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1]:80"])
def test_beyond_loopback_nobody_may_read_along(bind: str) -> None:
    with pytest.raises(Refused, match=r"--ssl-cert.*--behind-proxy"):
        require_private(Settings(bind=bind))
    require_private(Settings(bind=bind, ssl_cert="cert.pem", ssl_key="key.pem"))
    require_private(Settings(bind=bind, behind_proxy=("10.0.0.0/8",)))


def test_proxies_that_are_none_are_refused_on_loopback_too() -> None:
    with pytest.raises(Refused, match="no network"):
        require_private(Settings(behind_proxy=("proxy.example.com",)))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the server would have been started with."""
    found: list[dict[str, Any]] = []

    class Fake:
        def __init__(self, _: str, **options: Any) -> None:
            found.append(options | {"environment": dict(os.environ)})

        def serve(self, **_: Any) -> None:
            pass

    monkeypatch.setattr(listener, "Server", Fake)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return found


def test_without_a_certificate_there_is_no_tls(made: list[dict[str, Any]]) -> None:
    listen(Settings())
    assert (made[0]["ssl_cert"], made[0]["ssl_key"]) == (None, None)


def test_tls_begins_with_1_2(made: list[dict[str, Any]], tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    listen(Settings(ssl_cert=str(pair.cert), ssl_key=str(pair.key)))
    assert (made[0]["ssl_cert"], made[0]["ssl_key"]) == pair
    assert str(made[0]["ssl_protocol_min"]) == "tls1.2"


def test_workers_never_see_the_owner_of_the_tables(made: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "DATABASE_ADMIN_URL", "postgresql://owner:secret@h/d")
    listen(Settings(database_url="postgresql://runtime@h/d"))
    assert "DATABASE_ADMIN_URL" not in made[0]["environment"]
    assert made[0]["environment"]["DATABASE_URL"] == "postgresql://runtime@h/d"
