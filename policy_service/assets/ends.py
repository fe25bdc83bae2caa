"""The ends of relationships: entities of the store or of `entities.json`, found by what a draft names."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, bindparam, select

from policy_service.assets.drafts import End
from policy_service.assets.inventory import Inventory
from policy_service.assets.members import LIMITS
from policy_service.assets.rows import ACCOUNT
from policy_service.errors import Conflict
from policy_service.model import Uid
from policy_service.policy.names import cedar_type, entity_text
from policy_service.store.sessions import prepare
from policy_service.store.tables import EntityRow


def _select_there(*conditions: ColumnElement[bool]) -> Select[str, str]:
    there = EntityRow.account_id == ACCOUNT, EntityRow.deleted.is_(False)
    return select(EntityRow.type, EntityRow.id).where(*there, *conditions)


_BY_ID = prepare(_select_there(EntityRow.id == bindparam("id")))
_BY_KEY = prepare(_select_there(*(getattr(EntityRow, name) == bindparam(name) for name in ("source", "scope", "key"))))
_LOCKED = prepare(
    _select_there(EntityRow.id.in_(bindparam("ids", expanding=True))).order_by(EntityRow.id).with_for_update(read=True)
)


def resolve(inventory: Inventory, end: End, source: str, scope: str) -> Uid:
    """The entity at an end. One that is named by its key is looked for in the relationship's source and scope, where
    the end names no others. `Conflict` where there is none: the same for what is missing and for what is deleted.
    """
    if end.id is not None:
        found = _find_stored(inventory, _BY_ID, id=end.id)
        if found is not None and end.type in (None, found[0]):
            return Uid(cedar_type(found[0]), end.id)
        uid = Uid(cedar_type(end.type or ""), end.id)
        if uid in inventory.bundle.entities:
            return uid
        raise explain_missing(end)
    place = (source if end.source is None else end.source, scope if end.scope is None else end.scope, end.key or "")
    found = _find_stored(inventory, _BY_KEY, source=place[0], scope=place[1], key=place[2])
    if found is not None:
        return Uid(cedar_type(found[0]), found[1])
    filed = inventory.file_keys.get(place, [])
    if len(filed) > 1:
        raise Conflict(
            f"{name_end(end)} is the key of `{entity_text(filed[0])}` and of `{entity_text(filed[1])}` in "
            f"{inventory.entities_file}, name the entity by id and type"
        )
    if not filed:
        raise explain_missing(end)
    return filed[0]


def lock_ends(inventory: Inventory, ends: Sequence[Uid]) -> None:
    """Lock those ends that are stored until the session ends; `Conflict` where one was deleted meanwhile, and for one
    of the file with an id that fits no index."""
    for uid in ends:
        if len(uid.id.encode()) > LIMITS.key_bytes:
            raise Conflict(
                f"`{entity_text(uid)[:80]}…` has an id of more than {LIMITS.key_bytes} bytes, which no relationship "
                f"holds: give it a shorter one in {inventory.entities_file}"
            )
    stored = {uid.id for uid in ends if uid not in inventory.bundle.entities}
    found = {id_ for _, id_ in inventory.session.execute(_LOCKED, {"account": inventory.account, "ids": list(stored)})}
    for uid in ends:
        if uid.id in stored - found:
            raise explain_missing(End(id=uid.id))


def explain_missing(end: End) -> Conflict:
    """What is said of an end that is not there, or that the caller may not see: nobody can tell which."""
    return Conflict(f"there is no entity {name_end(end)}, make it first")


def name_end(end: End) -> str:
    """An end as the draft named it."""
    if end.id is not None:
        return f"`{end.type}` `{end.id}`" if end.type else f"`{end.id}`"
    places = [
        f"{name} `{value}`" for name, value in (("source", end.source), ("scope", end.scope)) if value is not None
    ]
    return f"`{end.key}`" + (f" of {' and '.join(places)}" if places else "")


def _find_stored(inventory: Inventory, statement: Select[str, str], **named: str) -> tuple[str, str] | None:
    """The type and the id of the entity that is there."""
    found = inventory.session.execute(statement, {"account": inventory.account, **named}).first()
    return (found.type, found.id) if found else None
