"""`tenant list`: every folder and every store, as one list."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import func, select

from policy_service.bundles.load import list_tenants
from policy_service.config import Settings
from policy_service.errors import PolicyServiceError
from policy_service.store.control import State, TenantRow
from policy_service.store.door import Store
from policy_service.store.tables import SERVICE, EntityRow, RelationshipRow

_PAGE = 500


class Listed(NamedTuple):
    """A tenant. `state` is none where there are files only; `since` is in milliseconds.

    folder   whether there is a folder of policies
    counts   entities and relationships, none where nobody asked or they can't be read
    """

    name: str
    folder: bool
    state: State | None = None
    since: int | None = None
    counts: tuple[int, int] | None = None


def list_all(settings: Settings, store: Store | None, *, counts: bool = False) -> Iterator[Listed]:
    """All tenants by name, read in pages; `store` is none where none was ever made. `counts` opens each store."""
    folders = (Listed(name, True) for name in sorted(list_tenants(settings.tenants)))
    held: Listed | None = None
    for found in heapq.merge(folders, _read_stores(store) if store else (), key=lambda listed: listed.name):
        if held is not None and held.name == found.name:
            stored = found if found.state else held
            held = stored._replace(folder=True)
            continue
        if held is not None:
            yield _count(store, held) if counts else held
        held = found
    if held is not None:
        yield _count(store, held) if counts else held


def _read_stores(store: Store) -> Iterator[Listed]:
    last = ""
    while True:
        page = select(TenantRow.account_id, TenantRow.state, TenantRow.changed_on).where(TenantRow.account_id > last)
        with store.databases.session(SERVICE) as session:
            rows = session.execute(page.order_by(TenantRow.account_id).limit(_PAGE)).all()
        yield from (Listed(row.account_id, False, State(row.state), row.changed_on) for row in rows)
        if len(rows) < _PAGE:
            return
        last = rows[-1].account_id


def _count(store: Store | None, listed: Listed) -> Listed:
    if store is None or listed.state not in (State.ACTIVE, State.SUSPENDED):
        return listed
    try:
        with store.databases.session(listed.name) as session:
            entities, relationships = (
                session.scalar(
                    select(func.count())
                    .select_from(table)
                    .where(table.account_id == listed.name, table.deleted.is_(False))
                )
                for table in (EntityRow, RelationshipRow)
            )
    except PolicyServiceError:
        return listed
    store.databases.close(listed.name)
    return listed._replace(counts=(entities or 0, relationships or 0))
