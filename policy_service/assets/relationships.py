"""Relationships: found, proposed, stored and removed. All of it is in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection

from policy_service.assets.asset import Asset, Edit
from policy_service.assets.circles import refuse_drawing
from policy_service.assets.drafts import Draft, End, Patch
from policy_service.assets.ends import lock_ends, name_end, resolve
from policy_service.assets.hierarchy import lock_hierarchy, undraw
from policy_service.assets.inventory import Inventory
from policy_service.assets.properties import Hides, bare, nothing
from policy_service.assets.proposals import find_row, propose_change, propose_new, propose_replacement, read_place
from policy_service.assets.rows import find_assets
from policy_service.assets.writing import write_edit, write_tombstone
from policy_service.errors import Conflict, RequestError
from policy_service.model import Uid


def find(inventory: Inventory, ids: Collection[str], *, lock: bool = False) -> dict[str, Asset]:
    """Those of the relationships that are there, by id. With `lock` nobody else changes them until the session ends."""
    return find_assets(inventory, "relationship", ids, lock=lock)


def find_by_key(inventory: Inventory, source: str, scope: str, key: str, *, lock: bool = False) -> Asset | None:
    """The relationship of a key, none where there is none."""
    found = find_row(inventory, "relationship", (source, scope, key), lock=lock)
    return None if found is None or found.deleted else found


def propose(
    inventory: Inventory, draft: Draft, now: int, *, source: str = "api", veil: Callable[[Asset], Hides] = bare
) -> Edit:
    """What writing `draft` would do: create a relationship, or replace the one that has the key (its row is locked).

    Nothing is stored: the caller decides whether it may. `now` is in milliseconds; `veil` answers what is hidden of
    the one that has the key, which stays. Both ends are locked: nobody deletes them before the session ends.
    `Conflict` where the type is one of `entities.json` or another than the relationship's, an end is missing or
    another, or a parent would be its own ancestor; `RequestError` where the draft names another source, or is too
    large.
    """
    if draft.from_ is None or draft.to is None:
        raise RequestError("a relationship has two ends, name both")
    place = read_place(draft, source)
    if any(draft.type in drawn.drawings for drawn in inventory.layout.generations):
        lock_hierarchy(inventory)
    held = find_row(inventory, "relationship", place, lock=True)
    if held is not None and not held.deleted:
        return propose_update(inventory, held, draft, now, veil(held))
    ends = _resolve(inventory, draft.from_, place), _resolve(inventory, draft.to, place)
    lock_ends(inventory, ends)
    refuse_drawing(inventory, draft.type, *ends)
    return propose_new(inventory, "relationship", place, draft, held, now, ends)


def propose_update(inventory: Inventory, before: Asset, draft: Draft, now: int, hides: Hides = nothing) -> Edit:
    """What replacing `before` (found with `lock`) by `draft` would do; its key, type, source, scope and ends stay.

    `Conflict` where the draft names others.
    """
    place = before.source, before.scope, before.key
    for side, end, held in (("from", draft.from_, before.from_), ("to", draft.to, before.to)):
        if end is not None and _resolve(inventory, end, place) != held:
            raise Conflict(
                f"the relationship `{before.key}` goes {side} another entity than {name_end(end)}, and that stays: "
                "delete it and make another"
            )
    return propose_replacement(inventory, before, draft, now, hides)


def propose_patch(inventory: Inventory, before: Asset, patch: Patch, now: int, hides: Hides = nothing) -> Edit:
    """What changing parts of `before` (found with `lock`) would do."""
    if patch.classes is not None and len(patch.classes) != 1:
        raise RequestError("a relationship has one `_class`, such as `OWNS`")
    return propose_change(inventory, before, patch, now, hides)


def store(inventory: Inventory, edit: Edit) -> Edit:
    """Write what was proposed; the same edit. `Conflict` where another writer was first."""
    return write_edit(inventory, edit)


def remove(inventory: Inventory, before: Asset, now: int) -> list[Edit]:
    """Delete a relationship (found with `lock`): one edit."""
    lock_hierarchy(inventory)
    edit = write_tombstone(inventory, before, now)
    undraw(inventory, [before])
    return [edit]


def _resolve(inventory: Inventory, end: End, place: tuple[str, str, str]) -> Uid:
    return resolve(inventory, end, place[0], place[1])
