"""What `serve` refuses before it starts a worker, and the address it finds."""

from __future__ import annotations

import importlib
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policy_service.cli import main
from policy_service.cli.listener import find_port, read_bind, write_address
from policy_service.config import Settings, read_admin_url
from policy_service.errors import Refused
from tests.certificates import DAY, make_pair

ROOT = Path(__file__).parents[3]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings workers would have been started with."""
    found: list[Settings] = []
    # the command has the name of its module, which so has to be asked for
    monkeypatch.setattr(importlib.import_module("policy_service.cli.serve"), "listen", found.append)
    return found


@pytest.fixture
def taken() -> Iterator[int]:
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def run(folder: Path, *options: str, **environment: str) -> Result:
    given = {"POLICY_SERVICE_POLICIES": str(ROOT / "policies"), "POLICY_SERVICE_TENANTS": str(ROOT / "tenants")}
    given |= {"POLICY_SERVICE_DATA": str(folder / "data"), "POLICY_SERVICE_BIND": "127.0.0.1:0", **environment}
    return CliRunner().invoke(main, ["serve", *options], env=given, catch_exceptions=False)


def test_it_starts_on_a_free_port_that_the_public_url_names(tmp_path: Path, started: list[Settings]) -> None:
    assert run(tmp_path).exit_code == 0
    (settings,) = started
    port = settings.bind.removeprefix("127.0.0.1:")
    assert int(port) > 0
    assert settings.public_url == f"http://127.0.0.1:{port}"


def test_an_option_wins_over_the_environment(tmp_path: Path, started: list[Settings]) -> None:
    assert (
        run(tmp_path, "--workers", "3", "--log-sync", POLICY_SERVICE_WORKERS="5", POLICY_SERVICE_LOG_DAYS="7").exit_code
        == 0
    )
    assert (started[0].workers, started[0].log_days, started[0].log_sync) == (3, 7, True)


@pytest.mark.parametrize("public", ["https://pdp.example.com", "https://example.com/pdp", "http://127.0.0.1:8080"])
def test_a_public_url_that_was_named_stays(tmp_path: Path, started: list[Settings], public: str) -> None:
    assert run(tmp_path, "--public-url", public).exit_code == 0
    assert started[0].public_url == public


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--policies", "{}/nowhere"], "missing or empty"),
        (["--policies", "{}/empty"], "missing or empty"),
        (["--policies", "{}/broken"], "policies/x.cedar:1"),
        (["--tenants", "{}/nowhere"], "--tenants"),
        (["--bind", "nonsense"], "HOST:PORT"),
        (["--bind", "127.0.0.1:99999"], "HOST:PORT"),
        (["--bind", "192.0.2.1:0"], "can't listen"),
        (["--public-url", "https://h/?x"], "public URL"),
        (["--public-url", "https://h/"], "public URL"),
        (["--log-mask", "version"], "can't be masked"),
        (["--log-bytes", "1"], "decision log"),
        (["--workers", "0"], "--workers"),
        (["--nonsense"], "--nonsense"),
        (["--bind", "0.0.0.0:0"], "--behind-proxy"),
        (["--bind", "0.0.0.0:0", "--behind-proxy", ""], "--behind-proxy"),
        (["--bind", "0.0.0.0:0", "--behind-proxy", "10.0.0.1/8"], "no network"),
        (["--behind-proxy", "0.0.0.0/0"], "every address"),
        (["--ssl-cert", "{}/file"], "--ssl-key"),
        (["--ssl-key", "{}/file"], "--ssl-cert"),
        (["--bind", "0.0.0.0:0", "--ssl-cert", "{}/file", "--ssl-key", "{}/file"], "no certificate"),
        (["--keyring", "{}/file"], "file"),
    ],
)
def test_a_start_that_can_not_succeed_says_why(
    tmp_path: Path, started: list[Settings], options: list[str], sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.cedar").write_text("permit (")
    result = run(tmp_path, *(option.format(tmp_path) for option in options))
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert started == []


def test_a_data_folder_that_can_not_be_made_is_said(tmp_path: Path, started: list[Settings]) -> None:
    (tmp_path / "file").touch()
    result = run(tmp_path, "--data", f"{tmp_path}/file/data")
    assert (result.exit_code, f"{tmp_path}/file/data/store can't be used" in result.stderr, started) == (1, True, [])


def test_an_address_in_use_is_refused(tmp_path: Path, started: list[Settings], taken: int) -> None:
    result = run(tmp_path, "--bind", f"127.0.0.1:{taken}")
    assert (result.exit_code, "is in use" in result.stderr, started) == (2, True, [])


def test_a_variable_that_can_not_be_read_is_named(tmp_path: Path, started: list[Settings]) -> None:
    result = run(tmp_path, POLICY_SERVICE_LOG_DAYS="soon")
    assert (result.exit_code, "POLICY_SERVICE_LOG_DAYS" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("bind", "read"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:8080", ("::1", 8080)), ("localhost:0", ("localhost", 0))],
)
def test_reads_an_address(bind: str, read: tuple[str, int]) -> None:
    assert read_bind(bind) == read
    assert write_address(*read) == bind


@pytest.mark.parametrize("bind", ["", "80", ":80", "h:", "h:x", "::1:80", "h:80:80", "h h:80", "h:-1"])
def test_refuses_what_is_no_address(bind: str) -> None:
    with pytest.raises(Refused, match="HOST:PORT"):
        read_bind(bind)


def test_finds_a_port(taken: int) -> None:
    free = find_port("127.0.0.1", 0)
    assert find_port("127.0.0.1", free) == free
    with pytest.raises(Refused, match="in use"):
        find_port("127.0.0.1", taken)


def test_with_tls_it_listens_anywhere_and_its_url_says_so(tmp_path: Path, started: list[Settings]) -> None:
    result = run(tmp_path, "--bind", "0.0.0.0:0", *make_pair(tmp_path / "tls").options)
    assert result.exit_code == 0
    host, _, port = started[0].bind.partition(":")
    assert (host, started[0].public_url) == ("0.0.0.0", f"https://127.0.0.1:{port}")  # noqa: S104  compared, not bound
    assert f"https://0.0.0.0:{port}" in result.stderr
    assert "renew" not in result.stderr


def test_a_certificate_that_ends_soon_is_told(tmp_path: Path, started: list[Settings]) -> None:
    pair = make_pair(tmp_path / "tls", ends=datetime.now(UTC) + 13 * DAY)
    result = run(tmp_path, *pair.options)
    assert (result.exit_code, len(started), "renew it soon" in result.stderr) == (0, 1, True)


def test_behind_proxies_it_listens_anywhere(tmp_path: Path, started: list[Settings]) -> None:
    assert run(tmp_path, "--bind", "0.0.0.0:0", "--behind-proxy", "10.1.2.0/24, 2001:db8::/64").exit_code == 0
    assert started[0].behind_proxy == ("10.1.2.0/24", "2001:db8::/64")


def test_a_first_start_makes_the_keyring_and_the_store_and_the_next_one_needs_them(
    tmp_path: Path, started: list[Settings]
) -> None:
    assert run(tmp_path).exit_code == 0
    assert run(tmp_path).exit_code == 0
    assert len(started) == 2
    keyring = tmp_path / "data" / "keyring.json"
    assert stat.S_IMODE(keyring.stat().st_mode) == 0o600
    kept = keyring.read_bytes()
    keyring.unlink()
    result = run(tmp_path)
    assert (result.exit_code, "keyring.json" in result.stderr, keyring.exists()) == (2, True, False)
    assert run(tmp_path / "other").exit_code == 0
    shutil.copy(tmp_path / "other" / "data" / "keyring.json", keyring)
    assert run(tmp_path).exit_code == 2
    keyring.write_bytes(kept)
    assert run(tmp_path).exit_code == 0
    assert len(started) == 4


def test_the_owner_of_the_tables_is_forgotten_before_anything_is_opened(
    tmp_path: Path, started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    module = importlib.import_module("policy_service.cli.serve")
    monkeypatch.setattr(module, "require_start", lambda _: seen.append(read_admin_url()))
    assert run(tmp_path, DATABASE_ADMIN_URL="postgresql://owner@h/d").exit_code == 0
    assert (seen, len(started)) == ([""], 1)
