"""Universes in a store, written and edited by the writers that the service has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from policy_service.assets import entities, relationships
from policy_service.assets.asset import Asset, Edit, Kind
from policy_service.assets.drafts import Draft, read_entity, read_patch, read_relationship
from policy_service.assets.facts import fetch_entities
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import read_rows, select_assets
from policy_service.errors import Conflict
from policy_service.model import Entity, Thing, Uid
from policy_service.policy.values import read_value
from policy_service.store.tables import BlindRow, ElementRow, EntityRow, KindRow, LayoutRow, RelationshipRow
from tests.property.filter_draws import Draws
from tests.property.filter_edges import check_edges
from tests.property.filter_worlds import (
    World,
    draw_entity,
    draw_odd,
    draw_properties,
    draw_relationship,
    uid_of,
)

KINDS: tuple[Kind, ...] = ("entity", "relationship")


@dataclass(frozen=True)
class Row:
    """An asset, and as policies see it, with its direct parents."""

    asset: Asset
    entity: Entity

    @property
    def thing(self) -> Thing:
        """As a request names it."""
        return Thing(self.asset.type, self.asset.id)


@dataclass
class Stored:
    """What is stored now: rows by kind, every entity that a question may fetch, and which attributes are drawn."""

    rows: Mapping[Kind, list[Row]]
    known: dict[Uid, Entity]
    filed: Mapping[Uid, Entity]
    drawn: frozenset[str]

    def fetch(self, uids: Collection[Uid]) -> dict[Uid, Entity]:
        """The facts of a gatherer."""
        return {uid: found for uid in uids if (found := self.filed.get(uid) or self.known.get(uid)) is not None}


def clear(session: Session, *, anew: bool = True) -> None:
    """Take everything away, graves too; with `anew` also what is known of kinds, and the layout."""
    for table in (BlindRow, ElementRow, RelationshipRow, EntityRow, *((KindRow, LayoutRow) if anew else ())):
        session.execute(delete(table))


def fill(inventory: Inventory, world: World) -> None:
    """Write a world, as the asset API would."""
    for each in world.entities:
        draft = add(read_entity(each), world.nested.get(each["_key"], {}))
        entities.store(inventory, entities.propose(inventory, draft, 1_000))
    for number, each in enumerate(world.relationships):
        link(inventory, each, 2_000 + number)


def add(draft: Draft, nested: Mapping[str, Any]) -> Draft:
    """A draft with properties that the API does not take."""
    return replace(draft, properties={**draft.properties, **{name: read_value(raw) for name, raw in nested.items()}})


def link(inventory: Inventory, raw: Mapping[str, Any], now: int) -> Edit | None:
    """Write a relationship, unless an end is missing or it closes a circle."""
    try:
        return relationships.store(inventory, relationships.propose(inventory, read_relationship(raw), now))
    except Conflict:
        return None


def edit(inventory: Inventory, draws: Draws, world: World, now: int) -> None:
    """Change a few of what is stored, delete some, and write new ones, some of which were there before."""
    uids = [uid_of(each) for each in world.entities]
    for step in range(draws.number(1, 6)):
        at = now + step
        number = draws.below(len(world.entities))
        raw = world.entities[number]
        held = entities.find_by_key(inventory, "api", raw["_scope"], raw["_key"], lock=True)
        deed = draws.pick(("replace", "patch", "link", "unlink", "remove", "relabel"))
        if deed == "replace" or (held is None and deed in ("patch", "remove")):
            draft = read_entity(draw_entity(draws, number))
            draft = add(draft, draw_odd(draws)) if draws.chance(15) else draft
            entities.store(inventory, entities.propose(inventory, draft, at))
        elif deed == "patch" and held is not None:
            gone: dict[str, Any] = dict.fromkeys(draws.some(list(held.properties), 3))
            patch = read_patch({**draw_properties(draws), **gone})
            entities.store(inventory, entities.propose_patch(inventory, held, patch, at))
        elif deed == "remove" and held is not None:
            entities.remove(inventory, held, at)
        elif deed == "link":
            link(inventory, draw_relationship(draws, uids, draws.below(12)), at)
        else:
            _change_relationship(inventory, draws, deed, at)


def _change_relationship(inventory: Inventory, draws: Draws, deed: str, now: int) -> None:
    held = relationships.find_by_key(inventory, "api", "", f"r{draws.below(12)}", lock=True)
    if held is not None and deed == "unlink":
        relationships.remove(inventory, held, now)
    elif held is not None:
        patch = read_patch(draw_properties(draws))
        relationships.store(inventory, relationships.propose_patch(inventory, held, patch, now))


def read(inventory: Inventory) -> Stored:
    """What is stored, read as facts are."""
    found = {kind: read_rows(inventory, kind, select_assets(kind)) for kind in KINDS}
    known = fetch_entities(inventory, [asset.uid for assets in found.values() for asset in assets])
    check_edges(inventory.layout.drawings, found["relationship"], known)
    rows = {kind: [Row(asset, known[asset.uid]) for asset in assets] for kind, assets in found.items()}
    return Stored(rows, known, inventory.bundle.entities, inventory.layout.drawn)
