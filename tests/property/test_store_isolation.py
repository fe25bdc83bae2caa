"""Random deeds of several tenants in sessions that are open at once, on both databases, by every way into them: each is
answered as if there were no other tenant. Ids are the same everywhere, and accounts are named that are another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from sqlalchemy.orm import Session

from policy_service.errors import PolicyServiceError
from policy_service.store.door import Store
from policy_service.store.sessions import ForeignRowError
from policy_service.store.tables import EntityRow
from tests.property.spec import REFUSED, Deed, do
from tests.store.rows import entity
from tests.stores import KINDS, make_place

TENANTS = ("acme", "globex", "initech")
ACTS = ("read", "list", "count", "add", "put", "change", "remove", "change_all", "remove_all", "move")
WAYS_IN = ("orm", "core", "text", "bulk")
TABLE = EntityRow.__table__
C = TABLE.c

deeds = st.builds(
    Deed,
    act=st.sampled_from(ACTS),
    account=st.sampled_from(TENANTS),
    id=st.sampled_from(("a", "b", "c")),
    name=st.sampled_from(("x", "y", "z")),
)
ours = st.tuples(st.sampled_from(TENANTS), deeds, st.booleans()).map(
    # most of what is asked is about one's own rows, or there would be none
    lambda told: (told[0], told[1] if told[2] else Deed(told[1].act, told[0], told[1].id, told[1].name))
)
steps = st.lists(
    st.tuples(
        st.sampled_from(("orm", "core", "text", "bulk")), ours, st.sampled_from(("go on",) * 4 + ("commit", "undo"))
    ),
    min_size=10,
    max_size=40,
)


def columns(deed: Deed) -> dict[str, Any]:
    return entity(deed.id, account_id=deed.account, display_name=deed.name)


def by_orm(session: Session, deed: Deed) -> Any:
    """Through mapped objects and the session's identity map."""
    key = (deed.account, deed.id)
    if deed.act == "read":
        row = session.get(EntityRow, key, populate_existing=True)
        return row.display_name if row is not None else None
    if deed.act == "list":
        rows = session.scalars(select(EntityRow).order_by(EntityRow.id).execution_options(populate_existing=True))
        return [(row.id, row.display_name) for row in rows]
    if deed.act == "count":
        return session.scalar(select(func.count()).select_from(EntityRow))
    if deed.act == "add":
        session.expunge_all()
        session.add(EntityRow(**columns(deed)))
        return session.flush()
    if deed.act == "put":
        session.expunge_all()
        session.merge(EntityRow(**columns(deed)))
        return session.flush()
    chosen = select(EntityRow).execution_options(populate_existing=True)
    if deed.act in ("change", "remove"):
        chosen = chosen.where(EntityRow.account_id == deed.account, EntityRow.id == deed.id)
    elif deed.act == "move":
        chosen = chosen.where(EntityRow.id == deed.id)
    rows = session.scalars(chosen).all()
    for row in rows:
        if deed.act.startswith("remove"):
            session.delete(row)
        elif deed.act == "move":
            row.account_id = deed.account
        else:
            row.display_name = deed.name
    session.flush()
    return len(rows)


def by_core(session: Session, deed: Deed) -> Any:
    """Through the table, which the session's filter does not see."""
    there = (C.account_id == deed.account) & (C.id == deed.id)
    connection = session.connection()
    if deed.act == "read":
        return connection.scalar(select(C.display_name).where(there))
    if deed.act == "list":
        return [tuple(row) for row in connection.execute(select(C.id, C.display_name).order_by(C.id))]
    if deed.act == "count":
        return connection.scalar(select(func.count()).select_from(TABLE))
    if deed.act == "add":
        connection.execute(insert(TABLE).values(columns(deed)))
        return None
    if deed.act == "put":
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(TABLE).values(columns(deed))
        connection.execute(
            statement.on_conflict_do_update(index_elements=["account_id", "id"], set_={"display_name": deed.name})
        )
        return None
    changes: dict[str, Any] = {
        "change": update(TABLE).where(there).values(display_name=deed.name),
        "change_all": update(TABLE).values(display_name=deed.name),
        "remove": delete(TABLE).where(there),
        "remove_all": delete(TABLE),
        "move": update(TABLE).where(C.id == deed.id).values(account_id=deed.account),
    }
    return connection.execute(changes[deed.act]).rowcount


# but for those that the database makes
GIVEN = [column.name for column in TABLE.columns if column.server_default is None]
FIRST = f"INSERT INTO entity ({', '.join(GIVEN)}) VALUES ({', '.join(f':{name}' for name in GIVEN)})"
TEXTS = {
    "read": "SELECT display_name FROM entity WHERE account_id = :account_id AND id = :id",
    "list": "SELECT id, display_name FROM entity WHERE true OR account_id = :account_id ORDER BY id",
    "count": "SELECT count(*) FROM entity",
    "add": FIRST,
    "put": f"{FIRST} ON CONFLICT (account_id, id) DO UPDATE SET display_name = excluded.display_name",
    "change": "UPDATE entity SET display_name = :display_name WHERE account_id = :account_id AND id = :id",
    "change_all": "UPDATE entity SET display_name = :display_name WHERE true",
    "remove": "DELETE FROM entity WHERE account_id = :account_id AND id = :id",
    "remove_all": "DELETE FROM entity",
    "move": "UPDATE entity SET account_id = :account_id WHERE id = :id",
}


def by_text(session: Session, deed: Deed) -> Any:
    """As text."""
    bound = columns(deed) | {"properties": "{}", "tags": "{}", "classes": "[]"}
    found = session.execute(text(TEXTS[deed.act]), bound)
    if deed.act in ("read", "count"):
        return found.scalar()
    if deed.act == "list":
        return [tuple(row) for row in found]
    return None if deed.act in ("add", "put") else found.rowcount


def in_bulk(session: Session, deed: Deed) -> Any:
    """Through what the ORM does for many rows at once."""
    there = (EntityRow.account_id == deed.account) & (EntityRow.id == deed.id)
    if deed.act == "add":
        session.execute(insert(EntityRow), [columns(deed)])
        return None
    changes: dict[str, Any] = {
        "change": update(EntityRow).where(there).values(display_name=deed.name),
        "change_all": update(EntityRow).values(display_name=deed.name),
        "remove": delete(EntityRow).where(there),
        "remove_all": delete(EntityRow),
        "move": update(EntityRow).where(EntityRow.id == deed.id).values(account_id=deed.account),
    }
    if deed.act in changes:
        return session.execute(changes[deed.act].execution_options(synchronize_session=False)).rowcount
    return by_orm(session, deed)


WAYS: dict[str, Callable[[Session, Deed], Any]] = dict(zip(WAYS_IN, (by_orm, by_core, by_text, in_bulk), strict=True))


class Hands:
    """A session for each tenant, open at the same time as the others'."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, tuple[AbstractContextManager[Session], Session]] = {}

    def act(self, way: str, tenant: str, deed: Deed) -> Any:
        """What comes of a deed. What is refused takes the whole transaction with it."""
        if tenant not in self._open:
            manager = self._store.session(tenant, write=True)
            self._open[tenant] = manager, manager.__enter__()
        try:
            return WAYS[way](self._open[tenant][1], deed)
        except (PolicyServiceError, SQLAlchemyError, SAWarning, ForeignRowError):
            self.end(tenant, commit=False)
            return REFUSED

    def end(self, tenant: str, *, commit: bool) -> None:
        """Commit or undo what a tenant did."""
        if tenant in self._open:
            manager, session = self._open.pop(tenant)
            if not commit:
                session.rollback()
            manager.__exit__(None, None, None)


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples: its pools are used again and again."""
    with make_place(request.param, tmp_path_factory.mktemp("store"), request) as place:
        opened = place.open(TENANTS)
        yield opened
        opened.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(told=steps)
def test_each_tenant_is_answered_as_if_it_were_alone(store: Store, told: list[Any]) -> None:
    for tenant in TENANTS:
        with store.session(tenant, write=True) as session:
            session.execute(delete(EntityRow))
    kept: dict[str, dict[str, str]] = {tenant: {} for tenant in TENANTS}
    hands = Hands(store)
    try:
        now = {tenant: dict(mine) for tenant, mine in kept.items()}
        for way, (tenant, deed), then in told:
            expected = do(now[tenant], tenant, deed)
            assert hands.act(way, tenant, deed) == expected, (way, tenant, deed)
            if expected == REFUSED or then == "undo":
                hands.end(tenant, commit=False)
                now[tenant] = dict(kept[tenant])
            elif then == "commit":
                hands.end(tenant, commit=True)
                kept[tenant] = dict(now[tenant])
    finally:
        for tenant in TENANTS:
            hands.end(tenant, commit=False)
    for tenant, mine in kept.items():
        for way in WAYS:
            found = hands.act(way, tenant, Deed("list", tenant, "", ""))
            assert found == sorted(mine.items())
        hands.end(tenant, commit=False)


def test_the_model_would_find_a_leak(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of another tenant in the place of ours is found at once."""
    right = store.session

    def wrong(tenant: str, *, write: bool = False) -> AbstractContextManager[Session]:
        return right("globex" if tenant == "acme" else tenant, write=write)

    monkeypatch.setattr(store, "session", wrong)
    hands = Hands(store)
    try:
        for way in WAYS:
            deed = Deed("put", "globex", "leak", "x")
            assert do({}, "acme", deed) == REFUSED
            assert hands.act(way, "acme", deed) != REFUSED
    finally:
        hands.end("acme", commit=False)
