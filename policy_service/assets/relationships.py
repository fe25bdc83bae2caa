"""Relationships: found, proposed, stored and removed. All of it is in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection

from policy_service.assets.asset import Asset, Edit
from policy_service.assets.drafts import Draft, Patch
from policy_service.assets.inventory import Inventory


def find(inventory: Inventory, ids: Collection[str], *, lock: bool = False) -> dict[str, Asset]:
    """Those of the relationships that are there, by id. With `lock` nobody else changes them until the session ends."""
    raise NotImplementedError


def find_by_key(inventory: Inventory, source: str, scope: str, key: str, *, lock: bool = False) -> Asset | None:
    """The relationship of a key, none where there is none."""
    raise NotImplementedError


def propose(inventory: Inventory, draft: Draft, now: int, *, source: str = "api") -> Edit:
    """What writing `draft` would do: create a relationship, or replace the one that has the key (its row is locked).

    Nothing is stored: the caller decides whether it may. `now` is in milliseconds. `Conflict` where the type is one
    of `entities.json` or another than the relationship's, an end is missing, or a parent would
    be its own ancestor; `RequestError` where the draft names another source.
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
    """Delete a relationship (found with `lock`): one edit."""
    raise NotImplementedError
