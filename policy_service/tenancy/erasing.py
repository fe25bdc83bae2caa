"""`tenant erase`: data, keys, stored bundles; a receipt stays. The state comes first, so that nobody makes more.

What the decision log holds of the tenant is sealed with its keys: when they are gone, nobody opens it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from policy_service.audit.sealer import seal
from policy_service.audit.trail_pages import read_last_head
from policy_service.bundles.last_good import Store as LastGood
from policy_service.bundles.load import find_folder
from policy_service.config import Settings
from policy_service.errors import PolicyServiceError, StoreFailed, UnknownTenant
from policy_service.identity.keys import revoke_all
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.lives import alone, drop_store, put_state, scrub
from policy_service.store.tables import SERVICE, EntityRow, RelationshipRow, TrailEntryRow
from policy_service.tenancy.acts import record, require_name, seal_trails

BEGUN, RECEIPT = "erase", "erased"


def erase(settings: Settings, store: Store, tenant: str) -> dict[str, Any] | None:
    """Destroy what the service holds of a tenant; what the receipt says, none where it was erased before.

    A run that was killed is finished by the next. `UnknownTenant` where there is nothing of that name.
    """
    require_name(tenant)
    bundles = settings.data / "bundles"
    with alone(store, tenant):
        state = store.look(tenant)
        if state is None and not _is_known(settings, store, tenant):
            raise UnknownTenant(f"there is no tenant `{tenant}`, see `policy-service tenant list`")
        if state is State.ERASED:
            _drop_bundles(bundles, tenant)
            return None
        held = _read_begun(store, tenant) if state is State.ERASING else _begin(store, tenant, state)
        drop_store(store, tenant)
        _drop_bundles(bundles, tenant)
        revoke_all(settings.tenants, tenant)
        scrub(store)
        with store.databases.session(SERVICE, write=True) as session:
            put_state(session, tenant, State.ERASED)
            record(session, RECEIPT, tenant, **held)
        store.forget(tenant)
    seal_trails(store, SERVICE)
    return held


def _is_known(settings: Settings, store: Store, tenant: str) -> bool:
    stored = (settings.data / "bundles" / tenant).exists()
    return stored or find_folder(settings.tenants, tenant) is not None or bool(store.key_table.read(tenant))


def _begin(store: Store, tenant: str, state: State | None) -> dict[str, Any]:
    """Shut the tenant for good, and write down what there is while it can be counted."""
    held = _take_stock(store, tenant, state)
    with store.databases.session(SERVICE, write=True) as session:
        put_state(session, tenant, State.ERASING)
        record(session, BEGUN, tenant, **held)
    store.forget(tenant)
    return held


def _take_stock(store: Store, tenant: str, state: State | None) -> dict[str, Any]:
    """How much there is, and the last head of its trail; without numbers where it can't be read, which stops nobody."""
    held: dict[str, Any] = {"entities": None, "relationships": None, "trail": None, "head": None}
    held["keys"] = len(store.key_table.read(tenant))
    if state in (None, State.CREATING):
        return held
    with contextlib.suppress(PolicyServiceError):
        if state is State.ACTIVE:
            seal(store, tenant)
    with contextlib.suppress(PolicyServiceError), store.databases.session(tenant) as session:
        head = read_last_head(session, tenant)
        held |= {
            "entities": _count(session, tenant, EntityRow),
            "relationships": _count(session, tenant, RelationshipRow),
            "trail": _count(session, tenant, TrailEntryRow),
            "head": {"seq": head.seq, "hash": head.hash.hex()} if head else None,
        }
    return held


def _count(session: Session, tenant: str, table: type[EntityRow] | type[RelationshipRow] | type[TrailEntryRow]) -> int:
    return session.scalar(select(func.count()).select_from(table).where(table.account_id == tenant)) or 0


def _read_begun(store: Store, tenant: str) -> dict[str, Any]:
    """What the run that was killed wrote down."""
    # canonical JSON, and no name of a tenant means anything to LIKE
    start = f'{{"action":"{BEGUN}",%"id":"{tenant}","kind":"tenant",%'
    with store.databases.session(SERVICE) as session:
        newest = (
            select(TrailEntryRow.body)
            .where(TrailEntryRow.account_id == SERVICE, TrailEntryRow.body.like(start))
            .order_by(TrailEntryRow.id.desc())
            .limit(1)
        )
        body = session.scalar(newest)
    held: dict[str, Any] = json.loads(body)["detail"] if body else {}
    return {name: value for name, value in held.items() if name != "user"}


def _drop_bundles(folder: Path, tenant: str) -> None:
    """Remove the last good bundle that is kept of the tenant."""
    if not (folder / tenant).exists():
        return
    try:
        with LastGood(folder).lock(tenant):
            shutil.rmtree(folder / tenant)
    except OSError as error:
        raise StoreFailed(f"{folder / tenant} can't be removed: {(error.strerror or str(error)).lower()}") from None
