"""Entities: found, proposed, stored and removed. All of it is in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection

from sqlalchemy import and_, or_, select

from policy_service.assets.asset import Asset, Edit
from policy_service.assets.drafts import Draft, Patch
from policy_service.assets.hierarchy import lock_hierarchy, undraw
from policy_service.assets.inventory import Inventory
from policy_service.assets.properties import Hides, bare, nothing
from policy_service.assets.proposals import find_row, propose_change, propose_new, propose_replacement, read_place
from policy_service.assets.rows import chunks, find_assets, read_rows, select_assets
from policy_service.assets.writing import write_edit, write_tombstone
from policy_service.errors import Conflict
from policy_service.store.tables import EntityRow, RelationshipRow

# as many relationships go with an entity in one transaction
MOST_REMOVED = 10_000


def find(inventory: Inventory, ids: Collection[str], *, lock: bool = False) -> dict[str, Asset]:
    """Those of the entities that are there, by id. With `lock` nobody else changes them until the session ends."""
    return find_assets(inventory, "entity", ids, lock=lock)


def lock(inventory: Inventory, ids: Collection[str]) -> None:
    """Have the entities of these ids alone until the session ends, deleted ones too, before many are written in an
    order of the caller's: two that lock one by one, each in an order of its own, wait for each other in a circle."""
    for chunk in chunks(sorted(set(ids))):
        mine = select(EntityRow.id).where(EntityRow.account_id == inventory.account, EntityRow.id.in_(chunk))
        inventory.session.execute(mine.order_by(EntityRow.id).with_for_update()).all()


def find_by_key(inventory: Inventory, source: str, scope: str, key: str, *, lock: bool = False) -> Asset | None:
    """The entity of a key, none where there is none."""
    found = find_row(inventory, "entity", (source, scope, key), lock=lock)
    return None if found is None or found.deleted else found


def propose(
    inventory: Inventory, draft: Draft, now: int, *, source: str = "api", veil: Callable[[Asset], Hides] = bare
) -> Edit:
    """What writing `draft` would do: create an entity, or replace the one that has the key (its row is locked).

    Nothing is stored: the caller decides whether it may. `now` is in milliseconds; `veil` answers what is hidden of
    the one that has the key, which stays. `Conflict` where the type is one of `entities.json` or another than the
    entity's; `RequestError` where the draft names another source, or is too large.
    """
    place = read_place(draft, source)
    held = find_row(inventory, "entity", place, lock=True)
    if held is not None and not held.deleted:
        return propose_replacement(inventory, held, draft, now, veil(held))
    return propose_new(inventory, "entity", place, draft, held, now)


def propose_update(inventory: Inventory, before: Asset, draft: Draft, now: int, hides: Hides = nothing) -> Edit:
    """What replacing `before` (found with `lock`) by `draft` would do; its key, type, source and scope stay.

    `Conflict` where the draft names others.
    """
    return propose_replacement(inventory, before, draft, now, hides)


def propose_patch(inventory: Inventory, before: Asset, patch: Patch, now: int, hides: Hides = nothing) -> Edit:
    """What changing parts of `before` (found with `lock`) would do."""
    return propose_change(inventory, before, patch, now, hides)


def store(inventory: Inventory, edit: Edit) -> Edit:
    """Write what was proposed; the same edit. `Conflict` where another writer was first."""
    return write_edit(inventory, edit)


def remove(inventory: Inventory, before: Asset, now: int) -> list[Edit]:
    """Delete an entity (found with `lock`) and its relationships: one edit each, the entity's first.

    `Conflict` where it has more relationships than one transaction deletes.
    """
    lock_hierarchy(inventory)
    # first the row itself: a relationship that is being made waits for it, and then finds its end gone
    edits = [write_tombstone(inventory, before, now)]
    ends = or_(
        and_(RelationshipRow.from_id == before.id, RelationshipRow.from_type == before.uid.type),
        and_(RelationshipRow.to_id == before.id, RelationshipRow.to_type == before.uid.type),
    )
    statement = select_assets("relationship", ends).order_by(RelationshipRow.id).limit(MOST_REMOVED + 1)
    relationships = read_rows(inventory, "relationship", statement.with_for_update())
    if len(relationships) > MOST_REMOVED:
        raise Conflict(f"the entity `{before.key}` has more than {MOST_REMOVED} relationships, delete those first")
    edits += [write_tombstone(inventory, relationship, now) for relationship in relationships]
    undraw(inventory, relationships)
    return edits
