"""Rows put straight into the tables of a store, millions at a time: by whoever may do anything, not by the service."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from sqlalchemy import make_url, select
from sqlalchemy.orm import Session
from sqlcipher3 import dbapi2

from bench.million import NOW, Estate, write_row_of_layout
from policy_service.assets import entities, relationships
from policy_service.assets.drafts import read_entity, read_relationship
from policy_service.assets.inventory import open_inventory
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.tables import PROMOTED, SORTED, ElementRow, EntityRow, KindRow, LayoutRow
from tests.stores import Place

_ROWS = 10_000
ELEMENT = ("account_id", "name", "value", "id")
KIND = ("account_id", "kind", "root", "name", "bits")
LAYOUT = ("account_id", "body")


def check(place: Place, store: Store, bundle: Bundle, estate: Estate) -> None:
    """Put a small estate into the store of its tenant, and see that the rows are those that the writers make of it."""
    with store.session(estate.tenant, write=True) as session:
        inventory = open_inventory(store, session, bundle)
        for entity in estate.entities():
            named = {"_key": entity.key, "_type": entity.type, "_class": entity.class_, "displayName": entity.key}
            draft = read_entity({**named, **entity.properties})
            entities.store(inventory, entities.propose(inventory, draft, NOW))
        for type_, key, from_, to in estate.relationships():
            ends = {"_fromEntityKey": from_, "_toEntityKey": to}
            draft = read_relationship({"_key": key, "_type": type_, "_class": "HAS", **ends})
            relationships.store(inventory, relationships.propose(inventory, draft, NOW))
        written = _read(session)
        session.rollback()
    load(place, store, bundle, estate)
    store.forget(estate.tenant)
    with store.session(estate.tenant) as session:
        loaded = _read(session)
    for table, rows in written.items():
        assert rows == loaded[table], f"{table}: what is loaded is not what is written"


def _read(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each table, in the order of its key."""
    tables = (EntityRow, ElementRow, KindRow, LayoutRow)
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table in tables:
        columns, key = table.__table__.columns, table.__table__.primary_key.columns
        found[table.__tablename__] = [tuple(row) for row in session.execute(select(*columns).order_by(*key))]
    return found


def load(place: Place, store: Store, bundle: Bundle, estate: Estate) -> None:
    """Put all of an estate into the store of its tenant, which has nothing yet, and have the database look at it."""
    if place.cluster is None:
        _load_file(store, bundle, estate)
    else:
        _load_postgresql(place, bundle, estate)


def _tables(bundle: Bundle, estate: Estate) -> Iterator[tuple[str, Sequence[str], Iterable[tuple[Any, ...]]]]:
    """Each table, the columns that are written, and the rows."""
    entities = estate.entity_rows()
    first = next(entities)
    yield "entity", tuple(first), (tuple(row.values()) for row in itertools.chain([first], entities))
    account = estate.tenant
    yield "element", ELEMENT, ((account, *row) for row in estate.element_rows())
    yield "kinds", KIND, ((account, *row) for row in estate.kind_rows())
    yield "layout", LAYOUT, [(account, write_row_of_layout(bundle))]


def _load_file(store: Store, bundle: Bundle, estate: Estate) -> None:
    connection = open_file(store, estate.tenant)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = MEMORY", "cache_size = -1500000"):
        connection.execute(f"PRAGMA {pragma}")
    made = connection.execute(
        "SELECT name, type, sql FROM sqlite_master "
        "WHERE tbl_name IN ('entity', 'element') AND type IN ('index', 'trigger') AND sql IS NOT NULL"
    ).fetchall()
    # what SQLite chooses by goes with the indexes
    statistics = connection.execute("SELECT * FROM sqlite_stat1").fetchall()
    for name, kind, _ in made:
        connection.execute(f"DROP {kind} {name}")
    connection.execute("BEGIN")
    for table, columns, rows in _tables(bundle, estate):
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
    for *_, statement in made:
        connection.execute(statement)
    connection.execute("DELETE FROM sqlite_stat1")
    connection.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", statistics)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def open_file(store: Store, tenant: str) -> Any:
    """A connection of the driver to the file of a tenant, which is closed in the store."""
    assert isinstance(store.databases, Files)
    store.forget(tenant)
    connection = dbapi2.connect(str(store.databases.path(tenant)), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{store.keys.active(tenant).derive('sqlcipher').hex()}'\"")
    return connection


def leave_out_columns(place: Place, store: Store) -> None:
    """Take the columns away that lists start from, with their indexes, and those that lists are sorted by."""
    sorts = [f"ix_entity_account_id_{column}_id" for column in SORTED]
    if place.cluster is None:
        connection = open_file(store, "acme")
        for index in (*sorts, *(f"ix_entity_account_id_p_{name}_id" for name in PROMOTED)):
            # without an index a column of a file is worked out when it is read
            connection.execute(f"DROP INDEX {index}")
        connection.close()
        return
    for index in sorts:
        place.cluster.execute(f"DROP INDEX policy_service.{index}", place.database)
    drops = ", ".join(f"DROP COLUMN {column}" for column in ("name_start", *(f"p_{name}" for name in PROMOTED)))
    place.cluster.execute(f"ALTER TABLE policy_service.entity {drops}", place.database)


def _load_postgresql(place: Place, bundle: Bundle, estate: Estate) -> None:
    assert place.cluster
    url = make_url(place.cluster.superuser).set(database=place.database).render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        # what refers to what is right, and not looked at row by row
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET search_path = policy_service")
        connection.execute("SET maintenance_work_mem = '1GB'")
        made = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'policy_service' "
            "AND tablename IN ('entity', 'element') AND indexname LIKE 'ix%'"
        ).fetchall()
        for name, _ in made:
            connection.execute(f"DROP INDEX {name}".encode())
        for table, columns, rows in _tables(bundle, estate):
            _copy(connection, f"COPY {table} ({', '.join(columns)}) FROM STDIN", rows)
        for _, statement in made:
            connection.execute(statement.encode())
        for table in ("entity", "element", "kinds"):
            connection.execute(f"VACUUM ANALYZE {table}".encode())


def _copy(connection: psycopg.Connection[Any], statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Nothing that is written has a tab or a line break in it."""
    with connection.cursor().copy(statement.encode()) as copy:
        left = iter(rows)
        while chunk := list(itertools.islice(left, _ROWS)):
            copy.write("".join("\t".join(map(_write, row)) + "\n" for row in chunk))


def _write(part: object) -> str:
    return "\\N" if part is None else str(part).replace("\\", "\\\\")
