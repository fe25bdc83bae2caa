"""Stored entities as facts of a decision."""

from __future__ import annotations

from collections.abc import Collection

from policy_service.assets.asset import Asset, Kind, to_entity
from policy_service.assets.edges import fetch_edges
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import find_assets
from policy_service.model import Entity, Uid
from policy_service.policy.bundle import Bundle

_ID_LENGTH = 36


def fetch_entities(inventory: Inventory, uids: Collection[Uid]) -> dict[Uid, Entity]:
    """Those of the entities and relationships that are stored, with parents and attributes, in at most three
    statements for 500 of them. What is of a type of `entities.json` is the file's, and not looked up."""
    wanted = {uid for uid in uids if can_be_stored(inventory.bundle, uid)}
    missing = {uid.id for uid in wanted}
    found: dict[Uid, Asset] = {}
    kinds: tuple[Kind, ...] = ("entity", "relationship")
    for kind in kinds:
        if missing:
            assets = find_assets(inventory, kind, missing)
            found |= {asset.uid: asset for asset in assets.values()}
            missing -= assets.keys()
    edges = fetch_edges(inventory, found.keys() & wanted)
    return {uid: to_entity(found[uid], drawn) for uid, drawn in edges.items()}


def can_be_stored(bundle: Bundle, uid: Uid) -> bool:
    """Whether a store could hold an entity: every id there is a UUID, so most of what requests name is not there."""
    return len(uid.id) == _ID_LENGTH and uid.type not in bundle.file_types
