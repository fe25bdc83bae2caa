"""What is below an entity by files: stored rows know the ancestors that stored relationships draw, and no others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import select

from policy_service.assets.facts import can_be_stored
from policy_service.assets.inventory import Inventory
from policy_service.assets.sql.looks import Look
from policy_service.model import Uid
from policy_service.policy.names import cedar_type
from policy_service.policy.residual.filter import Below
from policy_service.store.tables import EntityRow

# as many are held against one row; of more it is decided row by row
MOST_BELOW = 20_000


def below(inventory: Inventory, look: Look, uids: Iterable[Uid]) -> tuple[Uid, ...] | None:
    """These, and the entities of files and the members of groups that are below them; none where they are too many.

    A row that is below one of `uids` is, or has as an ancestor by stored relationships, one of the answer.
    """
    groups, children = inventory.bundle.groups, _find_children(inventory)
    # entities of the store that are parents of entities of files: what is above them is above those
    between = {uid for uid in children if can_be_stored(inventory.bundle, uid)}
    found = dict.fromkeys(uids)
    open_ = list(found)
    while open_:
        while open_:
            uid = open_.pop()
            members = groups.members(uid)
            if len(members) > MOST_BELOW:
                return None
            fresh = [child for child in (*children.get(uid, ()), *members) if child not in found]
            found.update(dict.fromkeys(fresh))
            open_.extend(fresh)
            if len(found) > MOST_BELOW:
                return None
        open_ = _find_stored(look, between - found.keys(), tuple(found)) if between else []
        found.update(dict.fromkeys(open_))
    return tuple(found)


def _find_children(inventory: Inventory) -> Mapping[Uid, list[Uid]]:
    """The entities of the file by their parents."""
    children: dict[Uid, list[Uid]] = defaultdict(list)
    for uid, entity in inventory.bundle.entities.items():
        for parent in entity.parents:
            children[parent].append(uid)
    return children


def _find_stored(look: Look, uids: Collection[Uid], above: tuple[Uid, ...]) -> list[Uid]:
    """Those of the entities that are stored and below one of `above`."""
    if not uids:
        return []
    id_: Any = EntityRow.id
    named = look.database.among(id_, [uid.id for uid in uids])
    rows = look.session.execute(
        select(EntityRow.type, EntityRow.id).where(*look.there(), named, look.where(Below(above)))
    )
    return [uid for row in rows if (uid := Uid(cedar_type(row.type), row.id)) in uids]
