"""How long the values are that a facet tells, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from policy_service.assets.find import facets
from policy_service.errors import RequestError
from policy_service.policy.residual.filter import EVERY, Field, constant, none_of
from policy_service.policy.residual.filter import Test as Is
from tests.unit.assets.inventories import entity, make_bundle, opened

LONG = 60 * 1024
# of these as many are told
ROOM = 1024 * 1024 // LONG


def make(number: int) -> str:
    return chr(ord("a") + number) * LONG


def test_long_values_are_told_whole_as_far_as_an_answer_has_room(store) -> None:
    with opened(store, make_bundle(indexed="zone, tag.k")) as inventory:
        for number in range(ROOM + 1):
            # all have the same tag, which is told once
            seen = "hidden" if number == ROOM else "seen"
            entity(inventory, f"k{number}", zone=make(number), tag__k="t" * LONG, env=seen)
        assert len(facets(inventory, "entity", EVERY, "zone", ROOM)) == ROOM
        with pytest.raises(RequestError, match="values of `zone` are too long to be counted by, ask for fewer"):
            facets(inventory, "entity", EVERY, "zone", ROOM + 1)
        assert facets(inventory, "entity", EVERY, "tag.k", 9) == [("t" * LONG, ROOM + 1)]
        # what is not among the rows counts for nothing
        shown = none_of(Is("eq", Field(("attribute", "env"), "text"), constant("hidden")))
        told = sorted(facets(inventory, "entity", shown, "zone", 1_000))
        assert told == [(make(number), 1) for number in range(ROOM)]


def test_what_is_too_long_is_never_read(store, monkeypatch) -> None:
    monkeypatch.setattr("policy_service.assets.sql.facets._WHOLE", 2 * LONG)
    statements: list[str] = []
    with opened(store, make_bundle(indexed="zone")) as inventory:
        for number in range(3):
            entity(inventory, f"k{number}", zone=[make(number), "short"])
        connection = inventory.session.connection()
        event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2]))
        assert facets(inventory, "entity", EVERY, "zone", 1) == [("short", 3)]
        assert not any("whole" in text for text in statements)
        with pytest.raises(RequestError):
            facets(inventory, "entity", EVERY, "zone", 9)
        assert ["length(" in text for text in statements if "whole" in text] == [True]
