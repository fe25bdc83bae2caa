"""Edits worked out before anything is written, so that the caller can ask whether they may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam

from policy_service.assets.asset import Asset, Edit, Kind, derive_id
from policy_service.assets.drafts import Draft, Patch
from policy_service.assets.inventory import Inventory
from policy_service.assets.members import LIMITS
from policy_service.assets.properties import Hides, join, nothing, only, without
from policy_service.assets.rows import read_rows, select_rows, table_of
from policy_service.errors import Conflict, RequestError
from policy_service.model import Uid, Value
from policy_service.policy.names import cedar_type
from policy_service.policy.stored_values import encode_record, write_json
from policy_service.store.sessions import prepare

_PLACE = ("source", "scope", "key")


def find_row(inventory: Inventory, kind: Kind, place: tuple[str, str, str], *, lock: bool = False) -> Asset | None:
    """The asset of a source, scope and key, deleted or not; none where there never was one."""
    named = dict(zip(_PLACE, place, strict=True))
    return next(iter(read_rows(inventory, kind, _select_place(kind, lock=lock), **named)), None)


@cache
def _select_place(kind: Kind, *, lock: bool) -> Select[Any]:
    statement = select_rows(kind, *(getattr(table_of(kind), name) == bindparam(name) for name in _PLACE))
    return prepare(statement.with_for_update() if lock else statement)


def read_place(draft: Draft, source: str) -> tuple[str, str, str]:
    """The source, scope and key that a draft is written under; `RequestError` where it names another source."""
    if draft.source not in (None, source):
        raise RequestError(f"`_source` is `{source}` for all that is written here, leave it out")
    return source, draft.scope or "", draft.key


def refuse_file_type(inventory: Inventory, type_: str) -> None:
    """`Conflict` where the entities of a type are those of `entities.json`."""
    if cedar_type(type_) in inventory.bundle.file_types:
        raise Conflict(
            f"the type `{type_}` is one of {inventory.entities_file}, write it there or take it out of the file"
        )


def propose_new(
    inventory: Inventory,
    kind: Kind,
    place: tuple[str, str, str],
    draft: Draft,
    grave: Asset | None,
    now: int,
    ends: tuple[Uid, Uid] | None = None,
) -> Edit:
    """The creation of an asset; one that was deleted (`grave`) goes on with its versions."""
    refuse_file_type(inventory, draft.type)
    made = sketch(inventory, kind, place, draft, now)
    if grave is not None:
        made = replace(made, version=grave.version + 1)
    if ends is not None:
        made = replace(made, from_=ends[0], to=ends[1])
    return Edit(None, _check_size(made))


def sketch(inventory: Inventory, kind: Kind, place: tuple[str, str, str], draft: Draft, now: int) -> Asset:
    """The asset that a draft would make, as policies see it, whatever there is already: a relationship has no ends."""
    source, scope, key = place
    return Asset(
        kind,
        derive_id(kind, inventory.account, source, scope, key),
        key,
        draft.type,
        draft.classes,
        draft.display_name,
        source,
        scope,
        draft.properties,
        draft.tags,
        1,
        now,
        now,
    )


def propose_replacement(inventory: Inventory, before: Asset, draft: Draft, now: int, hides: Hides = nothing) -> Edit:
    """The replacement of what is there, but for what is hidden; `Conflict` where the draft is of another key, type,
    source or scope."""
    refuse_file_type(inventory, before.type)
    named = {"_key": draft.key, "_type": draft.type, "_source": draft.source, "_scope": draft.scope}
    for name, value in named.items():
        held = getattr(before, name[1:])
        if value is not None and value != held:
            raise Conflict(
                f"the {before.kind} `{before.key}` has the `{name}` `{held}`, which stays: delete it and make another"
            )
    shown = replace(
        before,
        classes=draft.classes,
        display_name=draft.display_name,
        properties=draft.properties,
        tags=draft.tags,
    )
    return _propose(before, join(shown, only(before, hides)), shown, now)


def propose_change(inventory: Inventory, before: Asset, patch: Patch, now: int, hides: Hides = nothing) -> Edit:
    """The change of parts of what is there, of which something is hidden."""
    refuse_file_type(inventory, before.type)
    after = replace(
        before,
        classes=before.classes if patch.classes is None else patch.classes,
        display_name=patch.display_name if patch.sets_display_name else before.display_name,
        properties=_merge(before.properties, patch.properties),
        tags=_merge(before.tags, patch.tags),
    )
    return _propose(before, after, without(after, hides), now)


def _merge(held: Mapping[str, Value], sent: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in {**held, **sent}.items() if value is not None}


def _propose(before: Asset, after: Asset, shown: Asset, now: int) -> Edit:
    # of what is hidden nobody learns the size: each may fill an asset with what he sees of it
    _check_size(shown)
    if _content(before) == _content(after):
        return Edit(before, before)
    return Edit(before, replace(after, version=before.version + 1, begin_on=now))


def _content(asset: Asset) -> str:
    """What a version is of; by its stored text, since Python takes `True` for 1."""
    properties, tags = encode_record(asset.properties), encode_record(asset.tags)
    return write_json([list(asset.classes), asset.display_name, properties, tags])


def _check_size(asset: Asset) -> Asset:
    named = f"the {asset.kind} `{asset.key}`"
    count = len(asset.properties) + len(asset.tags)
    if count > LIMITS.properties:
        raise RequestError(f"{named} has {count} properties and tags, at most {LIMITS.properties}")
    size = len(_content(asset).encode())
    if size > LIMITS.asset_bytes:
        raise RequestError(f"{named} has {size} bytes, at most {LIMITS.asset_bytes}: store metadata, not content")
    return asset
