"""`keyring rekey`: another data key for a tenant. What a killed run began is gone on with, and no data is ever lost.

A file has one key, so it is rekeyed as a whole, while nobody else uses it. In PostgreSQL the new key seals from now
on, and what is sealed property by property is sealed anew; the old key stays, for it opens the decision log.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from policy_service.errors import NoStore
from policy_service.store.control import KeyState, State
from policy_service.store.data_keys import ROWS_SECONDS, DataKey
from policy_service.store.door import Store
from policy_service.store.lives import activate, alone
from policy_service.store.rekey import rekey_file
from policy_service.store.tables import SERVICE
from policy_service.tenancy.acts import Report, record, require_name, seal_trails
from policy_service.tenancy.resealing import is_stale, reseal

# workers that know the old key as the active one may seal with it for a moment
_SETTLE_SECONDS = ROWS_SECONDS + 0.5
_TURNS = 5


def rekey(store: Store, tenant: str, say: Callable[[str], None], report: Report) -> int:
    """Change the data key of a tenant; the version that is active then.

    `NoStore` where there is no store to rekey; `StoreFailed` where others don't let go of it.
    """
    require_name(tenant)
    with alone(store, tenant):
        if store.look(tenant) not in (State.ACTIVE, State.SUSPENDED):
            raise NoStore(f"the tenant `{tenant}` has no store, only one that has can be rekeyed")
        if store.backend == "sqlite":
            key = store.keys.pending(tenant)
            rekey_file(store, tenant, key, say)
            _switch(store, tenant, key)
        else:
            key = _rekey_rows(store, tenant, report)
        with store.databases.session(tenant, write=True) as session:
            record(session, "rekey", tenant, version=key.version)
    seal_trails(store, SERVICE, tenant)
    return key.version


def _switch(store: Store, tenant: str, key: DataKey) -> None:
    with store.databases.session(SERVICE, write=True) as session:
        activate(session, key)
        record(session, "rekey", tenant, version=key.version)
    store.forget(tenant)


def _rekey_rows(store: Store, tenant: str, report: Report) -> DataKey:
    begun = any(row.state is KeyState.PENDING for row, _ in store.keys.all(tenant))
    if begun or not is_stale(store, tenant):
        _switch(store, tenant, store.keys.pending(tenant))
    until = time.monotonic() + _SETTLE_SECONDS
    for _ in range(_TURNS):
        if not reseal(store, tenant, report) and time.monotonic() >= until:
            break
        time.sleep(max(0.0, until - time.monotonic()))
    return store.keys.active(tenant)
