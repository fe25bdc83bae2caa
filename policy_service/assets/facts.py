"""Stored entities as facts of a decision."""

from __future__ import annotations

from collections.abc import Collection

from policy_service.assets.inventory import Inventory
from policy_service.model import Entity, Uid


def fetch_entities(inventory: Inventory, uids: Collection[Uid]) -> dict[Uid, Entity]:
    """Those of the entities and relationships that are stored, with parents and attributes, in at most three
    statements for 500 of them. What is of a type of `entities.json` is the file's, and not looked up."""
    raise NotImplementedError
