"""Entities: found, proposed, stored and removed. All of it is in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection

from policy_service.assets.asset import Asset, Edit
from policy_service.assets.drafts import Draft, Patch
from policy_service.assets.inventory import Inventory


def find(inventory: Inventory, ids: Collection[str], *, lock: bool = False) -> dict[str, Asset]:
    """Those of the entities that are there, by id. With `lock` nobody else changes them until the session ends."""
    raise NotImplementedError


def find_by_key(inventory: Inventory, source: str, scope: str, key: str, *, lock: bool = False) -> Asset | None:
    """The entity of a key, none where there is none."""
    raise NotImplementedError


def propose(inventory: Inventory, draft: Draft, now: int, *, source: str = "api") -> Edit:
    """What writing `draft` would do: create an entity, or replace the one that has the key (its row is locked).

    Nothing is stored: the caller decides whether it may. `now` is in milliseconds. `Conflict` where the type is one
    of `entities.json` or another than the entity's; `RequestError` where the draft names another source.
    """
    raise NotImplementedError


def propose_update(inventory: Inventory, before: Asset, draft: Draft, now: int) -> Edit:
    """What replacing `before` (found with `lock`) by `draft` would do; its key, type, source and scope stay.

    `Conflict` where the draft names others.
    """
    raise NotImplementedError


def propose_patch(inventory: Inventory, before: Asset, patch: Patch, now: int) -> Edit:
    """What changing parts of `before` (found with `lock`) would do."""
    raise NotImplementedError


def store(inventory: Inventory, edit: Edit) -> Edit:
    """Write what was proposed; the same edit. `Conflict` where another writer was first."""
    raise NotImplementedError


def remove(inventory: Inventory, before: Asset, now: int) -> list[Edit]:
    """Delete an entity (found with `lock`) and its relationships: one edit each, the entity's first."""
    raise NotImplementedError
