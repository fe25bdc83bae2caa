"""What stored relationships draw, worked out from the relationships themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policy_service.assets.asset import Asset
from policy_service.model import Entity, Uid
from policy_service.policy.relationships import Drawing


def check_edges(
    drawings: Mapping[str, Drawing], relationships: Sequence[Asset], entities: Mapping[Uid, Entity]
) -> None:
    """See that every entity has the ancestors and the attributes that are drawn onto it, and no others."""
    parents, attributes = draw(drawings, relationships)
    # of an entity of a file only the file speaks
    parents = {uid: above for uid, above in parents.items() if uid in entities}
    names = {drawing.attribute.name for drawing in drawings.values() if drawing.attribute}
    for uid, entity in entities.items():
        above = climb(parents, uid)
        assert entity.parents == above, f"{uid} is in {entity.parents}, not in {above}"
        for name in names:
            held = entity.attributes.get(name, [])
            wanted = attributes.get((uid, name), set())
            assert isinstance(held, list), f"{name} of {uid} is {held}"
            assert set(held) == wanted, f"{name} of {uid} is {held}, not {wanted}"
            assert name not in entity.attributes or wanted, f"{name} of {uid} is empty"


def draw(
    drawings: Mapping[str, Drawing], relationships: Sequence[Asset]
) -> tuple[dict[Uid, set[Uid]], dict[tuple[Uid, str], set[Uid]]]:
    """The direct parents, and the values of attributes."""
    parents: dict[Uid, set[Uid]] = {}
    attributes: dict[tuple[Uid, str], set[Uid]] = {}
    for each in relationships:
        drawing = drawings.get(each.type)
        assert each.from_ is not None and each.to is not None  # noqa: PT018
        if drawing is None:
            continue
        if drawing.parent is not None:
            parent, child = (each.from_, each.to) if drawing.parent == "from" else (each.to, each.from_)
            parents.setdefault(child, set()).add(parent)
        if drawing.attribute is not None:
            own, other = (each.from_, each.to) if drawing.attribute.on == "from" else (each.to, each.from_)
            attributes.setdefault((own, drawing.attribute.name), set()).add(other)
    return parents, attributes


def climb(parents: Mapping[Uid, set[Uid]], uid: Uid) -> frozenset[Uid]:
    """All ancestors by what is drawn."""
    found: set[Uid] = set()
    open_ = [uid]
    while open_:
        new = parents.get(open_.pop(), set()) - found
        found |= new
        open_ += new
    return frozenset(found)
