"""What an injected statement leaves on a connection does not meet the tenant that gets it next."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from policy_service.store.door import Store

pytestmark = pytest.mark.parametrize("place", ["postgresql"], indirect=True)
# more than there are connections by then, which take turns
TURNS = 8


def inject(store: Store, statement: str) -> None:
    with store.session("globex", write=True) as session:
        session.execute(text(statement))


def test_row_security_is_on_again(store: Store) -> None:
    inject(store, "SET SESSION row_security = off")
    for _ in range(TURNS):
        with store.session("acme") as session:
            assert session.execute(text("SELECT count(*) FROM entity")).scalar() == 0


def test_no_lock_stays(store: Store) -> None:
    inject(store, "SELECT pg_advisory_lock(1)")
    for _ in range(TURNS):
        with store.session("acme") as session:
            held = session.execute(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).scalar()
    assert held == 0
