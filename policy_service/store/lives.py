"""A tenant's store made and destroyed: each step can be done again after a kill, old state or new.

A store counts from the moment its tenant is active. What a killed run left before that was never anyone's, and is
cleared away by the next.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from sqlcipher3 import dbapi2

from policy_service.errors import Conflict
from policy_service.store.control import DataKeyRow, KeyState, State, TenantRow
from policy_service.store.data_keys import DataKey
from policy_service.store.door import Store
from policy_service.store.failures import explain
from policy_service.store.files import Files, remove_files
from policy_service.store.gates import Gate
from policy_service.store.postgres import Postgres
from policy_service.store.private_files import settle
from policy_service.store.sqlcipher import connect
from policy_service.store.tables import SERVICE, Base


def alone(store: Store, tenant: str) -> AbstractContextManager[None]:
    """Be the one command that changes the life of a tenant; `StoreFailed` at once where another does."""
    return _alone(store, tenant, ".life", f"the tenant `{tenant}`")


def rebuilding(store: Store, tenant: str) -> AbstractContextManager[None]:
    """Be the one process that rebuilds what lists of a tenant start from; `StoreFailed` at once where another does."""
    return _alone(store, tenant, ".lists", f"what lists of `{tenant}` start from")


@contextmanager
def _alone(store: Store, tenant: str, suffix: str, name: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if isinstance(store.databases, Files):
            path = store.databases.path(tenant).with_suffix(suffix)
            stack.enter_context(Gate(path, name).alone(seconds=0))
        elif isinstance(store.databases, Postgres):
            stack.enter_context(store.databases.alone(name))
        yield


def begin_store(store: Store, tenant: str, *, above: int = 0) -> DataKey:
    """Make an empty store, key first, which counts once its tenant is active; what a killed run began is cleared.

    `above` is the highest version of a data key that another store of this tenant used: this one's are higher, so
    that nobody takes one for the other. `Conflict` where there is a store, or an erasure is not finished.
    """
    state = store.look(tenant)
    if state in (State.ACTIVE, State.SUSPENDED):
        raise Conflict(f"the tenant `{tenant}` has a store already")
    if state is State.ERASING:
        raise Conflict(f"the tenant `{tenant}` is being erased, finish it with `policy-service tenant erase {tenant}`")
    if state is State.CREATING:
        drop_data(store, tenant)
    set_state(store, tenant, State.CREATING)
    key = store.keys.active(tenant)
    if key.version <= above:
        key = store.keys.pending(tenant, above=above)
        with store.databases.session(SERVICE, write=True) as session:
            activate(session, key)
        store.keys.forget(tenant)
    if isinstance(store.databases, Files):
        store.databases.create(tenant, key)
        settle(store.databases.path(tenant).parent)
    return key


def abandon(store: Store, tenant: str, state: State | None) -> None:
    """Take back a store that was begun and did not count yet; `state` is where the tenant was before."""
    drop_data(store, tenant)
    with store.databases.session(SERVICE, write=True) as session:
        if state is None:
            session.execute(delete(TenantRow).where(TenantRow.account_id == tenant))
        else:
            put_state(session, tenant, state)
        if state is State.ERASED:
            # it had no key; one that has no store yet keeps its own, which its decisions are sealed with
            session.execute(delete(DataKeyRow).where(DataKeyRow.account_id == tenant))
    store.forget(tenant)


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
        return
    if row.state == State.ERASED:
        row.created_on = now
    row.state, row.changed_on = state, now


def activate(session: Session, key: DataKey) -> None:
    """Make a pending key the active one, in a transaction of the service's own account; the old one still opens."""
    mine = DataKeyRow.account_id == key.account
    old = update(DataKeyRow).where(mine, DataKeyRow.state == KeyState.ACTIVE, DataKeyRow.version != key.version)
    session.execute(old.values(state=KeyState.OLD))
    session.execute(update(DataKeyRow).where(mine, DataKeyRow.version == key.version).values(state=KeyState.ACTIVE))


def drop_store(store: Store, tenant: str) -> None:
    """Destroy what a tenant has: rows or file, then its keys. The state is the caller's to set, before and after."""
    drop_data(store, tenant)
    with store.databases.session(SERVICE, write=True) as session:
        session.execute(delete(DataKeyRow).where(DataKeyRow.account_id == tenant))
    store.forget(tenant)


def drop_data(store: Store, tenant: str) -> None:
    """Destroy a tenant's rows or file, and leave its keys."""
    if isinstance(store.databases, Files):
        path = store.databases.path(tenant)
        with exclusive(store, tenant):
            for suffix in (".db", ".new", ".rekey"):
                remove_files(path.with_suffix(suffix))
            settle(path.parent)
        return
    with store.databases.session(tenant, write=True) as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(delete(table).where(table.c.account_id == tenant))


def scrub(store: Store) -> None:
    """Write the control database anew, so that a key that was deleted is in no page and no write-ahead log of it."""
    if not isinstance(store.databases, Files):
        return
    with exclusive(store, SERVICE):
        path = store.databases.path(SERVICE)
        connection = connect(path, store.keys.active(SERVICE))
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except dbapi2.Error as error:
            raise explain(str(path), error) from None
        finally:
            connection.close()


@contextmanager
def exclusive(store: Store, tenant: str) -> Iterator[None]:
    """Have a tenant's file alone: others wait, and open it anew afterwards. PostgreSQL needs none of it."""
    if not isinstance(store.databases, Files):
        yield
        return
    with store.databases.gate(tenant).alone():
        store.databases.close(tenant)
        yield
