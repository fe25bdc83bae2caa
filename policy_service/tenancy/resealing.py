"""Restricted properties sealed anew by the key that is active; in PostgreSQL, where they are sealed one by one."""

from __future__ import annotations

import base64
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from policy_service.assets.asset import Kind
from policy_service.assets.restricted import Sealing
from policy_service.assets.rows import table_of
from policy_service.policy.stored_values import decode_name
from policy_service.store.door import Store
from policy_service.store.sealing import sealed_version
from policy_service.store.tables import BlindRow
from policy_service.tenancy.acts import Report
from policy_service.tenancy.copies import PAGE

_KINDS: tuple[Kind, ...] = ("entity", "relationship")


def is_stale(store: Store, tenant: str) -> bool:
    """Whether something is sealed by another key than the active one."""
    return _walk(store, tenant, None, lambda *_: None) > 0


def reseal(store: Store, tenant: str, report: Report) -> int:
    """Seal anew what another key sealed, a page in each transaction; how many assets. It can be stopped at any time."""
    with store.databases.session(tenant) as session:
        whole = sum(_count(session, tenant, kind) for kind in _KINDS)
    return _walk(store, tenant, whole, report)


def _walk(store: Store, tenant: str, whole: int | None, report: Report) -> int:
    """Go through all that is sealed; without `whole` only until something stale is found."""
    version, changed, done = store.keys.active(tenant).version, 0, 0
    for kind in _KINDS:
        last = ""
        while True:
            with store.databases.session(tenant, write=whole is not None) as session:
                rows = _read_page(session, tenant, kind, last, lock=whole is not None)
                stale = [row for row in rows if _is_stale(row.sealed, version)]
                if whole is None and stale:
                    return len(stale)
                for row in stale:
                    _seal_again(store, session, tenant, kind, row)
            changed, done = changed + len(stale), done + len(rows)
            report(done, max(done, whole or 0))
            if len(rows) < PAGE:
                break
            last = rows[-1].id
    return changed


def _read_page(session: Session, tenant: str, kind: Kind, last: str, *, lock: bool) -> list[Any]:
    table = table_of(kind)
    page = select(table.id, table.sealed).where(table.account_id == tenant, table.sealed.is_not(None), table.id > last)
    page = page.order_by(table.id).limit(PAGE)
    return list(session.execute(page.with_for_update() if lock else page).all())


def _is_stale(sealed: dict[str, str], version: int) -> bool:
    return any(sealed_version(base64.b64decode(text)) != version for text in sealed.values())


def _seal_again(store: Store, session: Session, tenant: str, kind: Kind, row: Any) -> None:
    sealing = Sealing(tenant, frozenset(decode_name(name) for name in row.sealed), store.keys)
    stored = sealing.open(kind, row.id, row.sealed)
    table = table_of(kind)
    unsynced = {"synchronize_session": False}
    mine = update(table).where(table.account_id == tenant, table.id == row.id)
    session.execute(mine.values(sealed=sealing.split(kind, row.id, stored)[1]), execution_options=unsynced)
    if kind == "relationship":
        return
    blinds = delete(BlindRow).where(BlindRow.account_id == tenant, BlindRow.id == row.id)
    session.execute(blinds, execution_options=unsynced)
    digests = sealing.blinds(stored)
    if digests:
        new = [{"account_id": tenant, "id": row.id, "name": name, "digest": digests[name]} for name in digests]
        session.execute(insert(BlindRow), new)


def _count(session: Session, tenant: str, kind: Kind) -> int:
    table = table_of(kind)
    held = select(func.count()).select_from(table).where(table.account_id == tenant, table.sealed.is_not(None))
    return session.scalar(held) or 0
