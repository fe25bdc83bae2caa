"""The tables: the account leads every key, and what migrations make is what the models say, in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, UniqueConstraint, create_engine, inspect, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from policy_service.store import migrate
from policy_service.store.control import ControlBase
from policy_service.store.sqlcipher import File
from policy_service.store.tables import TRAIL, Base
from tests.store.conftest import Town
from tests.store.rows import MINE
from tests.stores import OWNER

LEADER = "account_id"
ALL = [table for base in (Base, ControlBase) for table in base.metadata.sorted_tables]


@contextmanager
def reached(town: Town, account: str) -> Iterator[Connection]:
    """A connection that sees the tables of an account as they were really made."""
    if town.place.cluster is None:
        databases: Any = town.store.databases
        file = File(databases.path(account), [town.store.keys.active(account)])
        with file.reader.connect() as connection:
            yield connection
        file.close()
        return
    url = make_url(town.place.cluster.url(OWNER, town.place.database)).set(drivername="postgresql+psycopg")
    engine = create_engine(url, connect_args={"options": "-c search_path=policy_service"})
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_the_account_leads_every_key_of_the_models(table: Table) -> None:
    assert next(iter(table.columns)).name == LEADER
    assert next(iter(table.primary_key.columns)).name == LEADER
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            assert next(iter(constraint.columns)).name == LEADER
    for reference in table.foreign_key_constraints:
        assert reference.column_keys[0] == LEADER
        assert reference.elements[0].target_fullname.endswith(f".{LEADER}")
    for index in table.indexes:
        assert next(iter(index.columns)).name == LEADER
    assert not table.c[LEADER].nullable


@pytest.mark.parametrize("account", [MINE, "@service"])
def test_the_account_leads_every_key_that_was_made(town: Town, account: str) -> None:
    with reached(town, account) as connection:
        look = inspect(connection)
        names = [name for name in look.get_table_names() if not name.startswith("alembic_version")]
        for name in names:
            keys = [look.get_pk_constraint(name)["constrained_columns"]]
            keys += [unique["column_names"] for unique in look.get_unique_constraints(name)]
            keys += [index["column_names"] for index in look.get_indexes(name)]
            keys += [reference["constrained_columns"] for reference in look.get_foreign_keys(name)]
            keys += [reference["referred_columns"] for reference in look.get_foreign_keys(name)]
            assert [key[0] for key in keys] == [LEADER] * len(keys), name
    expected = {*Base.metadata.tables}
    if account == "@service" or town.place.kind == "postgresql":
        expected |= {*ControlBase.metadata.tables}
    assert set(names) == expected


# what a generated column is made of differs between the databases, and no model says it
@pytest.mark.filterwarnings("ignore:Computed default on:UserWarning")
@pytest.mark.parametrize(("account", "bases"), [(MINE, (Base,)), ("@service", (Base, ControlBase))])
def test_migrations_make_what_the_models_say(
    town: Town, account: str, bases: tuple[type[DeclarativeBase], ...]
) -> None:
    if town.place.kind == "postgresql":
        bases = (Base, ControlBase)
    whole = MetaData()
    for base in bases:
        for table in base.metadata.sorted_tables:
            table.to_metadata(whole)
    with reached(town, account) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: kind != "table" or not str(name).startswith("alembic_version"),
            },
        )
        assert compare_metadata(context, whole) == []
        assert _shapes(connection, whole) == []


def _shapes(connection: Connection, models: MetaData) -> list[str]:
    """What autogenerate does not look at: the first column, primary keys, nullability, what a deletion takes along."""
    made = MetaData()
    made.reflect(connection)
    found = []
    for table in models.sorted_tables:
        real = made.tables[table.name]
        pairs = (
            (LEADER, next(iter(real.columns)).name),
            ([column.name for column in table.primary_key], [column.name for column in real.primary_key]),
            ({c.name: c.nullable for c in table.columns}, {c.name: c.nullable for c in real.columns}),
            (_references(table), _references(real)),
        )
        found += [f"{table.name}: {said} is {is_}" for said, is_ in pairs if said != is_]
    return found


def _references(table: Table) -> list[tuple[Any, ...]]:
    return sorted(
        (tuple(reference.column_keys), tuple(e.target_fullname for e in reference.elements), reference.ondelete)
        for reference in table.foreign_key_constraints
    )


def test_text_sorts_as_python_sorts_it(town: Town) -> None:
    if town.place.kind == "sqlite":
        return
    with reached(town, MINE) as connection:
        look = inspect(connection)
        for table in ALL:
            for column in look.get_columns(table.name):
                if column["name"] in table.primary_key.columns and hasattr(column["type"], "collation"):
                    assert column["type"].collation == "C", (table.name, column["name"])


def test_every_table_of_a_file_is_pinned_and_the_trail_is_frozen(folder: Town) -> None:
    with reached(folder, MINE) as connection:
        found = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    expected = {f"pin_{name}_{act}" for name in Base.metadata.tables for act in ("insert", "update")}
    expected |= {f"freeze_{table.name}_{act}" for table in TRAIL for act in ("insert", "update", "delete")}
    assert found == expected


def test_a_model_that_did_not_lead_with_the_account_would_be_found() -> None:
    """A mixin's column sorts last, but for `sort_order`."""

    class Bad(DeclarativeBase):
        account_id: Mapped[str] = mapped_column(primary_key=True)

    class Row(Bad):
        __tablename__ = "bad"
        id: Mapped[str] = mapped_column(primary_key=True)

    with pytest.raises(AssertionError):
        test_the_account_leads_every_key_of_the_models(Row.__table__)


def test_the_scripts_are_one_line_each() -> None:
    for history in ("control", "tenant"):
        assert len(migrate._script(history).get_heads()) == 1
        assert migrate.head(history).startswith(history)
