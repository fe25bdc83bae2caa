"""Attacks by whoever can run any SQL in a session on a tenant's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlcipher3 import dbapi2

from policy_service.errors import NoStore, StoreFailed
from policy_service.store.files import Files
from policy_service.store.sqlcipher import USE, connect
from policy_service.store.tables import TRAIL, EntityRow
from tests.store.conftest import Town
from tests.store.rows import MINE, SECRETS, TABLES, THEIRS, entity, see, unharmed
from tests.stores import create_store


def path_of(town: Town, account: str) -> Path:
    databases = town.store.databases
    assert isinstance(databases, Files)
    return databases.path(account)


def attack(town: Town, statement: str, *, write: bool = True) -> list[Any]:
    """What an injection finds in a session of ours. Of several statements at once the driver takes none."""
    with town.store.session(MINE, write=write) as session:
        found = session.connection().exec_driver_sql(statement)
        rows = list(found.fetchall()) if found.returns_rows else []
        session.rollback()
    return rows


def attach(town: Town, key: str) -> str:
    return f"ATTACH '{path_of(town, THEIRS)}' AS theirs KEY {key}"


def secret_of(town: Town, account: str) -> str:
    return town.store.keys.active(account).derive(USE).hex()


@pytest.mark.parametrize("write", [True, False])
def test_no_other_file_is_attached(folder: Town, write: bool) -> None:
    for key in ("''", f"\"x'{secret_of(folder, MINE)}'\"", f"\"x'{secret_of(folder, THEIRS)}'\""):
        with pytest.raises(StoreFailed):
            attack(folder, attach(folder, key), write=write)
    with pytest.raises(StoreFailed):
        attack(folder, f"ATTACH '{path_of(folder, THEIRS)}' AS theirs", write=write)


def test_another_tenants_file_does_not_open_with_our_key(folder: Town) -> None:
    """What the key alone keeps out, where nobody forbids to attach."""
    connection = connect(path_of(folder, MINE), folder.store.keys.active(MINE))
    read = "SELECT display_name FROM theirs.entity"
    try:
        for key in ("''", f"\"x'{secret_of(folder, MINE)}'\"", f"\"x'{secret_of(folder, '@service')}'\""):
            with pytest.raises(dbapi2.DatabaseError, match="file is not a database"):
                connection.execute(attach(folder, key)).execute(read)
        # the answer is there for whoever has the key
        connection.execute(attach(folder, f"\"x'{secret_of(folder, THEIRS)}'\""))
        assert (SECRETS[THEIRS],) in connection.execute(read).fetchall()
    finally:
        connection.close()


REFUSED = (
    "VACUUM INTO 'stolen.db'",
    "VACUUM",
    "CREATE TABLE mine (i)",
    "CREATE TEMP TABLE entity (i)",
    "CREATE TEMP VIEW entity AS SELECT 1",
    "CREATE TRIGGER t BEFORE INSERT ON entity BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE v USING fts5(x)",
    "CREATE INDEX i ON entity (id)",
    "ALTER TABLE entity ADD COLUMN more",
    "ALTER TABLE trail_entry RENAME TO gone",
    "DROP TABLE trail_entry",
    "DROP TABLE trail_head",
    "DROP TRIGGER freeze_trail_entry_update",
    "DROP TRIGGER pin_entity_insert",
    "DROP INDEX ix_entity_account_id_type_id",
    "REINDEX",
    "ANALYZE",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA secure_delete = OFF",
    "PRAGMA temp_store = FILE",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA user_version = 9",
    "PRAGMA key = 'x'",
    "PRAGMA rekey = 'x'",
    "PRAGMA cipher_log = stdout",
    "PRAGMA cipher_profile = 'profile.log'",
    "PRAGMA trusted_schema = ON",
    "SELECT load_extension('x')",
    "SELECT sqlcipher_export('main')",
    "UPDATE sqlite_master SET sql = ''",
    "DELETE FROM sqlite_master",
    "UPDATE alembic_version_tenant SET version_num = 'x'",
    "DELETE FROM alembic_version_tenant",
)


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("statement", REFUSED)
def test_what_a_session_may_not_do(folder: Town, statement: str, write: bool) -> None:
    with unharmed(folder.store, MINE), pytest.raises(StoreFailed):
        attack(folder, statement, write=write)
    assert not Path("stolen.db").exists()


def test_most_of_it_would_be_done_if_nobody_forbade_it(folder: Town) -> None:
    """A connection of ours as it is before it is handed out: the same statements, and a transaction undone after."""
    done = []
    for statement in REFUSED:
        if statement.startswith(("VACUUM", "PRAGMA journal", "PRAGMA cipher", "PRAGMA key", "PRAGMA rekey")):
            continue
        connection = connect(path_of(folder, MINE), folder.store.keys.active(MINE))
        try:
            connection.execute("BEGIN")
            connection.execute(statement)
            done.append(statement)
        except dbapi2.Error:
            pass
        finally:
            connection.rollback()
            connection.close()
    assert {"DROP TRIGGER freeze_trail_entry_update", "CREATE TEMP TABLE entity (i)", "PRAGMA writable_schema = ON",
            "DELETE FROM alembic_version_tenant", "DROP TABLE trail_head"} <= {*done}  # fmt: skip


def test_one_statement_is_all_there_is(folder: Town) -> None:
    with unharmed(folder.store, MINE), pytest.raises(StoreFailed):
        attack(folder, "SELECT 1; DELETE FROM element")


TRAIL_CHANGES = (
    "UPDATE trail_entry SET body = 'x'",
    "DELETE FROM trail_entry",
    "INSERT OR REPLACE INTO trail_entry SELECT account_id, id, 'x' FROM trail_entry",
    "REPLACE INTO trail_link SELECT account_id, seq, entry_id, x'00' FROM trail_link",
    "REPLACE INTO trail_link SELECT account_id, 99, entry_id, x'00' FROM trail_link",
    "INSERT INTO trail_entry SELECT * FROM trail_entry WHERE true ON CONFLICT DO UPDATE SET body = 'x'",
    "UPDATE OR REPLACE trail_link SET seq = seq + 1",
    "UPDATE trail_head SET signature = x'00'",
    "DELETE FROM trail_head",
    "DELETE FROM trail_link WHERE seq = 1",
)


@pytest.mark.parametrize("statement", TRAIL_CHANGES)
def test_the_trail_is_never_changed(folder: Town, statement: str) -> None:
    with unharmed(folder.store, MINE), pytest.raises(Exception, match=r"refused|the trail is never changed"):
        attack(folder, statement)


def test_the_trail_would_change_without_its_triggers(folder: Town) -> None:
    connection = connect(path_of(folder, MINE), folder.store.keys.active(MINE))
    try:
        connection.execute("BEGIN")
        for table in TRAIL:
            for act in ("insert", "update", "delete"):
                connection.execute(f"DROP TRIGGER freeze_{table.name}_{act}")
        connection.execute("PRAGMA defer_foreign_keys = ON")
        for statement in TRAIL_CHANGES[:1] + TRAIL_CHANGES[-3:]:
            assert connection.execute(statement).rowcount > 0
    finally:
        connection.rollback()
        connection.close()


FOREIGN = (
    *(f"UPDATE {table} SET account_id = '{THEIRS}'" for table in TABLES),
    f"INSERT INTO element VALUES ('{THEIRS}', 'a', 'b', '1')",
    f"INSERT OR IGNORE INTO element VALUES ('{THEIRS}', 'a', 'b', '1')",
    "INSERT INTO element VALUES (NULL, 'a', 'b', '1')",
    f"INSERT INTO trail_entry VALUES ('{THEIRS}', 'x', 'y')",
    f"INSERT INTO trail_head VALUES ('{THEIRS}', 7, x'', 1, x'')",
    f"REPLACE INTO element SELECT '{THEIRS}', name, value, id FROM element",
)


@pytest.mark.parametrize("statement", FOREIGN)
def test_no_row_of_another_account_gets_into_a_file(folder: Town, statement: str) -> None:
    with unharmed(folder.store, MINE), pytest.raises(Exception, match=r"refused|another tenant|never changed|NOT NULL"):
        attack(folder, statement)


def test_a_read_finds_the_rows_of_its_file_alone(folder: Town) -> None:
    for table in TABLES:
        assert SECRETS[THEIRS] not in repr(attack(folder, f"SELECT * FROM {table}"))
        assert attack(folder, f"SELECT * FROM {table} WHERE account_id = '{THEIRS}'") == []
    assert not any(THEIRS in repr(row) for row in attack(folder, "SELECT * FROM sqlite_master"))


def test_a_reading_session_writes_nothing(folder: Town) -> None:
    with unharmed(folder.store, MINE):
        for statement in ("DELETE FROM element", "UPDATE entity SET type = 'x'"):
            with pytest.raises(StoreFailed, match=r"can't be written|refused"):
                attack(folder, statement, write=False)


NAMES = (
    "../control",
    "..",
    ".",
    "",
    "@service2",
    "acme/../globex",
    "acme\0",
    "ACME",
    "a" * 64,
    "\udc80",
    "acme\n",
    "é",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_no_tenants_have_no_store(town: Town, name: str) -> None:
    assert town.store.state(name) is None
    assert not town.store.has_store(name)
    with pytest.raises(NoStore), town.store.session(name):
        pass


def test_a_tenant_is_no_way_to_the_control_database(folder: Town) -> None:
    for table in ("tenant", "data_key"):
        with pytest.raises(StoreFailed):
            attack(folder, f"SELECT * FROM {table}")


def test_tenants_that_look_alike_stay_apart(folder: Town) -> None:
    names = ("a", "a-b", "a-bc")
    for name in names:
        create_store(folder.store, name)
        with folder.store.session(name, write=True) as session:
            session.add(EntityRow(**entity("1", display_name=name)))
    for name in names:
        with folder.store.session(name) as session:
            assert session.scalars(select(EntityRow.display_name)).all() == [name]
    assert len({path_of(folder, name).read_bytes()[:16] for name in names}) == len(names)


def test_nobody_else_on_the_machine_may_read_the_files(folder: Town) -> None:
    store = path_of(folder, "@service").parent
    assert store.stat().st_mode & 0o077 == 0
    assert see(folder.store, MINE)["entity"]
