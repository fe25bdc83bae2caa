"""`tenant import` of an export: a store equal to the one that was exported, its trail included.

The store counts once all of it is there and is what the manifest says. Its trail goes on from the signed heads that
came with it; that it was imported is told in the service's own trail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.inventory import Inventory, Memory
from policy_service.assets.layout import read_wish
from policy_service.assets.layout_row import establish
from policy_service.assets.proposals import refuse_file_type
from policy_service.assets.restricted import Sealing
from policy_service.audit.chain import Head, pack
from policy_service.audit.trail_keys import seal_public
from policy_service.errors import Conflict, Refused, RequestError
from policy_service.policy.bundle import Bundle
from policy_service.store.control import State
from policy_service.store.data_keys import DataKey
from policy_service.store.door import Store
from policy_service.store.lives import abandon, alone, begin_store
from policy_service.store.snapshots import renew, snapshot
from policy_service.store.tables import TrailEntryRow, TrailHeadRow, TrailLinkRow
from policy_service.tenancy.acts import Report
from policy_service.tenancy.chains import check_chain
from policy_service.tenancy.copies import PAGE, draw_all, insert_assets, read_copy
from policy_service.tenancy.creating import open_up
from policy_service.tenancy.exporting import write_lines
from policy_service.tenancy.lines import Export, Tally, kind_of, read_lines, read_value, refuse

LoadBundle = Callable[[], Bundle]
_TRAIL: dict[str, Any] = {"entry": TrailEntryRow, "link": TrailLinkRow, "head": TrailHeadRow}


class _Line(NamedTuple):
    """What a line tells, and its number in the file."""

    number: int
    told: Any


def restore(store: Store, export: Export, load: LoadBundle, file: BinaryIO, name: str, report: Report) -> bool:
    """Make the store of `export.tenant` from the file; false where there is one already that is equal.

    `load` gives the bundle, once it is needed. `Conflict` where there is another store; `Refused` where the file
    holds what no store has, and then all is as it was.
    """
    tenant = export.tenant
    with alone(store, tenant):
        state = store.look(tenant)
        if state in (State.ACTIVE, State.SUSPENDED):
            _require_equal(store, export, report)
            return False
        bundle = load()
        key = begin_store(store, tenant, above=max(export.keys, default=0))
        try:
            with store.databases.session(tenant, write=True) as session:
                _Restoration(store, session, bundle, export, key, name).run(file, report)
        except BaseException:
            abandon(store, tenant, state)
            raise
        open_up(store, tenant, "import", **export.manifest)
    return True


def _require_equal(store: Store, export: Export, report: Report) -> None:
    with snapshot(store, export.tenant) as session:
        held = write_lines(store, session, export.tenant, export.restricted, lambda _: None, report)
    if not export.is_equal(held):
        raise Conflict(
            f"the tenant `{export.tenant}` has a store that is not the exported one, "
            "an export is imported where there is none"
        )


class _Restoration:
    """One export on its way into one session."""

    def __init__(self, store: Store, session: Session, bundle: Bundle, export: Export, key: DataKey, name: str) -> None:
        self._store = store
        self._session = session
        self._export = export
        self._key = key
        self._name = name
        keys = store.keys if store.backend == "postgresql" else None
        sealing = Sealing(export.tenant, bundle.restricted | export.restricted, keys)
        self._inventory = Inventory(session, bundle, sealing, Memory(establish(session, read_wish(bundle))))
        self._sealed = {version: seal_public(key, version, public) for version, public in export.keys.items()}
        self._waiting: list[_Line] = []
        self._kind = ""

    def run(self, file: BinaryIO, report: Report) -> None:
        """Write what the lines tell, and see that it was what the manifest says."""
        whole, tally = sum(self._export.manifest["counts"].values()), Tally()
        for number, line in read_lines(file, self._name):
            if number == 1:
                tally.take(line)
                continue
            if number == whole + 2:
                break
            kind = kind_of(line, self._name, number)
            tally.take(line, kind)
            if kind != self._kind or len(self._waiting) >= PAGE:
                self._write()
                self._kind = kind
                report(number - 2, whole)
            self._waiting.append(_Line(number, read_value(line, self._name, number)[kind]))
        self._write()
        if tally.manifest() != self._export.manifest:
            refuse(self._name, whole + 2, "the file was changed while it was read")
        draw_all(self._store, self._inventory)
        check_chain(self._store, self._session, self._export, self._name)
        report(whole, whole)

    def _write(self) -> None:
        lines, self._waiting = self._waiting, []
        if not lines:
            return
        renew(self._store, self._session)
        try:
            if self._kind in _TRAIL:
                self._session.execute(insert(_TRAIL[self._kind]), [self._read_trail(line) for line in lines])
            else:
                kind: Kind = "entity" if self._kind == "entity" else "relationship"
                insert_assets(self._inventory, [self._read(kind, line) for line in lines])
        except IntegrityError:
            last = lines[-1].number
            refuse(self._name, lines[0].number, f"from here to line {last} something stands twice, or lacks its entry")

    def _read(self, kind: Kind, line: _Line) -> Asset:
        try:
            asset = read_copy(kind, line.told, self._export.tenant)
            if not asset.deleted:
                refuse_file_type(self._inventory, asset.type)
        except (RequestError, Conflict) as error:
            refuse(self._name, line.number, str(error))
        return asset

    def _read_trail(self, line: _Line) -> dict[str, Any]:
        told, account = line.told, self._export.tenant
        try:
            if self._kind == "entry":
                return {"account_id": account, "id": _text(told["id"]), "body": _text(told["body"])}
            seq, link = _number(told["seq"]), bytes.fromhex(told["hash"])
            if self._kind == "link":
                return {"account_id": account, "seq": seq, "hash": link, "entry_id": _text(told["entry"])}
            version, at = _number(told["key"]), _number(told["at"])
            head = Head(seq, link, at, version, bytes.fromhex(told["signature"]), self._sealed[version])
            return {"account_id": account, "seq": seq, "hash": link, "at": at, "signature": pack(head)}
        except (KeyError, TypeError, ValueError, OverflowError):
            raise Refused(f"{self._name}:{line.number}: this {self._kind} of the trail can't be read") from None


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("no text")
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError("no number")
    return value
