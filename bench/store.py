"""What isolation costs a read, on both databases, and what ten thousand tenants cost the embedded store."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, make_url, select
from sqlalchemy.orm import Session
from sqlcipher3 import dbapi2

from bench import assets
from bench.server import rss
from bench.timing import Row, compare, ratio_row
from policy_service.config import Settings
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.opening import open_store
from policy_service.store.tables import EntityRow
from tests.stores import RUNTIME, Place, create_store, start_cluster

ENTITIES = 5_000
TENANTS = int(os.environ.get("BENCH_TENANTS", "10000"))
HELD = 256
# both read JSON by the same library
JSON: dict[str, Any] = {
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}
_NAMES = {"sqlite": "SQLCipher files", "postgresql": "PostgreSQL"}


def rows() -> Iterator[Row]:
    """One row a figure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        yield from _isolation(Place("sqlite", Settings(data=path / "data")), _open_bare_file)
        with start_cluster(path) as cluster:
            database = cluster.make_database()
            settings = Settings(
                data=path / "pg-data", database_url=cluster.url(RUNTIME, database), keyring=str(cluster.keyring)
            )
            place = Place("postgresql", settings, cluster.url("policy_owner", database), cluster, database)
            yield from _isolation(place, _open_bare_postgresql)
    yield from _many()


def _isolation(place: Place, open_bare: Callable[[Place, Store], Engine]) -> Iterator[Row]:
    store = place.open(("acme", "globex"))
    for tenant in ("acme", "globex"):
        fill(store, tenant)
    bare = open_bare(place, store)
    for what, bound, statement, times in (
        ("a read by primary key", "≤ 2", select(EntityRow).where(EntityRow.id == _id(2_500)), 100),
        (
            "a page of 100",
            "≤ 1.3",
            select(EntityRow)
            .where(EntityRow.type == "host", EntityRow.id > _id(2_000))
            .order_by(EntityRow.id)
            .limit(100),
            10,
        ),
    ):

        def ours(statement=statement) -> int:
            with store.session("acme") as session:
                return len(session.scalars(statement).all())

        def theirs(statement=statement) -> int:
            with Session(bare) as session:
                return len(session.scalars(statement.where(EntityRow.account_id == "acme")).all())

        assert ours() == theirs() > 0
        yield ratio_row(
            f"{_NAMES[place.kind]}: {what}, tenants apart",
            "the same through SQLAlchemy on one table, nothing in between",
            bound,
            compare(ours, theirs, times, clock=time.perf_counter_ns),
        )
    yield from assets.rows(_NAMES[place.kind], store, bare)
    bare.dispose()
    store.close()


def fill(store: Store, tenant: str) -> None:
    """Entities for a tenant, ten properties each."""
    with store.session(tenant, write=True) as session:
        for number in range(ENTITIES):
            session.add(
                EntityRow(
                    id=_id(number),
                    type="host",
                    key=f"key-{number}",
                    source="bench",
                    scope="",
                    display_name=f"host {number}",
                    properties=assets.PROPERTIES,
                    tags={"env": "production"},
                    version=1,
                    created_on=1,
                    begin_on=1,
                    deleted=False,
                    classes=["Host"],
                )
            )


def _id(number: int) -> str:
    return f"{number:08d}-0000-5000-8000-000000000000"


def _open_bare_file(_: Place, store: Store) -> Engine:
    """A tenant's file by its key, as any program would open it."""
    assert isinstance(store.databases, Files)
    path, secret = store.databases.path("acme"), store.keys.active("acme").derive("sqlcipher").hex()

    def connect() -> object:
        connection = dbapi2.connect(str(path), check_same_thread=False)
        connection.execute(f"PRAGMA key = \"x'{secret}'\"")
        return connection

    return create_engine("sqlite://", module=dbapi2, creator=connect, pool_size=1, **JSON)


def _open_bare_postgresql(place: Place, _: Store) -> Engine:
    """The same rows in tables without row level security."""
    assert place.cluster
    superuser = make_url(place.cluster.superuser).set(drivername="postgresql+psycopg", database=place.database)
    arguments = {"options": "-c search_path=bare", "prepare_threshold": None}
    engine = create_engine(superuser, connect_args=arguments, **JSON)
    place.cluster.execute("CREATE SCHEMA bare", place.database)
    place.cluster.execute("CREATE TABLE bare.entity (LIKE policy_service.entity INCLUDING ALL)", place.database)
    place.cluster.execute("INSERT INTO bare.entity SELECT * FROM policy_service.entity", place.database)
    for schema in ("bare", "policy_service"):
        place.cluster.execute(f"ANALYZE {schema}.entity", place.database)
    return engine


def _many() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Settings(data=Path(folder), stores=HELD))
        names = [f"tenant-{number:05d}" for number in range(TENANTS)]
        create = [_seconds(create_store, store, name) for name in names]
        yield Row(
            f"create a tenant's store, {TENANTS:,} tenants", f"{_ms(create)} ms, the last hundred {_ms(create[-100:])}"
        )
        store.close()
        store = open_store(Settings(data=Path(folder), stores=HELD))
        for name in names[:HELD]:
            _read(store, name)
        memory, files = rss(), _open_files()
        cold = [_seconds(_read, store, name) for name in names]
        yield Row("open and read a tenant that was not held", f"{_ms(cold)} ms", "", "")
        warm = [_seconds(_read, store, name) for name in names[-HELD // 2 :]]
        yield Row("read a tenant that is held", f"{_ms(warm)} ms")
        grown = (rss() - memory) / 1e6
        yield Row(
            f"after {TENANTS:,} tenants were read, {HELD} held",
            f"{grown:+.0f} MB, {_open_files() - files:+d} open files",
            f"after {HELD} were ({memory / 1e6:.0f} MB, {files} open files)",
        )
        store.close()


def _read(store: Store, tenant: str) -> None:
    with store.session(tenant) as session:
        session.scalars(select(EntityRow.type).where(EntityRow.id == "none")).all()


def _seconds(function: Callable[..., object], *given: object) -> float:
    start = time.perf_counter()
    function(*given)
    return time.perf_counter() - start


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.1f}"


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
