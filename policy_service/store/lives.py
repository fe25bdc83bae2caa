"""A tenant's store made and destroyed: each step can be done again after a kill, old state or new."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete
from sqlalchemy.orm import Session

from policy_service.errors import Conflict
from policy_service.store.control import DataKeyRow, State, TenantRow
from policy_service.store.door import Store
from policy_service.store.files import Files, remove_files
from policy_service.store.tables import SERVICE, Base


def create_store(store: Store, tenant: str) -> None:
    """Make the store of a tenant, key first; what a killed run began is gone on with. `Conflict` where there is one."""
    state = store.look(tenant)
    if state in (State.ACTIVE, State.SUSPENDED):
        raise Conflict(f"the tenant `{tenant}` has a store already")
    if state is State.ERASING:
        raise Conflict(f"the tenant `{tenant}` is being erased, finish it with `policy-service tenant erase {tenant}`")
    set_state(store, tenant, State.CREATING)
    key = store.keys.active(tenant)
    if isinstance(store.databases, Files):
        store.databases.create(tenant, key)
    set_state(store, tenant, State.ACTIVE)


def set_state(store: Store, tenant: str, state: State) -> None:
    """Write where a tenant is in its life; other processes see it within a second."""
    with store.databases.session(SERVICE, write=True) as session:
        put_state(session, tenant, state)
    store.forget(tenant)


def put_state(session: Session, tenant: str, state: State) -> None:
    """The same, in a transaction of the service's own account."""
    now = time.time_ns() // 1_000_000
    row = session.get(TenantRow, tenant)
    if row is None:
        session.add(TenantRow(account_id=tenant, state=state, created_on=now, changed_on=now))
    else:
        row.state, row.changed_on = state, now


def drop_store(store: Store, tenant: str) -> None:
    """Destroy what a tenant has: rows or file, then its keys. The state is the caller's to set, before and after."""
    if isinstance(store.databases, Files):
        with store.databases.gate(tenant).alone():
            store.databases.close(tenant)
            path = store.databases.path(tenant)
            remove_files(path)
            remove_files(path.with_suffix(".new"))
    else:
        with store.databases.session(tenant, write=True) as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(delete(table).where(table.c.account_id == tenant))
    with store.databases.session(SERVICE, write=True) as session:
        session.execute(delete(DataKeyRow).where(DataKeyRow.account_id == tenant))
    store.forget(tenant)


@contextmanager
def exclusive(store: Store, tenant: str) -> Iterator[None]:
    """Have a tenant's file alone: others wait, and open it anew afterwards. PostgreSQL needs none of it."""
    if not isinstance(store.databases, Files):
        yield
        return
    with store.databases.gate(tenant).alone():
        store.databases.close(tenant)
        yield
