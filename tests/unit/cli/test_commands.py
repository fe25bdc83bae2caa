"""Commands as a shell calls them: what stands on standard output, exit codes, help with examples."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policy_service.cli import main
from policy_service.identity.keys import KeyRing

COMMANDS = [
    text.split()
    for text in (
        *("serve", "check", "evaluate", "status", "key new", "key list", "key revoke", "log", "demo"),
        *("trail show", "trail verify", "trail export", "trail head"),
    )
]


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "tenant.yaml").write_text("name: Acme\n")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert f"policy-service {' '.join(command)}" in result.stdout.split("Example", 1)[1]


@pytest.mark.parametrize("command", [[], ["key"], ["trail"]])
def test_what_commands_do_is_said_in_whole_sentences(command: list[str]) -> None:
    told = run(*command, "--help").stdout.partition("Commands:")[2]
    assert told
    assert "..." not in told


def test_help_says_what_is_taken_where_nothing_is_given() -> None:
    assert "POLICY_SERVICE_BIND, else 127.0.0.1:8080" in " ".join(run("serve", "--help").stdout.split())


def test_the_demo_is_not_listed() -> None:
    assert "demo" not in run("--help").stdout


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["key", "new"], ["serve", "--nonsense"], ["check", "/no/such/path"]]
)
def test_a_call_that_can_not_be_understood_is_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_new_key_stands_alone_on_the_last_line(tenants: Path) -> None:
    result = run("key", "new", "acme", "--tenants", str(tenants))
    assert result.exit_code == 0
    token = result.stdout.splitlines()[-1]
    assert re.fullmatch(r"psk_acme_[0-9A-Za-z]+_[0-9A-Za-z]+_[0-9A-Za-z]+", token)
    caller = KeyRing(tenants).find(token, now=1.0)
    assert (caller.tenant, caller.scopes, caller.subject) == ("acme", frozenset({"decide"}), None)
    assert token not in (tenants / "acme" / "keys.yaml").read_text()


def test_a_key_has_scopes_a_subject_and_an_end(tenants: Path) -> None:
    options = ("--scope", "decide", "--scope", "read", "--subject", "service:crm", "--expires", "90d")
    token = run("key", "new", "acme", *options, POLICY_SERVICE_TENANTS=str(tenants)).stdout.splitlines()[-1]
    caller = KeyRing(tenants).find(token, now=1.0)
    assert caller.scopes == {"decide", "read"}
    assert caller.subject is not None
    assert (caller.subject.type, caller.subject.id) == ("service", "crm")
    (row,) = json.loads(run("key", "list", "acme", "--json", "--tenants", str(tenants)).stdout)
    assert (row["scopes"], row["subject"], bool(row["expires"])) == (["decide", "read"], "service:crm", True)


def test_keys_are_listed_without_secrets_and_taken_back(tenants: Path) -> None:
    token = run("key", "new", "acme", "--tenants", str(tenants)).stdout.splitlines()[-1]
    _, _, key_id, secret, _ = token.split("_")
    listed = run("key", "list", "acme", "--tenants", str(tenants)).stdout
    assert key_id in listed
    assert secret not in listed
    assert run("key", "revoke", "acme", key_id, "--tenants", str(tenants)).exit_code == 0
    assert json.loads(run("key", "list", "acme", "--json", "--tenants", str(tenants)).stdout) == []
    again = run("key", "revoke", "acme", key_id, "--tenants", str(tenants))
    assert (again.exit_code, key_id in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody"], "there is no tenant `nobody`"),
        (["../acme"], "there is no tenant"),
        (["acme", "--subject", "alice"], "type:id"),
        (["acme", "--subject", "group:Administrators"], "Group"),
        (["acme", "--expires", "yesterday"], "yesterday"),
    ],
)
def test_a_key_that_can_not_be_made_says_why(tenants: Path, arguments: list[str], sentence: str) -> None:
    result = run("key", "new", *arguments, "--tenants", str(tenants))
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""


def test_what_a_file_holds_can_t_steer_the_terminal_that_refuses_it(tenants: Path, tmp_path: Path) -> None:
    folders = {"POLICY_SERVICE_TENANTS": str(tenants), "POLICY_SERVICE_DATA": str(tmp_path / "data")}
    assert run("tenant", "create", "acme", **folders).exit_code == 0
    line = {"_key": "a", "_type": "host", "_class": "Host", "x\x1b[2J\nimported": {"nested": True}}
    (tmp_path / "lines.ndjson").write_text(json.dumps(line))
    result = run("tenant", "import", "acme", str(tmp_path / "lines.ndjson"), **folders)
    assert result.exit_code == 2
    assert "`x\\x1b[2J\\nimported` is nested" in result.stderr
    assert "\x1b" not in result.stderr
