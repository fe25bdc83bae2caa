"""What stored relationships draw: ancestors and entity-valued attributes, as the rows of elements tell it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, literal, select, union_all

from policy_service.assets.asset import Asset, Edges
from policy_service.assets.elements import ancestor_name, drawn_name, read_uid
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import ACCOUNT, chunks, match_ids, name_ids
from policy_service.errors import Unavailable
from policy_service.model import Uid
from policy_service.policy.relationships import Drawing, Side
from policy_service.store.sessions import prepare
from policy_service.store.tables import ElementRow, RelationshipRow

# as many edges as one look finds; and to an entity that has this many already no more are drawn, so that what others
# draw meanwhile, and what comes above its parents, still finds room
MOST_EDGES, MOST_DRAWN = 10_000, 9_000
_SIDES: tuple[Side, ...] = ("from", "to")


class Edge(NamedTuple):
    """What one relationship draws onto `own`: `other` in an attribute, or as its parent where that is none."""

    own: Uid
    attribute: str | None
    other: Uid


def fetch_edges(inventory: Inventory, uids: Collection[Uid]) -> dict[Uid, Edges]:
    """The edges of each of the entities, which are stored, in one statement for 500; all their ancestors are parents.

    `Unavailable` where one has more than 10,000.
    """
    layout = inventory.layout
    bare = Edges(attributes=dict.fromkeys(layout.drawn, frozenset()))
    if not layout.drawings:
        return dict.fromkeys(uids, bare)
    above, names = ancestor_name(layout.generation), _name_edges(inventory)
    told: dict[str, dict[str, set[Uid]]] = {}
    for chunk in chunks(sorted({uid.id for uid in uids})):
        for id_, name, text in _look(inventory, chunk, list(names)):
            told.setdefault(id_, {}).setdefault(name, set()).add(read_uid(text))
    found = dict.fromkeys(uids, bare)
    for uid in uids:
        if held := told.get(uid.id):
            drawn = {names[name]: frozenset(others) for name, others in held.items() if name != above}
            found[uid] = Edges(frozenset(held.get(above, ())), {**bare.attributes, **drawn})
    return found


def has_room(inventory: Inventory, uid: Uid) -> bool:
    """Whether more may be drawn onto an entity of the store."""
    given = {"account": inventory.account, "names": list(_name_edges(inventory)), "most": MOST_DRAWN, "id": uid.id}
    return len(inventory.session.execute(_HELD, given).all()) < MOST_DRAWN


_HELD = prepare(
    select(ElementRow.name)
    .where(
        ElementRow.account_id == ACCOUNT,
        ElementRow.id == bindparam("id"),
        ElementRow.name.in_(bindparam("names", expanding=True)),
    )
    .limit(bindparam("most"))
)


def _name_edges(inventory: Inventory) -> dict[str, str]:
    """The names of the rows of ancestors and of drawn attributes, and the names of these."""
    layout = inventory.layout
    drawn = {drawn_name(layout.generation, name): name for name in layout.drawn}
    return {ancestor_name(layout.generation): "", **drawn}


def _look(inventory: Inventory, ids: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """The id, the name and the text of each row; where there are too many at once, of one half, then of the other."""
    parameters = {"account": inventory.account, "names": names, "most": MOST_EDGES + 1, **name_ids(ids)}
    rows = inventory.session.execute(_select(one=len(ids) == 1), parameters).all()
    if len(rows) > MOST_EDGES:
        if len(ids) == 1:
            raise Unavailable(f"an entity has more than {MOST_EDGES} ancestors and drawn values, draw fewer")
        middle = len(ids) // 2
        yield from _look(inventory, ids[:middle], names)
        yield from _look(inventory, ids[middle:], names)
        return
    for id_, name, value, whole in rows:
        yield id_, name, whole or value


@cache
def _select(*, one: bool) -> Any:
    row = ElementRow
    mine = row.account_id == ACCOUNT, match_ids(row.id, one=one), row.name.in_(bindparam("names", expanding=True))
    return prepare(select(row.id, row.name, row.value, row.whole).where(*mine).limit(bindparam("most")))


def read_edges(drawings: Mapping[str, Drawing], relationship: Asset) -> Iterator[Edge]:
    """What a relationship draws."""
    drawing = drawings.get(relationship.type)
    if drawing is None or relationship.from_ is None or relationship.to is None:
        return
    for side, own, other in (
        ("from", relationship.from_, relationship.to),
        ("to", relationship.to, relationship.from_),
    ):
        yield from _draw(drawing, side, own, other)


def find_edges(inventory: Inventory, drawings: Mapping[str, Drawing], ids: Sequence[str]) -> set[Edge]:
    """What the stored relationships draw onto the entities of these ids, of whatever type those are."""
    types = {side: [kind for kind in drawings if _draws_on(drawings[kind], side)] for side in _SIDES}
    sides = tuple(side for side in _SIDES if types[side])
    if not sides:
        return set()
    found: set[Edge] = set()
    for chunk in chunks(ids):
        given = {"account": inventory.account, **name_ids(chunk), **{f"{side}_types": types[side] for side in sides}}
        for row in inventory.session.execute(_select_drawn(sides, one=len(chunk) == 1), given):
            found.update(_read(drawings, tuple(row)))
    return found


def _read(drawings: Mapping[str, Drawing], row: Sequence[str]) -> Iterator[Edge]:
    side, type_, own_type, own_id, other_type, other_id = row
    return _draw(drawings[type_], side, Uid(own_type, own_id), Uid(other_type, other_id))


def _draw(drawing: Drawing, side: str, own: Uid, other: Uid) -> Iterator[Edge]:
    if drawing.parent not in (None, side):
        yield Edge(own, None, other)
    if drawing.attribute is not None and drawing.attribute.on == side:
        yield Edge(own, drawing.attribute.name, other)


def _draws_on(drawing: Drawing, side: Side) -> bool:
    return drawing.parent not in (None, side) or (drawing.attribute is not None and drawing.attribute.on == side)


@cache
def _select_drawn(sides: tuple[Side, ...], *, one: bool) -> Any:
    """The statement for relationships of the types of each of the sides at entities there."""
    arms = [_select_at(side, one=one) for side in sides]
    statement: Any = arms[0] if len(arms) == 1 else union_all(*arms)
    return prepare(statement)


def _select_at(side: Side, *, one: bool) -> Any:
    row = RelationshipRow
    own = (row.from_type, row.from_id) if side == "from" else (row.to_type, row.to_id)
    other = (row.to_type, row.to_id) if side == "from" else (row.from_type, row.from_id)
    return select(literal(side), row.type, *own, *other).where(
        row.account_id == ACCOUNT,
        match_ids(own[1], one=one),
        row.type.in_(bindparam(f"{side}_types", expanding=True)),
        row.deleted.is_(False),
    )
