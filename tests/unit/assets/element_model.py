"""The rows of elements that a store should have, worked out the slow and obvious way from what is stored."""

from __future__ import annotations

from sqlalchemy import select

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.elements import (
    SEALED,
    ancestor_name,
    drawn_name,
    parent_name,
    scalar_name,
    set_name,
    write_element,
)
from policy_service.assets.inventory import Inventory
from policy_service.assets.layout_row import find_layout
from policy_service.assets.rows import read_rows, select_assets
from policy_service.model import Uid, Value
from policy_service.store.tables import ElementRow

Rows = set[tuple[str, str, str]]


def rows_held(inventory: Inventory) -> Rows:
    """The rows that there are: name, value, id."""
    row = ElementRow
    found = inventory.session.execute(select(row.name, row.value, row.id).where(row.account_id == inventory.account))
    return set(map(tuple, found))


def rows_expected(inventory: Inventory) -> Rows:
    """Those that there should be while nothing is being rebuilt."""
    layout = find_layout(inventory.session)
    assert layout is not None
    assert layout.building is None
    entities = read_all(inventory, "entity")
    found: Rows = set()
    for entity in entities:
        found |= {("class", write_element(name), entity.id) for name in entity.classes}
        sealed = inventory.sealing.restricted if inventory.sealing.keys else frozenset()
        for name, value in entity.properties.items():
            if name in sealed & layout.indexed:
                found.add((scalar_name("attribute", name), SEALED, entity.id))
            if name not in sealed:
                found |= _expect(entity, "attribute", name, value, name in layout.indexed)
        for name, value in entity.tags.items():
            found |= _expect(entity, "tag", name, value, f"tag.{name}" in layout.indexed)
    parents, attributes = draw(inventory, entities)
    for entity in entities:
        above = reach(parents, entity.uid)
        generation = layout.generation
        found |= {(ancestor_name(generation), write_element(uid), entity.id) for uid in above}
        found |= {(parent_name(generation), write_element(uid), entity.id) for uid in parents.get(entity.uid, ())}
        for name, uids in attributes.get(entity.uid, {}).items():
            found |= {(drawn_name(generation, name), write_element(uid), entity.id) for uid in uids}
    return found


def _expect(entity: Asset, root: str, name: str, value: Value, indexed: bool) -> Rows:
    assert root in ("attribute", "tag")
    if isinstance(value, list):
        return {(set_name(root, name), write_element(part), entity.id) for part in value}  # type: ignore[arg-type]
    return {(scalar_name(root, name), write_element(value), entity.id)} if indexed else set()  # type: ignore[arg-type]


def read_all(inventory: Inventory, kind: Kind) -> list[Asset]:
    """All assets of a kind."""
    return read_rows(inventory, kind, select_assets(kind))


def draw(inventory: Inventory, entities: list[Asset]) -> tuple[dict[Uid, set[Uid]], dict[Uid, dict[str, set[Uid]]]]:
    """The parents and the drawn attributes of each of the entities, by the relationships that there are."""
    layout = find_layout(inventory.session)
    assert layout is not None
    there = {entity.uid for entity in entities}
    parents: dict[Uid, set[Uid]] = {}
    attributes: dict[Uid, dict[str, set[Uid]]] = {}
    for relationship in read_all(inventory, "relationship"):
        drawing = layout.drawings.get(relationship.type)
        assert relationship.from_ is not None
        assert relationship.to is not None
        ends = {"from": relationship.from_, "to": relationship.to}
        if drawing and drawing.parent:
            child = ends["to" if drawing.parent == "from" else "from"]
            if child in there:
                parents.setdefault(child, set()).add(ends[drawing.parent])
        if drawing and drawing.attribute:
            own = ends[drawing.attribute.on]
            other = ends["to" if drawing.attribute.on == "from" else "from"]
            if own in there:
                attributes.setdefault(own, {}).setdefault(drawing.attribute.name, set()).add(other)
    return parents, attributes


def reach(parents: dict[Uid, set[Uid]], uid: Uid) -> set[Uid]:
    """All that is above an entity."""
    found: set[Uid] = set()
    open_ = list(parents.get(uid, ()))
    while open_:
        above = open_.pop()
        if above not in found:
            found.add(above)
            open_ += parents.get(above, ())
    return found
