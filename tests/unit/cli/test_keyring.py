"""`policy-service keyring`, and what `status` says of the keyring."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from policy_service.cli import main
from policy_service.config import Settings
from policy_service.store.opening import open_store
from policy_service.store.private_files import replace_private
from policy_service.store.tables import SERVICE, TrailEntryRow
from policy_service.tenancy.acts import name_operator
from tests.stores import create_store


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    store = open_store(Settings(data=tmp_path))
    create_store(store, "acme")
    store.close()
    return tmp_path


def age(path: Path) -> None:
    keys = json.loads(path.read_text())
    for key in keys["keys"]:
        key["created"] = "2020-01-01T00:00:00Z"
    replace_private(path, json.dumps(keys).encode())


def test_status_says_what_wraps_what(data: Path) -> None:
    result = run("keyring", "status", "--data", str(data), "--json")
    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["overdue"], shown["data_keys"]) == (0, False, {shown["current"]: 2})
    assert "is 0 days old" in run("keyring", "status", "--data", str(data)).stderr


@pytest.mark.parametrize("command", ["status", "rotate", "rekey acme"])
def test_where_there_is_no_keyring_none_is_made(tmp_path: Path, command: str) -> None:
    result = run("keyring", *command.split(), "--data", str(tmp_path))
    assert result.exit_code == 2
    assert "there is no" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_rotate_rewraps_and_is_in_the_trail(data: Path) -> None:
    result = run("keyring", "rotate", "--data", str(data))
    assert result.exit_code == 0, result.output
    assert "2 of 2 data keys" in result.stderr
    shown = json.loads(run("keyring", "status", "--data", str(data), "--json").stdout)
    assert shown["data_keys"] == {shown["current"]: 2}
    store = open_store(Settings(data=data))
    try:
        with store.session("acme"), store.session(SERVICE) as session:
            bodies = [json.loads(body) for body in session.scalars(select(TrailEntryRow.body))]
    finally:
        store.close()
    changes = [(body["action"], body["kind"], body["id"], body["detail"]) for body in bodies]
    detail = {"rewrapped": 2, "moved": False, "user": name_operator()}
    assert changes == [("rotate", "keyring", shown["current"], detail)]


def test_rotate_moves_to_another_keyring(data: Path, tmp_path: Path) -> None:
    other = str(tmp_path / "other.json")
    result = run("keyring", "rotate", "--data", str(data), "--to", other)
    assert result.exit_code == 0, result.output
    assert f"POLICY_SERVICE_KEYRING={other}" in result.stderr
    refused = run("keyring", "status", "--data", str(data))
    assert refused.exit_code == 2
    assert "doesn't hold the key" in refused.stderr
    assert run("keyring", "status", "--data", str(data), "--keyring", other).exit_code == 0


def test_status_of_the_service_says_when_rotation_is_overdue(data: Path, tmp_path: Path) -> None:
    policies, tenants = tmp_path / "policies", tmp_path / "tenants"
    policies.mkdir()
    tenants.mkdir()
    folders = ("--data", str(data), "--policies", str(policies), "--tenants", str(tenants))
    assert "keyring" not in run("status", *folders).stderr
    age(data / "keyring.json")
    result = run("status", *folders)
    assert result.exit_code == 0
    assert "its yearly rotation is overdue: run `policy-service keyring rotate`" in result.stderr
    run("keyring", "rotate", "--data", str(data))
    assert "keyring" not in run("status", *folders).stderr
    (data / "keyring.json").chmod(0o644)
    assert "mode 0644" in run("status", *folders).stderr


def test_status_of_a_service_without_a_store_asks_for_no_keyring(tmp_path: Path) -> None:
    folders = [part for name in ("policies", "tenants", "data") for part in (f"--{name}", str(tmp_path))]
    assert "keyring" not in run("status", *folders).stderr
