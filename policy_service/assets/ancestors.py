"""All ancestors of each entity, worked out from the rows of parents and kept as rows: `resource in folder` is one look.

A row of a parent is an edge from a stored entity to what a stored relationship makes its parent, stored or not. The
ancestors of an entity are what is reached by such edges. All of it is written with the hierarchy locked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Text, and_, bindparam, delete, exists, func, select, true, tuple_, union_all
from sqlalchemy.dialects import postgresql, sqlite

from policy_service.assets.elements import (
    Element,
    ancestor_name,
    make_element,
    parent_name,
    read_uid,
    write_element,
)
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import ACCOUNT, chunks, match_ids, name_ids
from policy_service.model import Uid
from policy_service.policy.names import cedar_type, request_type
from policy_service.store.sessions import prepare
from policy_service.store.tables import ElementRow, EntityRow

_ELEMENTS: Any = ElementRow.__table__
_ENTITIES: Any = EntityRow.__table__
_ID_LENGTH = 36
_MINE = ElementRow.account_id == ACCOUNT, ElementRow.name == bindparam("name")


def join_below(inventory: Inventory, generation: int, child: Uid, parent: Uid) -> None:
    """The child, and all below it, have the parent, and all above it, as ancestors; the child is stored."""
    made = make_element("", parent)
    inventory.session.execute(
        _make_join(inventory.session.get_bind().dialect.name),
        {
            "account": inventory.account,
            "above": ancestor_name(generation),
            "child": child.id,
            "child_value": write_element(child),
            "parent": parent.id,
            "parent_type": request_type(parent.type),
            "parent_value": made.value,
            "parent_whole": made.whole,
        },
    )


def find_below(inventory: Inventory, generation: int, uids: Collection[Uid]) -> set[str]:
    """The ids of all entities that have one of these as an ancestor."""
    found: set[str] = set()
    for chunk in chunks(sorted({write_element(uid) for uid in uids})):
        given = {"account": inventory.account, "name": ancestor_name(generation), "values": chunk}
        found.update(inventory.session.scalars(_BELOW, given))
    return found


_BELOW = prepare(select(ElementRow.id).where(*_MINE, ElementRow.value.in_(bindparam("values", expanding=True))))


def work_out(inventory: Inventory, generation: int, ids: Iterable[str]) -> bool:
    """Write the ancestors of these entities anew, as their parents say; whether one is its own ancestor."""
    circular = False
    name = ancestor_name(generation)
    for chunk in chunks(sorted(ids)):
        above = climb(inventory, generation, chunk)
        wanted = {(uid.id, make_element(name, other)) for uid, others in above.items() for other in others}
        circular |= any(uid in others for uid, others in above.items())
        held = {(row.id, Element(name, row.value, row.whole)) for row in find_rows(inventory, name, chunk)}
        remove_rows(inventory, held - wanted)
        add_rows(inventory, wanted - held)
    return circular


def climb(inventory: Inventory, generation: int, ids: Collection[str]) -> dict[Uid, set[Uid]]:
    """All ancestors of those of the entities that have parents."""
    parents: dict[Uid, set[Uid]] = {}
    looked: set[str] = set()
    level = set(ids)
    while level:
        looked |= level
        above: set[Uid] = set()
        for chunk in chunks(sorted(level)):
            for child, parent in _find_parents(inventory, generation, chunk):
                parents.setdefault(child, set()).add(parent)
                above.add(parent)
        level = {uid.id for uid in above if len(uid.id) == _ID_LENGTH} - looked
    return {uid: _reach(parents, uid) for uid in parents if uid.id in ids}


def _reach(parents: dict[Uid, set[Uid]], start: Uid) -> set[Uid]:
    found: set[Uid] = set()
    level = parents[start]
    while level:
        found |= level
        level = {above for uid in level for above in parents.get(uid, ())} - found
    return found


def _find_parents(inventory: Inventory, generation: int, ids: Sequence[str]) -> Iterator[tuple[Uid, Uid]]:
    given = {"account": inventory.account, "name": parent_name(generation), **name_ids(ids)}
    for row in inventory.session.execute(_select_parents(one=len(ids) == 1), given):
        yield Uid(cedar_type(row.type), row.id), read_uid(row.whole or row.value)


@cache
def _select_parents(*, one: bool) -> Any:
    row, entity = ElementRow, EntityRow
    same = and_(entity.account_id == ACCOUNT, entity.id == row.id)
    found = select(row.id, row.value, row.whole, entity.type).join(entity, same)
    return prepare(found.where(*_MINE, match_ids(row.id, one=one)))


def find_rows(inventory: Inventory, name: str, ids: Sequence[str]) -> Sequence[Any]:
    """The rows of a name of these entities."""
    given = {"account": inventory.account, "name": name, **name_ids(ids)}
    return inventory.session.execute(_select_rows(one=len(ids) == 1), given).all()


@cache
def _select_rows(*, one: bool) -> Any:
    row = ElementRow
    return prepare(select(row.id, row.value, row.whole).where(*_MINE, match_ids(row.id, one=one)))


def add_rows(inventory: Inventory, rows: Collection[tuple[str, Element]]) -> None:
    """Store rows by the ids of their entities; one that is there stays."""
    if rows:
        _write(inventory, _make_insert, sorted(rows, key=_order))


def remove_rows(inventory: Inventory, rows: Collection[tuple[str, Element]]) -> None:
    """Remove rows by the ids of their entities."""
    if rows:
        _write(inventory, _make_removal, sorted(rows, key=_order))


def _write(inventory: Inventory, make: Callable[[str], Any], rows: Sequence[tuple[str, Element]]) -> None:
    """Write rows: in files by one statement, since in a part of a transaction each would keep copies of the pages that
    it changes until that part ends."""
    account, session = inventory.account, inventory.session
    dialect = session.get_bind().dialect.name
    told = [(id_, *element) for id_, element in rows]
    if dialect == "sqlite":
        session.execute(make(dialect), {"account": account, "rows": orjson.dumps(told).decode()})
    else:
        session.execute(make(dialect), [{"account": account, **dict(zip(_GIVEN, row, strict=True))} for row in told])


def _order(row: tuple[str, Element]) -> tuple[str, str, str]:
    id_, element = row
    return element.name, element.value, id_


_COLUMNS = ("id", "name", "value", "whole")
# the parameters of one row, for PostgreSQL
_GIVEN = tuple(f"row_{name}" for name in _COLUMNS)


def _list_rows() -> Any:
    """The rows of a list in JSON, for SQLite."""
    row = func.json_each(bindparam("rows")).table_valued("value").c.value
    columns = [func.json_extract(row, f"$[{place}]").label(name) for place, name in enumerate(_COLUMNS)]
    return select(*columns).subquery("told")


@cache
def _make_insert(dialect: str) -> Any:
    if dialect == "postgresql":
        values: Any = {name: bindparam(given) for name, given in zip(_COLUMNS, _GIVEN, strict=True)}
        return postgresql.insert(_ELEMENTS).values(account_id=ACCOUNT, **values).on_conflict_do_nothing()
    told = _list_rows().c
    # without a condition SQLite would take what follows for one of a join
    rows = select(ACCOUNT, *(told[name] for name in _COLUMNS)).where(true())
    return sqlite.insert(_ELEMENTS).from_select(["account_id", *_COLUMNS], rows).on_conflict_do_nothing()


@cache
def _make_removal(dialect: str) -> Any:
    mine = delete(_ELEMENTS).where(_ELEMENTS.c.account_id == ACCOUNT)
    key = _COLUMNS[1:3] + _COLUMNS[:1]
    if dialect == "postgresql":
        return mine.where(*(_ELEMENTS.c[name] == bindparam(f"row_{name}") for name in key))
    told = _list_rows().c
    return mine.where(tuple_(*(_ELEMENTS.c[name] for name in key)).in_(select(*(told[name] for name in key))))


@cache
def _make_join(dialect: str) -> Any:
    row = _ELEMENTS.c
    mine = row.account_id == _given("account"), row.name == _given("above")
    above = union_all(
        select(_given("parent_value").label("value"), _given("parent_whole").label("whole")),
        select(row.value, row.whole).where(*mine, row.id == _given("parent"), _is_stored()),
    ).subquery("above")
    below = union_all(
        select(_given("child").label("id")),
        select(row.id).where(*mine, row.value == _given("child_value")),
    ).subquery("below")
    pairs = select(_given("account"), _given("above"), above.c.value, above.c.whole, below.c.id)
    # without a condition SQLite takes `ON CONFLICT` for one of the join
    pairs = pairs.select_from(above.join(below, true())).where(true())
    made: Any = postgresql.insert(_ELEMENTS) if dialect == "postgresql" else sqlite.insert(_ELEMENTS)
    return made.from_select(["account_id", "name", "value", "whole", "id"], pairs).on_conflict_do_nothing()


def _is_stored() -> Any:
    """The parent is an entity of the store: one of its type has its id."""
    entity = _ENTITIES.c
    mine = entity.account_id == _given("account"), entity.deleted.is_(False)
    return exists().where(*mine, entity.id == _given("parent"), entity.type == _given("parent_type"))


def _given(name: str) -> Any:
    return bindparam(name, type_=Text())
