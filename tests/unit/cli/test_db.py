"""`policy-service db`: every database brought up to date, and whether they are."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policy_service.cli import main
from policy_service.config import Settings
from policy_service.store import migrate
from policy_service.store.control import State
from policy_service.store.lives import set_state
from policy_service.store.opening import open_store
from policy_service.store.sqlcipher import connect
from tests.service.test_tenant_kills import know_revision
from tests.stores import Place, admin_url, create_store


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A store with two tenants, one of them suspended, and one that has no data."""
    store = open_store(Settings(data=tmp_path / "data"))
    for tenant in ("acme", "globex"):
        create_store(store, tenant)
    set_state(store, "globex", State.SUSPENDED)
    set_state(store, "begun", State.CREATING)
    store.close()
    yield tmp_path / "data"
    migrate._script.cache_clear()


@pytest.mark.parametrize("command", ["upgrade", "status"])
def test_help_has_an_example(command: str) -> None:
    assert f"policy-service db {command}" in run("db", command, "--help").stdout.split("Example", 1)[1]


def test_all_up_to_date(data: Path) -> None:
    result = run("db", "status", "--data", str(data))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "sqlite: 1 active, 1 creating, 1 suspended; 0 not up to date" in result.stderr
    assert "3 databases are up to date" in run("db", "upgrade", "--data", str(data)).stderr


def test_a_look_upgrades_nothing_and_an_upgrade_all(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["policy_service.cli.db"], "_EVERY", 1)
    know_revision(tmp_path / "migrations", monkeypatch)
    for _ in range(2):
        behind = run("db", "status", "--data", str(data))
        assert behind.exit_code == 1
        assert behind.stdout == "acme: to be upgraded\nglobex: to be upgraded\n"
    told = run("db", "upgrade", "--data", str(data)).stderr
    assert "1 of 3 databases" in told
    assert "3 databases are up to date" in told
    assert run("db", "status", "--data", str(data)).exit_code == 0


def test_what_a_newer_version_made_and_what_is_broken_is_named(data: Path) -> None:
    store = open_store(Settings(data=data))
    connection = connect(data / "store" / "tenants" / "acme.db", store.keys.active("acme"))
    connection.execute("UPDATE alembic_version_tenant SET version_num = 'tenant_9999'")
    connection.close()
    store.close()
    (data / "store" / "tenants" / "globex.db").write_bytes(b"no database" * 500)
    result = run("db", "status", "--data", str(data), "--json")
    assert result.exit_code == 1
    found = {row["tenant"]: row for row in json.loads(result.stdout)["not_up_to_date"]}
    assert found["acme"]["state"] == "made by a newer version"
    assert "`tenant_9999`" in found["acme"]["why"]
    assert found["globex"]["state"] == "can't be opened"


def test_a_database_that_is_broken_keeps_no_other_from_being_upgraded(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "store" / "tenants" / "acme.db").write_bytes(b"no database" * 500)
    know_revision(tmp_path / "migrations", monkeypatch)
    told = run("db", "upgrade", "--data", str(data))
    assert told.exit_code == 2
    assert "1 of 2 tenants' databases can't be upgraded, see `policy-service db status`; the first: " in told.stderr
    assert run("db", "status", "--data", str(data)).stdout.startswith("acme: can't be opened: ")
    assert "globex" not in run("db", "status", "--data", str(data)).stdout


def test_without_a_store_nothing_is_made(tmp_path: Path) -> None:
    result = run("db", "status", "--data", str(tmp_path / "data"))
    assert result.exit_code == 0
    assert "there is no store" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_on_postgresql_it_is_one_database(place: Place) -> None:
    place.open(("acme",)).close()
    environment = place.settings.environment()
    refused = run("db", "upgrade", **environment)
    assert refused.exit_code == 2
    assert "DATABASE_ADMIN_URL" in refused.stderr
    with admin_url(place.admin):
        assert "1 database is up to date" in run("db", "upgrade", **environment).stderr
    assert "postgresql: 1 active; 0 not up to date" in run("db", "status", **environment).stderr
