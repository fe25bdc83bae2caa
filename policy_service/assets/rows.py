"""Rows of the store as assets, and assets as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.inventory import Inventory
from policy_service.assets.restricted import Sealing
from policy_service.model import Uid
from policy_service.policy.stored_values import decode_record, encode_record
from policy_service.store.sessions import prepare
from policy_service.store.tables import EntityRow, Name, RelationshipRow

# as many ids as one statement asks for
CHUNK = 500
# the tenant, of whom a statement that is made once is not made: it does not run without
ACCOUNT = bindparam("account", required=True, type_=Name)

_SHARED = [
    *("id", "key", "type", "display_name", "source", "scope", "properties", "tags", "sealed"),
    *("version", "created_on", "begin_on", "end_on", "deleted"),
]
_PLAIN = [name for name in _SHARED if name not in ("properties", "tags", "sealed")]
_ENDS = ["class_", "from_type", "from_id", "to_type", "to_id"]
COLUMNS: dict[Kind, list[InstrumentedAttribute[Any]]] = {
    "entity": [getattr(EntityRow, name) for name in [*_SHARED, "classes"]],
    "relationship": [getattr(RelationshipRow, name) for name in [*_SHARED, *_ENDS]],
}


def table_of(kind: Kind) -> type[EntityRow] | type[RelationshipRow]:
    """The table of a kind of asset."""
    return EntityRow if kind == "entity" else RelationshipRow


def select_rows(kind: Kind, *conditions: ColumnElement[bool]) -> Select[Any]:
    """A statement for rows of a tenant, deleted ones included, for `read_rows`."""
    return select(*COLUMNS[kind]).where(table_of(kind).account_id == ACCOUNT, *conditions)


def select_assets(kind: Kind, *conditions: ColumnElement[bool]) -> Select[Any]:
    """A statement for a tenant's assets that are there, for `read_rows`."""
    return select_rows(kind, table_of(kind).deleted.is_(False), *conditions)


def read_rows(inventory: Inventory, kind: Kind, statement: Select[Any], **parameters: Any) -> list[Asset]:
    """The assets of the tenant that a statement finds, in its order; `NoKey` where a restricted property does not
    open."""
    rows = inventory.session.execute(statement, {"account": inventory.account, **parameters})
    return [read_row(kind, row, inventory.sealing) for row in rows]


def find_assets(inventory: Inventory, kind: Kind, ids: Collection[str], *, lock: bool = False) -> dict[str, Asset]:
    """Those assets that are there, by id; locked in the order of their ids, so that no two writers wait in a circle."""
    found: dict[str, Asset] = {}
    for chunk in chunks(sorted(set(ids))):
        statement = _select_found(kind, one=len(chunk) == 1, lock=lock)
        found |= {asset.id: asset for asset in read_rows(inventory, kind, statement, **name_ids(chunk))}
    return found


@cache
def _select_found(kind: Kind, *, one: bool, lock: bool) -> Select[Any]:
    table = table_of(kind)
    statement = select_assets(kind, match_ids(table.id, one=one))
    return prepare(statement.order_by(table.id).with_for_update() if lock else statement)


def match_ids(column: InstrumentedAttribute[str], *, one: bool) -> ColumnElement[bool]:
    """That a column is one of the ids, or the one, which `name_ids` gives: for one it takes half the time."""
    return column == bindparam("id") if one else column.in_(bindparam("ids", expanding=True))


def name_ids(ids: Sequence[str]) -> dict[str, Any]:
    """The parameters of `match_ids`."""
    return {"id": ids[0]} if len(ids) == 1 else {"ids": ids}


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in parts that one statement takes."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def read_row(kind: Kind, row: Row[Any], sealing: Sealing) -> Asset:
    """The asset of a row with the columns of its kind; `NoKey` where a restricted property does not open."""
    stored = row.properties
    if row.sealed:
        stored = {**stored, **sealing.open(kind, row.id, row.sealed)}
    ends: dict[str, Uid] = {}
    if kind == "relationship":
        ends = {"from_": Uid(row.from_type, row.from_id), "to": Uid(row.to_type, row.to_id)}
    return Asset(
        kind,
        row.id,
        row.key,
        row.type,
        tuple(row.classes) if kind == "entity" else (row.class_,),
        row.display_name,
        row.source,
        row.scope,
        decode_record(stored),
        decode_record(row.tags),
        row.version,
        row.created_on,
        row.begin_on,
        row.end_on,
        row.deleted,
        **ends,
    )


def write_row(asset: Asset, sealing: Sealing) -> dict[str, Any]:
    """The columns of an asset by their attributes' names, restricted properties sealed; not its account."""
    properties, sealed = sealing.split(asset.kind, asset.id, encode_record(asset.properties))
    columns: dict[str, Any] = {name: getattr(asset, name) for name in _PLAIN}
    columns |= {"properties": properties, "tags": encode_record(asset.tags), "sealed": sealed}
    if asset.from_ is None or asset.to is None:
        return columns | {"classes": list(asset.classes)}
    ends = {"from_type": asset.from_.type, "from_id": asset.from_.id, "to_type": asset.to.type, "to_id": asset.to.id}
    return columns | ends | {"class_": asset.classes[0]}
