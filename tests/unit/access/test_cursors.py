"""Cursors say nothing to who holds them, not by their length either."""

from __future__ import annotations

import pytest

from policy_service.access.cursors import Cursor, read_cursor, write_cursor
from policy_service.errors import RequestError
from policy_service.model import Caller, Thing
from policy_service.store.door import Store

BOB = Caller("acme", "k", frozenset({"read"}), Thing("user", "bob"))


def test_a_cursor_is_read_by_whom_it_was_written_for(store: Store) -> None:
    for after in ("", "x" * 1_000, "é" * 200):
        cursor = Cursor(after, "v1")
        text = write_cursor(store.keys, BOB, "q", cursor)
        assert read_cursor(store.keys, BOB, "q", text) == cursor
        for other, question in (
            (BOB, "p"),
            (Caller("acme", "l", BOB.scopes, BOB.subject), "q"),
            (Caller("acme", "k", BOB.scopes, Thing("user", "eve")), "q"),
            (Caller("globex", "k", BOB.scopes, BOB.subject), "q"),
        ):
            with pytest.raises(RequestError):
                read_cursor(store.keys, other, question, text)


def test_how_long_what_it_names_is_does_not_show(store: Store) -> None:
    lengths = {len(write_cursor(store.keys, BOB, "q", Cursor("x" * length, "v1"))) for length in range(0, 200, 7)}
    assert len(lengths) == 1
    lengths = {len(write_cursor(store.keys, BOB, "q", Cursor("x" * n, "v1"), 1_536)) for n in range(0, 1_000, 99)}
    assert len(lengths) == 1
