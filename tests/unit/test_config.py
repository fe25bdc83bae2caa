"""Settings: what the environment says, and what of it is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from policy_service.config import PREFIX, Settings, check_public_url, read, write
from policy_service.errors import Refused

CHANGED = Settings(
    policies=Path("/p"),
    tenants=Path("/t t"),
    data=Path("d"),
    bind="[::1]:9",
    workers=7,
    public_url="https://pdp.example.com/x",
    log_sync=True,
    log_bytes=1,
    log_days=2,
    log_segment_bytes=3,
    log_mask=("subject.id", "context.ip"),
    bundles=4,
    stores=5,
    keyring="/k",
    ssl_cert="/c",
    ssl_key="/s",
    behind_proxy=("10.0.0.0/8", "::1"),
    database_url="postgresql://runtime:secret@h/d",
)


def test_an_environment_that_says_nothing_gives_the_defaults() -> None:
    assert read({}) == Settings()
    assert read({"PATH": "/bin", "POLICIES": "x", PREFIX + "WORKERS": "", PREFIX + "NOSUCH": "x"}) == Settings()


def test_the_defaults_listen_to_this_machine_and_keep_what_is_documented() -> None:
    settings = Settings()
    assert settings.bind == "127.0.0.1:8080"
    assert settings.public_url == "http://127.0.0.1:8080"
    assert (settings.log_bytes, settings.log_days) == (10 * 2**30, 30)
    assert settings.log_segment_bytes == 64 * 2**20
    assert settings.log_mask == ()


@pytest.mark.parametrize("settings", [Settings(), CHANGED])
def test_workers_read_what_was_written_for_them(settings: Settings) -> None:
    assert read(settings.environment()) == settings


def test_every_setting_is_a_variable() -> None:
    assert all(getattr(CHANGED, field.name) != field.default for field in fields(Settings))
    assert len(CHANGED.environment()) == len(fields(Settings))
    assert {name.removeprefix(PREFIX).lower() for name in CHANGED.environment()} == {
        field.name for field in fields(Settings)
    }
    assert CHANGED.environment().keys() - {f"{PREFIX}{field.name.upper()}" for field in fields(Settings)} == {
        "DATABASE_URL"
    }


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(CHANGED)


def test_the_owner_of_the_tables_is_forgotten_where_the_system_shows_it_too(tmp_path: Path) -> None:
    program = (
        "import os, sys; from policy_service import config; assert config.read_admin_url() == 'postgresql://owner';"
        "config.forget_admin_url(); config.forget_admin_url(); assert config.read_admin_url() == '';"
        "sys.stdout.write(open('/proc/self/environ').read()); sys.stdout.flush(); os.system('env')"
    )
    environment = {**os.environ, "DATABASE_ADMIN_URL": "postgresql://owner", "DATABASE_URL": "postgresql://runtime"}
    shown = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    assert "postgresql://owner" not in shown
    assert shown.count("postgresql://runtime") == 2


def test_it_is_this_process_s_environment_that_is_read_and_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {PREFIX + "WORKERS": "3"})
    assert read() == Settings(workers=3)
    write(CHANGED)
    assert read() == CHANGED


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "1e3", " 1", "١", "²"])
@pytest.mark.parametrize("name", ["workers", "log_bytes", "log_days", "log_segment_bytes", "bundles"])
def test_a_number_that_is_none_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(Refused, match=f"^{PREFIX}{name.upper()} is `{text}`, write a whole number from 1$"):
        read({PREFIX + name.upper(): text})


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("true", True), ("YES", True), ("0", False), ("False", False), ("no", False)]
)
def test_a_switch_is_on_or_off(text: str, value: bool) -> None:
    assert read({PREFIX + "LOG_SYNC": text}).log_sync is value


@pytest.mark.parametrize("text", ["on", "2", "y", "-"])
def test_a_switch_that_is_neither_is_refused(text: str) -> None:
    """Above all it is not off: who writes `on` would lose records."""
    with pytest.raises(Refused, match=f"^{PREFIX}LOG_SYNC is `{text}`, write 1 or 0$"):
        read({PREFIX + "LOG_SYNC": text})


def test_a_mask_is_a_list() -> None:
    assert read({PREFIX + "LOG_MASK": " subject.id, context.ip,, "}).log_mask == ("subject.id", "context.ip")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "https://pdp.example.com",
        "https://pdp.example.com/a/b_c~d.e-f",
        "https://pdp.example.com/.well",
    ],
)
def test_a_public_url_is_scheme_host_port_and_path(url: str) -> None:
    if "/." in url:
        with pytest.raises(Refused):
            check_public_url(url)
    else:
        assert check_public_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pdp.example.com",
        "ftp://pdp.example.com",
        "HTTPS://pdp.example.com",
        "https://",
        "https://pdp.example.com/",
        "https://pdp.example.com/a/",
        "https://pdp.example.com//a",
        "https://pdp.example.com/../a",
        "https://pdp.example.com/a?b",
        "https://pdp.example.com/a#b",
        "https://user@pdp.example.com",
        "https://pdp.example.com:",
        "https://pdp.example.com:123456",
        "https://pdp.example.com\n",
        'https://pdp.example.com/"',
        "https://pdp.éxample.com",
    ],
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="the public URL is"):
        check_public_url(url)
