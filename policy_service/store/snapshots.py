"""Long looks at one tenant: one consistent state of all its tables, for as long as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from policy_service.store.door import Store
from policy_service.store.postgres import Postgres


@contextmanager
def snapshot(store: Store, tenant: str) -> Iterator[Session]:
    """A session that reads a tenant as it is when the block begins, whatever its state; for commands of the owner."""
    with store.databases.session(tenant) as session:
        session.connection()  # from now on, and not from the first look
        yield session


def renew(store: Store, session: Session) -> None:
    """Let a session go on for another minute: to be called between the pages of a long transaction."""
    if isinstance(store.databases, Postgres):
        store.databases.renew(session)
