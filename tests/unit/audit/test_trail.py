"""Changes noted in the transaction of the change, and never taken back."""

from __future__ import annotations

import contextlib
import json

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from policy_service.audit.sealer import seal
from policy_service.audit.trail import Origin, digest, note
from policy_service.audit.trail_pages import Entry, read_entries
from policy_service.errors import PolicyServiceError
from policy_service.store.data_keys import DataKey
from policy_service.store.door import Store
from policy_service.store.tables import TRAIL, TrailEntryRow
from tests.unit.audit.trails import AT, change, grow

TABLES = [table.name for table in TRAIL]


def ids(store: Store, account: str = "acme", since: float = 0, until: float | None = None) -> list[str]:
    entries = read_entries(store, account, round(since * 1e6), None if until is None else round(until * 1e6))
    return [json.loads(entry.body)["id"] for entry in entries]


def test_an_entry_says_who_what_when_from_where_and_why(store: Store) -> None:
    grow(store, "acme", "e-1")
    (entry,) = read_entries(store, "acme")
    assert entry.seq is None
    assert json.loads(entry.body) == {
        "action": "create",
        "kind": "entity",
        "id": "e-1",
        "before": None,
        "after": "ab",
        "by": {"subject": "user:alice", "key": "k-1", "address": "10.0.0.1", "request": "r-1"},
        "policy_version": "v1",
        "reasons": ["may-create"],
        "detail": {"type": "host"},
        "at": 1_767_225_600_250_000,
    }


def test_an_entry_shares_the_fate_of_its_change(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.session("acme", write=True) as session:
        note(session, [change("e-1")], AT)
        session.flush()
        raise ZeroDivisionError
    assert ids(store) == []


def test_order_is_that_of_time_and_within_one_call_as_given(store: Store) -> None:
    names = [f"e-{number}" for number in range(40)]
    grow(store, "acme", "later", at=AT + 1)
    grow(store, "acme", *names)
    grow(store, "acme", "before the epoch", at=-1)
    assert ids(store) == ["before the epoch", *names, "later"]
    assert ids(store, since=AT + 0.5) == ["later"]
    assert ids(store, until=AT + 1)[-1] == "e-39"


def test_pages_are_joined(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policy_service.audit.trail_pages.PAGE", 2)
    names = [f"e-{number}" for number in range(4)]
    grow(store, "acme", *names)
    assert ids(store) == names


def test_nothing_changed_is_nothing_noted(store: Store) -> None:
    with store.session("acme", write=True) as session:
        note(session, [], AT)
    assert ids(store) == []


def test_an_account_has_its_own_trail(store: Store) -> None:
    grow(store, "acme", "ours")
    assert ids(store, "globex") == []


def test_names_can_be_any_text(store: Store) -> None:
    odd = 'a"\\\0\n\x1b[31m\ud800😀'
    with store.session("acme", write=True) as session:
        note(session, [change(odd, by=Origin(odd, odd, odd, odd), reasons=(odd,))], AT)
    (entry,) = read_entries(store, "acme")
    assert json.loads(entry.body)["by"]["subject"] == odd


def test_a_fraction_is_refused_before_anything_is_written(store: Store) -> None:
    with pytest.raises(TypeError), store.session("acme", write=True) as session:
        note(session, [change("e-1", detail={"share": 0.5})], AT)
    assert ids(store) == []


@pytest.mark.parametrize("table", TRAIL, ids=TABLES)
def test_the_run_time_role_can_not_change_what_was_written(store: Store, table: object) -> None:
    grow(store, "acme", "e-1")
    seal(store, "acme")
    statements = (
        update(table).values(account_id="acme"),
        delete(table),
        text(f"UPDATE {table} SET account_id = account_id"),
        text(f"DELETE FROM {table}"),
    )
    for statement in statements:
        with pytest.raises((DBAPIError, PolicyServiceError)), store.session("acme", write=True) as session:
            session.execute(statement)
    assert ids(store) == ["e-1"]


def test_an_entry_can_not_be_replaced(store: Store) -> None:
    grow(store, "acme", "e-1")
    with store.session("acme") as session:
        row = session.scalars(select(TrailEntryRow)).one()
    upsert = {
        "sqlite": "INSERT OR REPLACE INTO trail_entry VALUES ('acme', :id, '{}')",
        "postgresql": "INSERT INTO trail_entry VALUES ('acme', :id, '{}') "
        "ON CONFLICT (account_id, id) DO UPDATE SET body = '{}'",
    }[store.backend]
    with pytest.raises((DBAPIError, PolicyServiceError)), store.session("acme", write=True) as session:
        session.execute(text(upsert), {"id": row.id})
    assert list(read_entries(store, "acme")) == [Entry(row.id, row.body, None)]


def test_a_digest_is_keyed() -> None:
    ours, theirs = DataKey("acme", 1, b"a" * 32), DataKey("acme", 1, b"b" * 32)
    assert digest(ours, b"body") == digest(ours, b"body")
    assert len({digest(ours, b"body"), digest(theirs, b"body"), digest(ours, b"other")}) == 3
