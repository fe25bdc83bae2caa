"""What is kept of compiled statements takes so much room, whatever people search for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from policy_service.store import statements
from policy_service.store.postgres import make_engine, read_url
from policy_service.store.sqlcipher import _COMPILED
from policy_service.store.statements import Statements


def test_so_many_characters_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "CHARACTERS", 100)
    kept = Statements()
    for number in range(10):
        kept[number] = SimpleNamespace(string="x" * 20)
    assert 0 < len(kept) <= 5
    assert kept.get(9) is not None
    # a long one is made anew each time, and takes the room of no other
    kept["long"] = SimpleNamespace(string="x" * 26)
    assert kept.get("long") is None
    assert kept.get(9) is not None


def test_both_databases_keep_no_more() -> None:
    engine = make_engine(read_url("postgresql://a:b@h/d", "X"))
    assert isinstance(engine.get_execution_options()["compiled_cache"], Statements)
    assert isinstance(_COMPILED, Statements)
