"""Assets copied as they are, with ids, versions and times: read in pages, written in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from policy_service.assets.ancestors import add_rows
from policy_service.assets.asset import Asset, Kind, derive_id
from policy_service.assets.building import build_all
from policy_service.assets.elements import list_elements
from policy_service.assets.inventory import Inventory
from policy_service.assets.kinds import note_kinds
from policy_service.assets.layout_row import change_row
from policy_service.assets.members import check_class, check_key, check_name, check_type, read_members
from policy_service.assets.restricted import Sealing
from policy_service.assets.rows import COLUMNS, read_row, table_of, write_row
from policy_service.errors import RequestError
from policy_service.model import Uid
from policy_service.policy.names import cedar_type
from policy_service.policy.stored_values import encode_record
from policy_service.store.door import Store
from policy_service.store.snapshots import renew
from policy_service.store.tables import BlindRow

PAGE = 500

_SHARED = {
    *("_id", "_key", "_type", "_class", "_accountId", "_source", "_scope"),
    *("_version", "_createdOn", "_beginOn", "_endOn", "_deleted"),
}
_ENDS = {"_fromEntityId", "_fromEntityType", "_toEntityId", "_toEntityType"}
_MEMBERS: dict[Kind, frozenset[str]] = {"entity": frozenset(_SHARED), "relationship": frozenset(_SHARED | _ENDS)}


def read_assets(store: Store, session: Session, kind: Kind, sealing: Sealing) -> Iterator[Asset]:
    """All assets of a kind by id, deleted ones too; restricted properties are opened."""
    table, last = table_of(kind), ""
    while True:
        renew(store, session)
        page = select(*COLUMNS[kind]).where(table.account_id == sealing.account, table.id > last)
        rows = session.execute(page.order_by(table.id).limit(PAGE)).all()
        yield from (read_row(kind, row, sealing) for row in rows)
        if len(rows) < PAGE:
            return
        last = rows[-1].id


def insert_assets(inventory: Inventory, assets: Sequence[Asset]) -> None:
    """Write assets of one kind that are not there yet, exactly as they are, but for what relationships draw."""
    if not assets:
        return
    session, sealing, kind = inventory.session, inventory.sealing, assets[0].kind
    account = sealing.account
    rows = [write_row(asset, sealing) for asset in assets]
    session.execute(insert(table_of(kind)), [{"account_id": account, **row} for row in rows])
    note_kinds(inventory, kind, rows)
    if kind != "entity":
        return
    elements = {(row["id"], element) for row in rows for element in list_elements(row, inventory.layout.written)}
    add_rows(inventory, elements)
    blinds = [
        {"account_id": account, "id": asset.id, "name": name, "digest": digest}
        for asset in assets
        for name, digest in sealing.blinds(encode_record(asset.properties)).items()
    ]
    if blinds:
        session.execute(insert(BlindRow), blinds)


def draw_all(store: Store, inventory: Inventory) -> None:
    """Write what the relationships draw, once all of them are there."""
    (drawn,) = inventory.layout.generations
    if build_all(inventory, drawn, PAGE, lambda: renew(store, inventory.session)):
        change_row(inventory.session, replace(inventory.layout, circular=True))


def read_copy(kind: Kind, raw: object, account: str) -> Asset:
    """The asset that `assets.asset.render` shows as `raw`; `RequestError` where nothing is shown like this."""
    if not isinstance(raw, dict):
        raise RequestError(f"the {kind} is no JSON object")
    members = read_members(raw, _MEMBERS[kind])
    system = members.system
    key, source, scope = (_text(system, name) for name in ("_key", "_source", "_scope"))
    id_ = derive_id(kind, account, check_name(source, "_source"), check_name(scope, "_scope"), check_key(key, "_key"))
    if system.get("_id") != id_ or system.get("_accountId") != account:
        raise RequestError(f"`_id` is not the one of the {kind} `{key}` of this tenant")
    ends = {}
    if kind == "relationship":
        ends = {"from_": _read_end(system, "from"), "to": _read_end(system, "to")}
    return Asset(
        kind,
        id_,
        key,
        check_type(_text(system, "_type"), "_type"),
        _read_classes(kind, system.get("_class")),
        members.display_name,
        source,
        scope,
        {name: value for name, value in members.properties.items() if value is not None},
        {name: value for name, value in members.tags.items() if value is not None},
        _number(system, "_version"),
        _number(system, "_createdOn"),
        _number(system, "_beginOn"),
        None if system.get("_endOn") is None else _number(system, "_endOn"),
        _flag(system, "_deleted"),
        **ends,
    )


def _text(system: Any, name: str) -> str:
    value = system.get(name)
    if not isinstance(value, str):
        raise RequestError(f"`{name}` is missing or no text")
    return value


def _number(system: Any, name: str) -> int:
    value = system.get(name)
    if type(value) is not int or not 0 <= value < 2**63:
        raise RequestError(f"`{name}` is missing or no number")
    return value


def _flag(system: Any, name: str) -> bool:
    value = system.get(name)
    if not isinstance(value, bool):
        raise RequestError(f"`{name}` is missing or neither true nor false")
    return value


def _read_classes(kind: Kind, raw: object) -> tuple[str, ...]:
    names = raw if kind == "entity" else [raw]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError("`_class` is missing or no text")
    return tuple(sorted({check_class(name, "_class") for name in names}))


def _read_end(system: Any, side: str) -> Uid:
    return Uid(cedar_type(_text(system, f"_{side}EntityType")), _text(system, f"_{side}EntityId"))
