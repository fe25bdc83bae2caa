"""The one door to the databases: `Store.session(tenant)`.

No other module opens a connection. A session belongs to one tenant and ends with its block.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from policy_service.errors import NoStore
from policy_service.model import is_tenant_name
from policy_service.store.control import State, TenantRow
from policy_service.store.data_keys import DataKeys
from policy_service.store.key_tables import KeyTables
from policy_service.store.sessions import TenantSession
from policy_service.store.tables import SERVICE

STATE_SECONDS = 1.0
SHUT = (State.SUSPENDED, State.ERASING, State.ERASED)
# a state is a few bytes, and there may be many tenants
_REMEMBERED = 20_000


class Databases(Protocol):
    """Where accounts live: files, or one PostgreSQL."""

    def session(self, account: str, *, write: bool = False) -> AbstractContextManager[TenantSession]: ...

    def close(self, account: str | None = None) -> None: ...


class Store:
    """The databases of a process; its threads share it.

    backend    `sqlite` (SQLCipher files) or `postgresql`
    keys       the data keys of every account
    key_table  where they are stored, wrapped
    databases  sessions without a look at the tenant's state, for `tenancy`
    """

    def __init__(
        self,
        backend: Literal["sqlite", "postgresql"],
        databases: Databases,
        keys: DataKeys,
        key_table: KeyTables,
    ) -> None:
        self.backend: Literal["sqlite", "postgresql"] = backend
        self.databases = databases
        self.keys = keys
        self.key_table = key_table
        self._open = {State.ACTIVE}
        self._states: dict[str, tuple[float, State | None]] = {}
        self._shut: tuple[float, frozenset[str]] = (0.0, frozenset())
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def session(self, tenant: str, *, write: bool = False) -> Iterator[Session]:
        """A session on what `tenant` owns, one transaction: committed at the end where it is to `write`.

        `NoStore` where the tenant has none that is open, `StoreFailed` where it can't be reached, is locked, full or
        damaged, `NoKey` where its key does not open it. An exception in the block undoes everything.
        """
        if not self.has_store(tenant):
            if self.state(tenant) is State.SUSPENDED:
                raise NoStore(f"the tenant `{tenant}` is suspended, `policy-service tenant resume {tenant}` first")
            raise NoStore(f"the tenant `{tenant[:80]}` has no store, make one with `policy-service tenant create`")
        with self.databases.session(tenant, write=write) as session:
            yield session

    def has_store(self, tenant: str) -> bool:
        """Whether the tenant has a store that is open to requests."""
        return tenant == SERVICE or self.state(tenant) in self._open

    def admit_suspended(self) -> Store:
        """The same store, which opens what suspended tenants own too: for commands that only look."""
        self._open |= {State.SUSPENDED}
        return self

    def state(self, tenant: str) -> State | None:
        """Where a tenant is in its life, as it was a second ago at most; `None` where it was never created."""
        held = self._states.get(tenant)
        now = time.monotonic()
        if held is not None and now < held[0]:
            return held[1]
        # whoever asks may have made the name up, and a file's name is made of it
        found = self.look(tenant) if is_tenant_name(tenant) else None
        with self._lock:
            if len(self._states) >= _REMEMBERED:
                self._states.clear()
            self._states[tenant] = now + STATE_SECONDS, found
        return found

    def shut(self) -> frozenset[str]:
        """The tenants whose keys are as good as wrong: suspended or erased, as it was a second ago at most.

        They are looked up all at once, so that the time an answer takes tells nothing of the tenant it names.
        """
        until, found = self._shut
        now = time.monotonic()
        if now >= until:
            with self.databases.session(SERVICE) as session:
                names = select(TenantRow.account_id).where(TenantRow.state.in_(SHUT))
                found = frozenset(session.scalars(names))
            before = self._shut[1]
            self._shut = now + STATE_SECONDS, found
            for tenant in found - before:
                # nobody asks for it any more, and what is erased is to be in no process's hands either
                self.keys.forget(tenant)
                self.databases.close(tenant)
        return found

    def look(self, tenant: str) -> State | None:
        """The state as it is stored now; `StoreFailed` where that can't be known."""
        # in PostgreSQL a tenant's own context is enough, in files there is one control database
        account = tenant if self.backend == "postgresql" and tenant != SERVICE else SERVICE
        with self.databases.session(account) as session:
            found = session.scalar(select(TenantRow.state).where(TenantRow.account_id == tenant))
        return State(found) if found is not None else None

    def forget(self, tenant: str) -> None:
        """Forget what is known of a tenant: its state, its keys, its open file."""
        self._states.pop(tenant, None)
        self._shut = (0.0, frozenset())
        self.keys.forget(tenant)
        self.databases.close(tenant)

    def close(self) -> None:
        """Close every connection."""
        self.databases.close()
