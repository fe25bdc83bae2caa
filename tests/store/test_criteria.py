"""The second layer, in SQLAlchemy: what it filters where nothing below does, and what the layer below contains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, delete, func, insert, literal, select, text, union, union_all, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased, load_only, make_transient_to_detached

from policy_service.errors import PolicyServiceError
from policy_service.store.sessions import ForeignRowError, TenantSession, prepare
from policy_service.store.tables import Base, ElementRow, EntityRow, RelationshipRow
from tests.store.conftest import Town
from tests.store.rows import MINE, MODELS, SECRETS, THEIRS, entity, fill, see, unharmed

PREPARED = prepare(select(EntityRow.display_name))
PREPARED_UNION = prepare(union_all(select(EntityRow.display_name), select(ElementRow.value)))
READS: dict[str, Callable[[Session], Any]] = {
    "select": lambda s: [row.display_name for row in s.scalars(select(EntityRow))],
    "columns": lambda s: s.scalars(select(EntityRow.display_name)).all(),
    "load_only": lambda s: [r.display_name for r in s.scalars(select(EntityRow).options(load_only(EntityRow.type)))],
    "where_or": lambda s: s.scalars(select(EntityRow.display_name).where((EntityRow.id == "1") | literal(True))).all(),
    "asking_for_theirs": lambda s: s.scalars(
        select(EntityRow.display_name).where(EntityRow.account_id == THEIRS)
    ).all(),
    "alias": lambda s: [row.display_name for row in s.scalars(select(aliased(EntityRow)))],
    "self_join": lambda s: _self_join(s),
    "outer_join": lambda s: _outer_join(s),
    "subquery": lambda s: s.scalars(select(select(EntityRow.display_name).subquery().c[0])).all(),
    "aliased_subquery": lambda s: [r.display_name for r in s.scalars(select(_from_subquery()))],
    "scalar_subquery": lambda s: [s.scalar(select(select(func.max(EntityRow.display_name)).scalar_subquery()))],
    "exists": lambda s: s.scalars(select(literal(SECRETS[THEIRS])).where(_has_theirs())).all(),
    "in_subquery": lambda s: s.scalars(select(ElementRow.value).where(ElementRow.id.in_(select(EntityRow.id)))).all(),
    "cte": lambda s: s.scalars(select(select(EntityRow.display_name).cte().c[0])).all(),
    "recursive_cte": lambda s: _walk(s),
    "union": lambda s: s.scalars(union(select(EntityRow.display_name), select(RelationshipRow.display_name))).all(),
    "union_all": lambda s: s.scalars(union_all(select(EntityRow.display_name), select(ElementRow.value))).all(),
    "group": lambda s: s.scalars(select(EntityRow.display_name).group_by(EntityRow.display_name)).all(),
    "legacy_query": lambda s: [row.display_name for row in s.query(EntityRow).all()],
    "yield_per": lambda s: [r.display_name for r in s.scalars(select(EntityRow).execution_options(yield_per=1))],
    "stream": lambda s: [r[0] for r in s.execute(select(EntityRow.display_name)).partitions(1) for r in r],
    "prepared": lambda s: s.scalars(PREPARED).all(),
    "prepared_union": lambda s: s.scalars(PREPARED_UNION).all(),
    "within_prepared": lambda s: s.scalars(select(PREPARED.subquery().c[0])).all(),
    "get": lambda s: [s.get(EntityRow, (THEIRS, "1"))],
    "get_again": lambda s: [s.get(EntityRow, (THEIRS, "1"), populate_existing=True)],
    "refresh": lambda s: _refresh(s),
}


def _self_join(session: Session) -> list[Any]:
    other = aliased(EntityRow)
    return list(session.scalars(select(other.display_name).join(EntityRow, EntityRow.id == other.id)))


def _outer_join(session: Session) -> list[Any]:
    join = select(EntityRow.display_name, ElementRow.value).outerjoin(ElementRow, ElementRow.id == EntityRow.id)
    return [value for row in session.execute(join) for value in row]


def _from_subquery() -> Any:
    return aliased(EntityRow, select(EntityRow).subquery())


def _has_theirs() -> Any:
    return select(EntityRow.id).where(EntityRow.display_name == SECRETS[THEIRS]).exists()


def _walk(session: Session) -> list[Any]:
    start = select(EntityRow.id, EntityRow.display_name).where(EntityRow.id == "1").cte(recursive=True)
    edge = select(EntityRow.id, EntityRow.display_name).join(RelationshipRow, RelationshipRow.to_id == EntityRow.id)
    walk = start.union(edge.join(start, start.c.id == RelationshipRow.from_id))
    return list(session.scalars(select(walk.c.display_name)))


def _refresh(session: Session) -> list[Any]:
    row = session.scalars(select(EntityRow)).first()
    session.expire_all()
    assert row is not None
    return [row.display_name]


@pytest.fixture
def shared() -> Iterator[Engine]:
    """One plain SQLite in which the rows of both tenants are: the layer below is taken away."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    for tenant, secret in SECRETS.items():
        with TenantSession(engine, tenant) as session:
            fill(session, secret)
            session.commit()
    yield engine
    engine.dispose()


@pytest.mark.parametrize("name", READS)
def test_reads_are_filtered_where_nothing_below_does(shared: Engine, name: str) -> None:
    with TenantSession(shared, MINE) as session:
        found = READS[name](session)
    assert SECRETS[THEIRS] not in found
    assert set(found) <= {SECRETS[MINE], None}
    # and the question has an answer where nobody filters
    if not name.startswith(("get", "refresh", "asking", "exists", "prepared")):
        with Session(shared) as session:
            assert SECRETS[THEIRS] in READS[name](session)


@pytest.mark.parametrize("statement", [PREPARED, PREPARED_UNION])
def test_what_is_prepared_does_not_run_where_nobody_filters(shared: Engine, statement: Any) -> None:
    with Session(shared) as session, pytest.raises(SQLAlchemyError, match="policy_service_account"):
        session.execute(statement)


@pytest.mark.parametrize("model", MODELS)
def test_every_table_is_counted_by_tenant(shared: Engine, model: type[Base]) -> None:
    with Session(shared) as both, TenantSession(shared, MINE) as mine:
        count = select(func.count()).select_from(model)
        assert both.scalar(count) == 2 * (mine.scalar(count) or 0) > 0


def test_changes_reach_only_rows_of_the_tenant(shared: Engine) -> None:
    with TenantSession(shared, MINE) as session:
        assert session.execute(update(EntityRow).values(type="changed")).rowcount == 2
        assert session.execute(update(EntityRow).where(EntityRow.account_id == THEIRS).values(type="x")).rowcount == 0
        assert session.execute(delete(ElementRow)).rowcount == 1
        assert session.execute(delete(ElementRow).where(ElementRow.account_id == THEIRS)).rowcount == 0
        assert session.query(RelationshipRow).delete() == 1
        session.commit()
    with TenantSession(shared, THEIRS) as session:
        assert set(session.scalars(select(EntityRow.type))) == {"host"}
        assert len(session.scalars(select(ElementRow)).all()) == 1


WRITES: dict[str, Callable[[Session], Any]] = {
    "add": lambda s: s.add(EntityRow(**entity("9", account_id=THEIRS))),
    "merge": lambda s: s.merge(EntityRow(**entity("1", account_id=THEIRS, display_name="taken"))),
    "move": lambda s: setattr(s.scalars(select(EntityRow)).first(), "account_id", THEIRS),
    "delete": lambda s: s.delete(_loaded(EntityRow(**entity("1", account_id=THEIRS)))),
    "insert_many": lambda s: s.execute(insert(EntityRow), [entity("9", account_id=THEIRS)]),
    "update_many": lambda s: s.execute(update(EntityRow), [{"account_id": THEIRS, "id": "1", "type": "x"}]),
}


def _loaded(row: EntityRow) -> EntityRow:
    make_transient_to_detached(row)
    return row


def _write(session: Session, name: str) -> None:
    WRITES[name](session)
    session.flush()


@pytest.mark.parametrize("name", WRITES)
def test_foreign_rows_are_refused_where_nothing_below_does(shared: Engine, name: str) -> None:
    with TenantSession(shared, MINE) as session, pytest.raises(ForeignRowError):
        _write(session, name)


@pytest.mark.parametrize("name", WRITES)
def test_foreign_rows_are_refused(town: Town, name: str) -> None:
    with unharmed(town.store), pytest.raises(ForeignRowError), town.store.session(MINE, write=True) as session:
        WRITES[name](session)


table = EntityRow.__table__
# what this layer does not see
BELOW: dict[str, Callable[[Session], Any]] = {
    "core_select": lambda s: s.scalars(select(table.c.display_name)).all(),
    "core_join": lambda s: s.scalars(select(ElementRow.__table__.c.value)).all(),
    "text": lambda s: s.scalars(text("SELECT display_name FROM entity")).all(),
    "text_asking": lambda s: s.scalars(text(f"SELECT display_name FROM entity WHERE account_id='{THEIRS}'")).all(),
    "from_statement": lambda s: [
        row.display_name for row in s.scalars(select(EntityRow).from_statement(text("SELECT * FROM entity")))
    ],
    "connection": lambda s: s.connection().scalars(text("SELECT value FROM element")).all(),
    "driver": lambda s: [row[0] for row in s.connection().exec_driver_sql("SELECT body FROM trail_entry")],
    "returning": lambda s: s.scalars(update(table).values(version=2).returning(table.c.display_name)).all(),
}


@pytest.mark.parametrize("name", BELOW)
def test_what_the_session_does_not_see_is_contained_below_it(town: Town, name: str) -> None:
    with unharmed(town.store), town.store.session(MINE, write=True) as session:
        found = BELOW[name](session)
        session.rollback()
    assert set(found) <= {SECRETS[MINE]}


CHANGES: dict[str, Callable[[Session], Any]] = {
    "core_insert": lambda s: s.connection().execute(insert(table), entity("9", account_id=THEIRS)),
    "insert_values": lambda s: s.execute(insert(EntityRow).values(entity("9", account_id=THEIRS))),
    "insert_select": lambda s: s.execute(
        insert(ElementRow.__table__).from_select(
            ["account_id", "name", "value", "id"], select(literal(THEIRS), literal("a"), literal("b"), literal("1"))
        )
    ),
    "bulk_insert": lambda s: s.bulk_insert_mappings(EntityRow, [entity("9", account_id=THEIRS)]),
    "bulk_save": lambda s: s.bulk_save_objects([EntityRow(**entity("9", account_id=THEIRS))]),
    "update_values": lambda s: s.execute(update(EntityRow).values(account_id=THEIRS, id="moved")),
    "core_move": lambda s: s.execute(update(table).where(table.c.id == "2").values(account_id=THEIRS, id="moved")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_that_the_session_does_not_see_are_refused_below_it(town: Town, name: str) -> None:
    refused = pytest.raises((SQLAlchemyError, PolicyServiceError))
    with unharmed(town.store), unharmed(town.store, MINE), refused, town.store.session(MINE, write=True) as session:
        CHANGES[name](session)


def test_bulk_changes_by_key_meet_no_row_of_another(town: Town) -> None:
    with unharmed(town.store), town.store.session(MINE, write=True) as session:
        theirs = table.c.account_id == THEIRS
        assert session.execute(update(table).where(theirs).values(type="x")).rowcount == 0
        assert session.execute(delete(table).where(theirs)).rowcount == 0
        assert session.connection().exec_driver_sql(f"DELETE FROM entity WHERE account_id = '{THEIRS}'").rowcount == 0


def test_a_session_that_is_turned_to_another_tenant_is_of_no_use(town: Town) -> None:
    with town.store.session(MINE, write=True) as session:
        session.scalars(select(EntityRow)).all()
        session.info["account"] = THEIRS
        for act in (
            lambda: session.scalars(select(EntityRow)).all(),
            lambda: session.execute(text("SELECT 1")),
            lambda: session.get(EntityRow, (THEIRS, "1")),
            lambda: (session.add(EntityRow(**entity("9"))), session.flush()),
        ):
            with pytest.raises(ForeignRowError):
                act()
        session.info["account"] = MINE
        session.rollback()


def test_no_identity_map_outlives_its_session(town: Town) -> None:
    for tenant in (MINE, THEIRS, MINE):
        with town.store.session(tenant) as session:
            assert not session.identity_map
            rows = session.scalars(select(EntityRow)).all()
            assert {row.display_name for row in rows} == {SECRETS[tenant]}


def test_a_parameter_of_the_same_name_changes_nothing(shared: Engine) -> None:
    with TenantSession(shared, MINE) as session:
        found = session.scalars(select(EntityRow.display_name), {"policy_service_account": THEIRS}).all()
    assert set(found) == {SECRETS[MINE]}


def test_rows_without_an_account_get_that_of_the_session(town: Town) -> None:
    with town.store.session(MINE, write=True) as session:
        session.add(EntityRow(**entity("fresh")))
        session.flush()
        assert session.get(EntityRow, (MINE, "fresh")) is not None
        session.rollback()
    assert "fresh" not in repr(see(town.store, MINE))
