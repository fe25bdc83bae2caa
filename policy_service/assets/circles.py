"""What a new relationship may not draw: a parent that is its own ancestor, or anything onto an entity of a file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b

from sqlalchemy import func, select

from policy_service.assets.edges import fetch_edges
from policy_service.assets.inventory import Inventory
from policy_service.errors import Conflict
from policy_service.model import Uid
from policy_service.policy.names import entity_text

MOST_ANCESTORS = 1_000
_SHOWN = 8


class CircleError(Conflict):
    """A parent would be its own ancestor; `through` are the entities of the circle, which the sentence names."""

    def __init__(self, circle: Sequence[Uid]) -> None:
        named = [f"`{entity_text(uid)}`" for uid in circle]
        if len(named) > _SHOWN:
            named = [*named[: _SHOWN - 1], "…", named[-1]]
        super().__init__(f"parents in a circle: {' in '.join(named)}, leave one of them out")
        self.through = frozenset(circle)


def refuse_drawing(inventory: Inventory, type_: str, from_: Uid, to: Uid) -> None:
    """`Conflict` where a relationship of `type_` would make a circle of parents, which every engine refuses to decide
    on, or would add to an entity of `entities.json`, of which that file alone speaks."""
    drawing = inventory.bundle.relationships.get(type_)
    if drawing is None:
        return
    child = {"from": to, "to": from_, None: None}[drawing.parent]
    owner = (from_ if drawing.attribute.on == "from" else to) if drawing.attribute else None
    for uid in (child, owner):
        if uid is not None and uid.type in inventory.bundle.file_types:
            raise Conflict(
                f"a `{type_}` would add to `{entity_text(uid)}`, of which {inventory.entities_file} alone speaks: "
                "write it there"
            )
    if child is not None:
        _lock_hierarchy(inventory)
        _refuse_circle(inventory, child, from_ if child == to else to)


def _lock_hierarchy(inventory: Inventory) -> None:
    """One writer of parents at a time: two that each see half of a circle would close it together."""
    if inventory.session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(blake2b(f"parents/{inventory.account}".encode(), digest_size=8).digest(), signed=True)
        inventory.session.execute(select(func.pg_advisory_xact_lock(number)))


def _refuse_circle(inventory: Inventory, child: Uid, parent: Uid) -> None:
    below: dict[Uid, Uid] = {parent: child}
    level: Collection[Uid] = [parent]
    while level:
        if child in below:
            raise _explain(child, below)
        if len(below) > MOST_ANCESTORS:
            raise Conflict(f"`{entity_text(parent)}` has more than {MOST_ANCESTORS} ancestors, which is too many")
        above = _find_parents(inventory, level)
        level = []
        for uid in sorted(above):
            for ancestor in sorted(above[uid]):
                if ancestor not in below:
                    below[ancestor] = uid
                    level.append(ancestor)


def _find_parents(inventory: Inventory, uids: Collection[Uid]) -> dict[Uid, frozenset[Uid]]:
    filed = inventory.bundle.entities
    found = {uid: filed[uid].parents for uid in uids if uid in filed}
    drawn = fetch_edges(inventory, [uid for uid in uids if uid.type not in inventory.bundle.file_types])
    return found | {uid: edges.parents for uid, edges in drawn.items()}


def _explain(child: Uid, below: dict[Uid, Uid]) -> CircleError:
    circle = [child]
    while len(circle) == 1 or circle[-1] != child:
        circle.append(below[circle[-1]])
    circle.reverse()
    return CircleError(circle)
