"""Processes killed under load, and processes that race: nothing acknowledged is lost, nothing is half there."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from policy_service.config import Settings
from policy_service.store import migrate
from policy_service.store.data_keys import DataKey
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.opening import open_store
from policy_service.store.sqlcipher import connect
from policy_service.store.tables import SERVICE, ElementRow, EntityRow, TrailEntryRow
from tests.store.rows import MINE, SECRETS, fill_both, see
from tests.store.workers import PARTS, begin, open_later, upgrade_database, working, write
from tests.stores import OWNER, RUNTIME, Cluster, Place, make_place


def whole(store: Store) -> set[str]:
    """The ids of transactions that are there; none is half there."""
    with store.session(MINE) as session:
        ids = set(session.scalars(select(EntityRow.id)))
        parts = {row[0]: row[1] for row in session.execute(select(ElementRow.id, func.count()).group_by(ElementRow.id))}
        noted = set(session.scalars(select(TrailEntryRow.id)))
    assert noted == ids
    assert parts == dict.fromkeys(ids, PARTS)
    return ids


def ask(path: Path, key: DataKey, question: str) -> list[Any]:
    """What a file answers to whoever has its key."""
    connection = connect(path, key)
    try:
        return list(connection.execute(question).fetchall())
    finally:
        connection.close()


def check_file(store: Store, account: str) -> None:
    if isinstance(store.databases, Files):
        path, key = store.databases.path(account), store.keys.active(account)
        assert ask(path, key, "PRAGMA integrity_check") == [("ok",)]
        assert ask(path, key, "PRAGMA cipher_integrity_check") == []
        assert ask(path, key, "PRAGMA foreign_key_check") == []


def test_what_was_acknowledged_survives_a_kill_under_load(place: Place) -> None:
    place.open().close()
    acknowledged: set[str] = set()
    for turn, count in enumerate((1, 5, 12)):
        with working(2, write, place.settings, f"turn-{turn}") as workers:
            for worker in workers:
                worker.begin()
            for worker in workers:
                for _ in range(count):
                    worker.hear()
            for worker in workers:
                worker.kill()
                # what it said before it died was committed before that
                acknowledged |= {*worker.said} - {"ready"}
        store = open_store(place.settings)
        try:
            found = whole(store)
            assert acknowledged <= found
            # at most the one that was committed and not yet told
            assert len(found - acknowledged) <= 2 * (turn + 1)
            check_file(store, MINE)
        finally:
            store.close()
    assert len(acknowledged) >= 36


def test_many_processes_begin_one_store(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    with working(8, begin, settings) as workers:
        for worker in workers:
            worker.begin()
        keys = {worker.end() for worker in workers}
    store = open_store(settings)
    assert keys == {store.keys.active(SERVICE).secret.hex()}
    check_file(store, SERVICE)
    store.close()
    names = {path.name for path in (tmp_path / "data" / "store").iterdir()}
    assert {"control.db", "service.json", "tenants"} <= names
    assert not {name for name in names if name.endswith(".new")} | ({"beginning"} & names)
    assert len(json.loads((tmp_path / "data" / "keyring.json").read_text())["keys"]) == 1


def test_a_first_start_that_is_killed_is_gone_on_with(tmp_path: Path) -> None:
    """Killed whenever: the next start makes what is missing, or finds it."""
    found = set()
    for milliseconds in (0, 5, 10, 20, 30, 40, 60, 80, 120, 250):
        settings = Settings(data=tmp_path / f"{milliseconds}")
        with working(1, begin, settings) as (worker,):
            worker.begin()
            time.sleep(milliseconds / 1000)
            worker.kill()
        store = settings.data / "store"
        found.add(tuple((store / name).exists() for name in ("beginning", "service.json", "control.db")))
        opened = open_store(settings)
        check_file(opened, SERVICE)
        opened.close()
        assert not (store / "beginning").exists()
    # it was killed at more than one moment
    assert len(found) > 1


REVISION = '''
"""A later revision."""
import time
import sqlalchemy as sa
from alembic import op

revision = "tenant_9000"
down_revision = "{down}"

def upgrade():
    op.create_table("later", sa.Column("account_id", sa.Text, primary_key=True))
    op.execute("UPDATE entity SET version = version + 1")
    time.sleep(0.1)
'''


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """Migrations with one that this program does not have yet, and which is no good twice."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrate._FOLDER, copy)
    (copy / "tenant" / "versions" / "9000_later.py").write_text(REVISION.format(down=migrate.head("tenant")))
    return copy


@pytest.fixture
def old(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """A closed store with rows, on files: its place, the file of a tenant and its key."""
    with make_place("sqlite", tmp_path, request) as place:
        store = place.open()
        fill_both(store)
        databases: Any = store.databases
        path, key = databases.path(MINE), store.keys.active(MINE)
        store.close()
        yield place, path, key


def test_processes_that_race_to_upgrade_a_file_do_it_once(old: Any, later: Path) -> None:
    place, path, key = old
    with working(4, open_later, place.settings, later) as workers:
        for worker in workers:
            worker.begin()
        assert [worker.end() for worker in workers] == ["2"] * 4
    assert ask(path, key, "SELECT id, version FROM entity") == [("1", 2), ("2", 2)]
    assert ask(path, key, "SELECT version_num FROM alembic_version_tenant") == [("tenant_9000",)]


def test_an_upgrade_of_a_file_that_is_killed_is_undone(old: Any, later: Path) -> None:
    place, path, key = old
    before, after = (migrate.head("tenant"), 1), ("tenant_9000", 2)
    found = []
    for milliseconds in (20, 60, 100, 140, 200, 300):
        with working(1, open_later, place.settings, later) as (worker,):
            worker.begin()
            time.sleep(milliseconds / 1000)
            worker.kill()
        asked = "SELECT (SELECT version_num FROM alembic_version_tenant), min(version) FROM entity"
        found += ask(path, key, asked)
        assert ask(path, key, "PRAGMA integrity_check") == [("ok",)]
        assert bool(ask(path, key, "SELECT 1 FROM sqlite_master WHERE name = 'later'")) is (found[-1] == after)
    assert set(found) <= {before, after}
    assert found[0] == before


def test_processes_that_race_to_upgrade_postgresql_do_it_once(cluster: Cluster, tmp_path: Path) -> None:
    database = "policy_race"
    cluster.execute(f"CREATE DATABASE {database} OWNER {OWNER}")
    url, admin = cluster.url(RUNTIME, database), cluster.url(OWNER, database)
    settings = Settings(data=tmp_path, database_url=url, keyring=str(tmp_path / "keyring.json"))
    try:
        with working(4, upgrade_database, settings, admin) as workers:
            for worker in workers:
                worker.begin()
            assert [worker.end() for worker in workers] == ["1"] * 4
        store = Place("postgresql", settings, admin, cluster, database).open()
        try:
            fill_both(store)
            assert SECRETS[MINE] in repr(see(store, MINE))
        finally:
            store.close()
    finally:
        cluster.drop_database(database)
