"""From options and the environment to settings."""

from __future__ import annotations

from dataclasses import fields

import pytest
from click.testing import CliRunner

from policy_service.cli import main
from policy_service.cli.options import FILES, SERVING, read_settings
from policy_service.config import Settings


def test_every_setting_is_an_option_of_serve_but_the_database() -> None:
    """Its URL holds a password, which in a command line every user of the machine can read."""
    assert {field.name for field in fields(Settings)} - set(SERVING) == {"database_url"}
    assert set(FILES) <= set(SERVING)
    assert "--database-url" not in CliRunner().invoke(main, ["serve", "--help"]).output


@pytest.mark.parametrize("name", ["log_mask", "behind_proxy"])
def test_a_list_is_separated_by_commas(name: str) -> None:
    assert getattr(read_settings({name: " a, b,,c "}), name) == ("a", "b", "c")
    assert getattr(read_settings({name: ""}), name) == ()


def test_an_option_that_was_not_given_leaves_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICY_SERVICE_BEHIND_PROXY", "10.0.0.0/8")
    assert read_settings({"behind_proxy": None}).behind_proxy == ("10.0.0.0/8",)
    assert read_settings({"behind_proxy": "192.0.2.1"}).behind_proxy == ("192.0.2.1",)
