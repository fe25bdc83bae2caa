"""Proposed edits written to rows: created, changed, made tombstones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from sqlalchemy import CursorResult, Insert, Update, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from policy_service.assets.ancestors import add_rows, remove_rows
from policy_service.assets.asset import Asset, Edit, Kind
from policy_service.assets.elements import Element, list_elements
from policy_service.assets.hierarchy import draw
from policy_service.assets.inventory import Inventory
from policy_service.assets.kinds import note_kinds
from policy_service.assets.rows import ACCOUNT, table_of, write_row
from policy_service.errors import Conflict
from policy_service.policy.stored_values import encode_record
from policy_service.store.sessions import prepare
from policy_service.store.tables import BlindRow, ElementRow

_UNSYNCED = {"synchronize_session": False}
# the parameter of a column's new value
_NEW = "new_"
# but for what relationships draw
_HELD_ELEMENTS = prepare(
    select(ElementRow.name, ElementRow.value, ElementRow.whole).where(
        ElementRow.account_id == ACCOUNT,
        ElementRow.id == bindparam("id"),
        or_(ElementRow.name < "@", ElementRow.name >= "A"),
    )
)


def write_edit(inventory: Inventory, edit: Edit) -> Edit:
    """Write what was proposed, in the session's transaction; the same edit.

    `Conflict` where another writer was first: the row is no longer what the edit starts from.
    """
    after = edit.after
    if after is None or not edit.changes:
        return edit
    columns = write_row(after, inventory.sealing)
    if after.version == 1:
        _insert(inventory, after, columns)
    else:
        _update(inventory, after, after.version - 1, columns, was_deleted=edit.before is None)
    note_kinds(inventory, after.kind, [columns])
    if after.kind == "entity":
        _write_elements(inventory, after, columns, was_there=edit.before is not None)
        _write_blinds(inventory, after)
    elif edit.before is None:
        draw(inventory, after)
    return edit


def write_tombstone(inventory: Inventory, before: Asset, now: int) -> Edit:
    """Make an asset a tombstone: its id, key, type and version stay, for the day its key comes back.

    What a relationship drew is the caller's to take away, with `undraw`.
    """
    columns: dict[str, Any] = {"deleted": True, "end_on": now, "display_name": None}
    columns |= {"properties": {}, "tags": {}, "sealed": None}
    if before.kind == "entity":
        columns["classes"] = []
    _update(inventory, before, before.version, columns, was_deleted=False)
    if before.kind == "entity":
        for rows in (ElementRow, BlindRow):
            _execute(inventory, delete(rows).where(rows.account_id == inventory.account, rows.id == before.id))
    return Edit(before, None)


def _insert(inventory: Inventory, after: Asset, columns: dict[str, Any]) -> None:
    statement = _make_insert(after.kind, inventory.session.get_bind().dialect.name)
    # the names of columns are those of their attributes, but for `class`
    row = {name.rstrip("_"): value for name, value in columns.items()}
    if _execute(inventory, statement, {"account_id": inventory.account, **row}) != 1:
        raise Conflict(f"the {after.kind} `{after.key}` was created by another just now, read it again")


@cache
def _make_insert(kind: Kind, dialect: str) -> Insert:
    # where it meets a row it does nothing, so that the caller's other work outlives the conflict
    table: Any = table_of(kind).__table__
    made: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    return made.on_conflict_do_nothing().execution_options(preserve_rowcount=True)  # type: ignore[no-any-return]


def _update(inventory: Inventory, asset: Asset, version: int, columns: Mapping[str, Any], *, was_deleted: bool) -> None:
    """Set columns of the row of an asset; `Conflict` where it is no longer of this version."""
    statement = _make_update(asset.kind, tuple(columns), was_deleted=was_deleted)
    held = {"account": inventory.account, "held_id": asset.id, "held_version": version}
    if not _execute(inventory, statement, {**held, **{_NEW + name: value for name, value in columns.items()}}):
        raise Conflict(f"the {asset.kind} `{asset.key}` was changed by another just now, read it again")


@cache
def _make_update(kind: Kind, names: tuple[str, ...], *, was_deleted: bool) -> Update:
    table = table_of(kind)
    held = table.id == bindparam("held_id"), table.version == bindparam("held_version")
    return (
        update(table)
        .where(table.account_id == ACCOUNT, *held, table.deleted.is_(was_deleted))
        .values({name: bindparam(_NEW + name) for name in names})
        # else what has parameters would be taken for rows to update by their keys
        .execution_options(dml_strategy="orm")
    )


def _write_elements(inventory: Inventory, after: Asset, columns: Mapping[str, Any], *, was_there: bool) -> None:
    wanted = {(after.id, element) for element in list_elements(columns, inventory.layout.written)}
    held: set[tuple[str, Element]] = set()
    if was_there:
        # what is stored, and not what would be: a property may have been sealed that is not any more
        rows = inventory.session.execute(_HELD_ELEMENTS, {"account": inventory.account, "id": after.id})
        held = {(after.id, Element(*row)) for row in rows}
    remove_rows(inventory, held - wanted)
    add_rows(inventory, wanted - held)


def _write_blinds(inventory: Inventory, after: Asset) -> None:
    if inventory.sealing.keys is None:
        return
    account = inventory.account
    if after.version > 1:
        _execute(inventory, delete(BlindRow).where(BlindRow.account_id == account, BlindRow.id == after.id))
    digests = inventory.sealing.blinds(encode_record(after.properties))
    if digests:
        rows = [{"account_id": account, "id": after.id, "name": name, "digest": digests[name]} for name in digests]
        inventory.session.execute(insert(BlindRow), rows)


def _execute(inventory: Inventory, statement: Any, parameters: Any = None) -> int:
    """How many rows a statement changed."""
    done = cast("CursorResult[Any]", inventory.session.execute(statement, parameters, execution_options=_UNSYNCED))
    return done.rowcount
