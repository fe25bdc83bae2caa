"""Rows put straight into the tables of a store, millions at a time: by whoever may do anything, not by the service."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from sqlalchemy import make_url
from sqlcipher3 import dbapi2

from bench.million import Estate, write_row_of_layout
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store
from policy_service.store.files import Files
from tests.stores import Place

_ROWS = 10_000
ELEMENT = ("account_id", "name", "value", "id")
KIND = ("account_id", "kind", "root", "name", "bits")
LAYOUT = ("account_id", "body")


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
    for name, kind, _ in made:
        connection.execute(f"DROP {kind} {name}")
    connection.execute("BEGIN")
    for table, columns, rows in _tables(bundle, estate):
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
    for *_, statement in made:
        connection.execute(statement)
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
