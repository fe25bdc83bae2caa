"""`tenant export`: everything a tenant owns, as it was at one moment; the form is told in `lines`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from policy_service.assets.asset import Kind, render
from policy_service.assets.restricted import Sealing
from policy_service.audit.chain import Head, unpack
from policy_service.audit.trail_keys import collect_public_keys
from policy_service.bundles.load import find_folder, load
from policy_service.config import Settings
from policy_service.errors import NoStore
from policy_service.policy.stored_values import decode_name
from policy_service.store import migrate
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.snapshots import renew, snapshot
from policy_service.store.tables import (
    SERVICE,
    EntityRow,
    RelationshipRow,
    TrailEntryRow,
    TrailHeadRow,
    TrailLinkRow,
)
from policy_service.tenancy.acts import Report, record, require_name, seal_trails
from policy_service.tenancy.copies import PAGE, read_assets
from policy_service.tenancy.lines import FORMAT, Tally, write_line

_TABLES = (EntityRow, RelationshipRow, TrailEntryRow, TrailLinkRow, TrailHeadRow)
_ASSETS: tuple[Kind, ...] = ("entity", "relationship")


def export(
    settings: Settings, store: Store, tenant: str, write: Callable[[bytes], Any], report: Report
) -> dict[str, Any]:
    """Write the lines of an export, and give its manifest. Restricted properties are opened: it is the tenant's data.

    That it was done is written in the service's trail before anything is read. `NoStore` where there is none.
    """
    require_name(tenant)
    if store.look(tenant) not in (State.ACTIVE, State.SUSPENDED):
        raise NoStore(f"the tenant `{tenant}` has no store, its folder is all there is of it")
    with store.databases.session(SERVICE, write=True) as session:
        record(session, "export", tenant)
    seal_trails(store, SERVICE, tenant)
    # broken policies keep nobody from the data
    bundle = load(settings.policies, settings.tenants, tenant)[0] if find_folder(settings.tenants, tenant) else None
    restricted = bundle.restricted if bundle else frozenset[str]()
    with snapshot(store, tenant) as session:
        return write_lines(store, session, tenant, restricted | _read_sealed_names(session, tenant), write, report)


def write_lines(
    store: Store,
    session: Session,
    tenant: str,
    restricted: frozenset[str],
    write: Callable[[bytes], Any],
    report: Report,
) -> dict[str, Any]:
    """The lines of what a session sees; the manifest, which is the last of them."""
    whole = _count(session, tenant)
    tally = Tally()
    header = _write_header(store, session, tenant, restricted)
    tally.take(header)
    write(header)
    for done, (kind, value) in enumerate(_read_all(store, session, tenant)):
        line = write_line(kind, value)
        tally.take(line, kind)
        write(line)
        if done % PAGE == 0:
            report(done, whole)
    report(whole, whole)
    manifest = tally.manifest()
    write(write_line("manifest", manifest))
    return manifest


def _write_header(store: Store, session: Session, tenant: str, restricted: frozenset[str]) -> bytes:
    """The first line."""
    keys = collect_public_keys(store.keys, tenant, _read_heads(store, session, tenant))
    return write_line(
        "format",
        FORMAT,
        tenant=tenant,
        at=round(time.time() * 1_000),
        schema=migrate.head("tenant"),
        restricted=sorted(restricted),
        keys={str(version): public.hex() for version, public in keys.items()},
    )


def _read_sealed_names(session: Session, tenant: str) -> frozenset[str]:
    """The names of properties that are sealed, whatever `tenant.yaml` says now: they are to be where they go to."""
    if session.connection().dialect.name != "postgresql":
        return frozenset()
    names: set[str] = set()
    for table in (EntityRow, RelationshipRow):
        found = select(func.jsonb_object_keys(table.sealed)).where(
            table.account_id == tenant, table.sealed.is_not(None)
        )
        names.update(decode_name(name) for name in session.scalars(found.distinct()))
    return frozenset(names)


def _count(session: Session, tenant: str) -> int:
    counts = (select(func.count()).select_from(table).where(table.account_id == tenant) for table in _TABLES)
    return sum(session.scalar(count) or 0 for count in counts)


def _read_all(store: Store, session: Session, tenant: str) -> Iterator[tuple[str, Any]]:
    sealing = Sealing(tenant, keys=store.keys if store.backend == "postgresql" else None)
    for kind in _ASSETS:
        for asset in read_assets(store, session, kind, sealing):
            yield kind, render(asset, tenant)
    entries = select(TrailEntryRow.id, TrailEntryRow.body)
    for row in _pages(store, session, entries, TrailEntryRow.account_id == tenant, TrailEntryRow.id, ""):
        yield "entry", {"id": row.id, "body": row.body}
    links = select(TrailLinkRow.seq, TrailLinkRow.entry_id, TrailLinkRow.hash)
    for row in _pages(store, session, links, TrailLinkRow.account_id == tenant, TrailLinkRow.seq, -1):
        yield "link", {"seq": row.seq, "entry": row.entry_id, "hash": row.hash.hex()}
    for head in _read_heads(store, session, tenant):
        signature = {"key": head.key, "signature": head.signature.hex()}
        yield "head", {"seq": head.seq, "hash": head.hash.hex(), "at": head.at, **signature}


def _read_heads(store: Store, session: Session, tenant: str) -> Iterator[Head]:
    heads = select(TrailHeadRow.seq, TrailHeadRow.hash, TrailHeadRow.at, TrailHeadRow.signature)
    for row in _pages(store, session, heads, TrailHeadRow.account_id == tenant, TrailHeadRow.seq, -1):
        yield unpack(row.seq, row.hash, row.at, row.signature)


def _pages(store: Store, session: Session, query: Any, mine: Any, column: Any, first: str | int) -> Iterator[Any]:
    last: Any = first
    while True:
        renew(store, session)
        rows = session.execute(query.where(mine, column > last).order_by(column).limit(PAGE)).all()
        yield from rows
        if len(rows) < PAGE:
            return
        last = rows[-1][0]
