"""No statement takes the place of a row of the trail in a file: not by its key, and not by anything else."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from policy_service.audit.sealer import seal
from policy_service.audit.trail import Change, Origin, note
from policy_service.errors import StoreFailed
from policy_service.store.door import Store

COLUMNS = {
    "trail_entry": ("id", "body"),
    "trail_link": ("seq", "entry_id", "hash"),
    "trail_head": ("seq", "hash", "at", "signature"),
}


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("row", ["rowid", "_rowid_", "oid"])
@pytest.mark.parametrize("table", COLUMNS)
def test_a_row_is_replaced_by_no_name_of_it(store: Store, table: str, row: str) -> None:
    change = Change("create", "entity", "x", None, "ab", Origin())
    with store.session("acme", write=True) as session:
        note(session, [change], 1.8e9)
    seal(store, "acme")
    with store.session("acme", write=True) as session:
        # one that has no link yet, which nothing else would hold
        note(session, [change], 1.8e9 + 1)
    key, *others = COLUMNS[table]
    names = f"account_id, {key}, {', '.join(others)}"
    whole = f"SELECT {names} FROM {table} ORDER BY 1, 2"
    with store.session("acme") as session:
        before = session.execute(text(whole)).all()
    forged = (
        f"REPLACE INTO {table} ({row}, {names}) SELECT {row}, account_id, {key} + 9, {', '.join(others)} FROM {table}"
    )
    with pytest.raises((StoreFailed, DBAPIError)), store.session("acme", write=True) as session:
        session.execute(text(f"{forged} ORDER BY {key} DESC LIMIT 1"))
    with store.session("acme") as session:
        assert session.execute(text(whole)).all() == before
