"""What stored relationships draw by `relationships.yaml`: parents and entity-valued attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import bindparam, literal, select, union_all

from policy_service.assets.asset import Edges
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import ACCOUNT, chunks, match_ids, name_ids
from policy_service.errors import Unavailable
from policy_service.model import Uid
from policy_service.policy.relationships import Drawing, Side
from policy_service.store.sessions import prepare
from policy_service.store.tables import RelationshipRow

# as many edges as one decision looks at
MOST_EDGES = 10_000
_SIDES: tuple[Side, ...] = ("from", "to")


def fetch_edges(inventory: Inventory, uids: Collection[Uid]) -> dict[Uid, Edges]:
    """The edges of each of the entities, in one statement for 500. `Unavailable` where they have more than 10,000."""
    drawings = inventory.bundle.relationships
    names = {drawing.attribute.name for drawing in drawings.values() if drawing.attribute}
    parents: dict[Uid, set[Uid]] = {uid: set() for uid in uids}
    attributes: dict[Uid, dict[str, set[Uid]]] = {uid: {name: set() for name in names} for uid in uids}
    if drawings:
        for chunk in chunks(sorted({uid.id for uid in uids})):
            for side, type_, own, other in _fetch(inventory, drawings, chunk):
                if own in parents:
                    drawing = drawings[type_]
                    if drawing.parent is not None and drawing.parent != side:
                        parents[own].add(other)
                    if drawing.attribute is not None and drawing.attribute.on == side:
                        attributes[own][drawing.attribute.name].add(other)
    return {
        uid: Edges(frozenset(parents[uid]), {name: frozenset(found) for name, found in attributes[uid].items()})
        for uid in parents
    }


def _fetch(
    inventory: Inventory, drawings: Mapping[str, Drawing], ids: Sequence[str]
) -> list[tuple[Side, str, Uid, Uid]]:
    """The drawn relationships by the side on which an entity of `ids` is: type, that entity, the other."""
    types = {side: list(_find_types(drawings, side)) for side in _SIDES}
    sides = tuple(side for side in _SIDES if types[side])
    if not sides:
        return []
    parameters = {"account": inventory.account, **name_ids(ids), **{f"{side}_types": types[side] for side in sides}}
    rows = inventory.session.execute(_select(sides, one=len(ids) == 1), parameters).all()
    if len(rows) > MOST_EDGES:
        raise Unavailable(
            f"the {len(ids)} entities of one look have more than {MOST_EDGES} relationships that "
            "relationships.yaml draws, draw fewer"
        )
    return [(row[0], row[1], Uid(row[2], row[3]), Uid(row[4], row[5])) for row in rows]


def _find_types(drawings: Mapping[str, Drawing], side: Side) -> Iterator[str]:
    """The types of relationships that draw something onto the entity at `side`."""
    for type_, drawing in drawings.items():
        if drawing.parent not in (None, side) or (drawing.attribute and drawing.attribute.on == side):
            yield type_


@cache
def _select(sides: tuple[Side, ...], *, one: bool) -> Any:
    """The statement for relationships of the types of each of the sides at entities there."""
    arms = [_select_at(side, one=one) for side in sides]
    statement: Any = arms[0] if len(arms) == 1 else union_all(*arms)
    return prepare(statement.limit(MOST_EDGES + 1))


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
