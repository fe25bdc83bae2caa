"""Of an entity without attributes a filter is true only where it asks for none."""

from __future__ import annotations

import pytest

from policy_service.model import Uid
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Below,
    Each,
    Field,
    Sum,
    all_of,
    any_of,
    constant,
    none_of,
)
from policy_service.policy.residual.filter import Test as Is
from policy_service.policy.residual.strangers import admits_strangers

OWNED = Is("eq", Field(("attribute", "owner"), "text"), constant("ada"))
TEAM = Each("any", Field(("attribute", "team"), "set"), (constant(Uid("Team", "red")),))
TYPE = Is("eq", Field(("type",), "text"), constant("host"))
TAGGED = Is("has", Field(("tag", "env"), "any"))
ADDED = Is("lt", Sum("add", Field(("attribute", "n"), "long"), constant(1)), constant(5))
BELOW = Below((Uid("Team", "red"),))


@pytest.mark.parametrize(
    "filter_",
    [NONE, OWNED, TEAM, TAGGED, ADDED, any_of(OWNED, TEAM), all_of(TYPE, OWNED), all_of(OWNED, none_of(TAGGED))],
)
def test_what_asks_for_attributes_admits_none(filter_) -> None:
    assert not admits_strangers(filter_)


@pytest.mark.parametrize(
    "filter_", [EVERY, TYPE, BELOW, none_of(OWNED), any_of(OWNED, TYPE), all_of(none_of(TEAM), BELOW)]
)
def test_what_does_not_may(filter_) -> None:
    assert admits_strangers(filter_)
