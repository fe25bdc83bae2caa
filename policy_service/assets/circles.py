"""What a new relationship may not draw: a parent that is its own ancestor, or anything onto an entity of a file.

A file that is changed may close a circle all the same, over what is stored: then decisions about it deny.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from policy_service.assets.edges import MOST_DRAWN, fetch_edges, find_edges, has_room
from policy_service.assets.facts import can_be_stored
from policy_service.assets.hierarchy import lock_hierarchy
from policy_service.assets.inventory import Inventory
from policy_service.errors import Conflict
from policy_service.model import Uid
from policy_service.policy.groups import find_cycle
from policy_service.policy.names import entity_text
from policy_service.policy.relationships import Drawing

MOST_ANCESTORS = 1_000
_SHOWN = 8


class CircleError(Conflict):
    """A parent would be its own ancestor; the sentence names the entities of the circle."""

    def __init__(self, circle: Sequence[Uid]) -> None:
        named = [f"`{entity_text(uid)}`" for uid in circle]
        if len(named) > _SHOWN:
            named = [*named[: _SHOWN - 1], "…", named[-1]]
        super().__init__(f"parents in a circle: {' in '.join(named)}, leave one of them out")


def is_circular(inventory: Inventory) -> bool:
    """Whether files make some entity its own ancestor, by what relationships draw or by parents in `entities.json`."""
    bundle, layout = inventory.bundle, inventory.layout
    filed = {uid: entity.parents for uid, entity in bundle.entities.items() if entity.parents}
    stored = {uid for parents in filed.values() for uid in parents if can_be_stored(bundle, uid)}
    if layout.circular or not stored:
        return layout.circular
    drawn = {uid: edges.parents for uid, edges in fetch_edges(inventory, stored).items()}
    return bool(find_cycle({**filed, **drawn}))


def refuse_drawing(inventory: Inventory, type_: str, from_: Uid, to: Uid) -> None:
    """`Conflict` where a relationship of `type_` would make a circle of parents, which every engine refuses to decide
    on, or would add to an entity of `entities.json`, of which that file alone speaks."""
    layout = inventory.layout
    for drawing in {drawn.drawings[type_]: None for drawn in layout.generations if type_ in drawn.drawings}:
        child = {"from": to, "to": from_, None: None}[drawing.parent]
        owner = (from_ if drawing.attribute.on == "from" else to) if drawing.attribute else None
        for uid in (child, owner):
            if uid is not None and uid.type in inventory.bundle.file_types:
                raise Conflict(
                    f"a `{type_}` would add to `{entity_text(uid)}`, of which {inventory.entities_file} alone speaks: "
                    "write it there"
                )
            if uid is not None and not has_room(inventory, uid):
                raise Conflict(
                    f"`{entity_text(uid)}` has {MOST_DRAWN} ancestors and drawn values, which is as many as there may "
                    "be: draw it onto fewer, or say in relationships.yaml that this type draws nothing"
                )
    for drawn in layout.generations:
        drawing = drawn.drawings.get(type_, Drawing())
        if drawing.parent is not None:
            lock_hierarchy(inventory)
            child, parent = (from_, to) if drawing.parent == "to" else (to, from_)
            if drawn.building or _is_above(inventory, child, parent):
                _refuse_circle(inventory, drawn.drawings, child, parent)


def _is_above(inventory: Inventory, child: Uid, parent: Uid) -> bool:
    """Whether the child is the parent or an ancestor of it, by the rows of ancestors and by the file's entities."""
    found: set[Uid] = set()
    level = {parent}
    while level - found:
        found |= level
        filed = {above for uid in level for above in _find_filed(inventory, uid)}
        stored = [uid for uid in level if uid.type not in inventory.bundle.file_types]
        drawn = {above for edges in fetch_edges(inventory, stored).values() for above in edges.parents}
        # what is above by the rows is all that the store knows to be
        found |= {uid for uid in drawn if uid.type not in inventory.bundle.file_types}
        level = (drawn | filed) - found
        if len(found | level) > MOST_ANCESTORS:
            raise _refuse_ancestors(parent)
    return child in found


def _find_filed(inventory: Inventory, uid: Uid) -> frozenset[Uid]:
    entity = inventory.bundle.entities.get(uid)
    return entity.parents if entity else frozenset()


def _refuse_ancestors(uid: Uid) -> Conflict:
    return Conflict(f"`{entity_text(uid)}` has more than {MOST_ANCESTORS} ancestors, which is too many")


def _refuse_circle(inventory: Inventory, drawings: Mapping[str, Drawing], child: Uid, parent: Uid) -> None:
    """`CircleError` where the child is the parent or above it, step by step, so that the circle can be named."""
    below: dict[Uid, Uid] = {parent: child}
    level: Collection[Uid] = [parent]
    while level:
        if child in below:
            raise _explain(child, below)
        if len(below) > MOST_ANCESTORS:
            raise _refuse_ancestors(parent)
        above = _find_parents(inventory, drawings, level)
        level = []
        for uid in sorted(above):
            for ancestor in sorted(above[uid]):
                if ancestor not in below:
                    below[ancestor] = uid
                    level.append(ancestor)


def _find_parents(inventory: Inventory, drawings: Mapping[str, Drawing], uids: Collection[Uid]) -> dict[Uid, set[Uid]]:
    found = {uid: set(_find_filed(inventory, uid)) for uid in uids}
    stored = sorted({uid.id for uid in uids if uid.type not in inventory.bundle.file_types})
    for edge in find_edges(inventory, drawings, stored):
        if edge.attribute is None and edge.own in found:
            found[edge.own].add(edge.other)
    return found


def _explain(child: Uid, below: dict[Uid, Uid]) -> CircleError:
    circle = [child]
    while len(circle) == 1 or circle[-1] != child:
        circle.append(below[circle[-1]])
    circle.reverse()
    return CircleError(circle)
