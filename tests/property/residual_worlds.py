"""Universes without a store: what is stored is held in memory, as facts are read from a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_service.assets.asset import Asset, Edges, derive_id, to_entity
from policy_service.assets.drafts import Draft, read_entity, read_relationship
from policy_service.model import Uid
from policy_service.policy.bundle import Bundle
from tests.property.filter_store import Row, Stored, add
from tests.property.filter_worlds import ACCOUNT, World, uid_of


def hold(world: World, bundle: Bundle) -> Stored:
    """What a store would hold after the world was written into it."""
    entities = {}
    for raw in world.entities:
        draft = add(read_entity(raw), world.nested.get(raw["_key"], {}))
        entities[uid_of(raw)] = _asset("entity", uid_of(raw).id, draft, raw.get("_scope", ""))
    parents: dict[Uid, set[Uid]] = {uid: set() for uid in entities}
    drawn: dict[Uid, dict[str, set[Uid]]] = {uid: {name: set() for name in bundle.drawn} for uid in entities}
    links = {}
    for raw in world.relationships:
        ends = {"from": _end(raw, "from", entities), "to": _end(raw, "to", entities)}
        if _draw(bundle, raw["_type"], ends, parents, drawn):
            id_ = derive_id("relationship", ACCOUNT, "api", "", raw["_key"])
            links[id_] = _asset("relationship", id_, read_relationship(raw), "", ends)
    rows = {
        "entity": [Row(asset, to_entity(asset, _edges(parents[uid], drawn[uid]))) for uid, asset in entities.items()],
        "relationship": [
            Row(asset, to_entity(asset, Edges(attributes=dict.fromkeys(bundle.drawn, frozenset()))))
            for asset in links.values()
        ],
    }
    known = {row.entity.uid: row.entity for each in rows.values() for row in each}
    return Stored(rows, known, bundle.entities, bundle.drawn)


def _edges(parents: set[Uid], drawn: Mapping[str, set[Uid]]) -> Edges:
    return Edges(frozenset(parents), {name: frozenset(uids) for name, uids in drawn.items()})


def _draw(
    bundle: Bundle,
    type_: str,
    ends: Mapping[str, Uid],
    parents: dict[Uid, set[Uid]],
    drawn: dict[Uid, dict[str, set[Uid]]],
) -> bool:
    """Note what a relationship draws, unless it closes a circle."""
    drawing = bundle.relationships.get(type_)
    if drawing is None:
        return True
    if drawing.parent:
        parent, child = ends[drawing.parent], ends["to" if drawing.parent == "from" else "from"]
        if child in _above(parent, parents, bundle):
            return False
        if child in parents:
            parents[child].add(parent)
    if drawing.attribute:
        on = drawing.attribute.on
        if ends[on] in drawn:
            drawn[ends[on]][drawing.attribute.name].add(ends["to" if on == "from" else "from"])
    return True


def _above(uid: Uid, parents: Mapping[Uid, set[Uid]], bundle: Bundle) -> set[Uid]:
    found, open_ = set(), [uid]
    while open_:
        each = open_.pop()
        if each not in found:
            found.add(each)
            filed = bundle.entities.get(each)
            open_ += [*parents.get(each, ()), *(filed.parents if filed else ())]
    return found


def _end(raw: Mapping[str, Any], side: str, entities: Mapping[Uid, Asset]) -> Uid:
    id_, type_ = raw[f"_{side}EntityId"], raw.get(f"_{side}EntityType")
    if type_ is not None:
        return Uid(type_, id_)
    return next(uid for uid in entities if uid.id == id_)


def _asset(kind: Any, id_: str, draft: Draft, scope: str, ends: Mapping[str, Uid] | None = None) -> Asset:
    return Asset(
        kind,
        id_,
        draft.key,
        draft.type,
        draft.classes,
        draft.display_name,
        "api",
        scope,
        draft.properties,
        draft.tags,
        1,
        1,
        1,
        from_=ends["from"] if ends else None,
        to=ends["to"] if ends else None,
    )
