"""A filter can be read."""

from __future__ import annotations

from decimal import Decimal

from policy_service.model import Uid
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Below,
    Each,
    End,
    Field,
    Opaque,
    Sum,
    all_of,
    any_of,
    constant,
    none_of,
)
from policy_service.policy.residual.filter import Test as Compare
from policy_service.policy.residual.words import explain

ENV = Field(("attribute", "env"), "text")
TEAM = Field(("attribute", "team"), "set")
SIZE = Field(("attribute", "size"), "long")


def test_filters_are_told_in_words() -> None:
    prod = Compare("eq", ENV, constant("prod"))
    assert explain(EVERY) == "every row"
    assert explain(NONE) == "no row"
    assert explain(prod) == 'env = "prod"'
    assert explain(Compare("has", Field(("tag", "env"), "any"))) == "tag.env is there"
    assert explain(Compare("has", SIZE)) == "size is a long"
    assert explain(Compare("eq", SIZE, constant(Decimal("1.5")))) == "size = 1.5"
    assert explain(none_of(prod)) == 'not (env = "prod")'
    assert explain(Compare("like", ENV, ("a", None, "b"))) == 'env is like "a*b"'
    assert explain(Compare("lt", Sum("add", SIZE, constant(1)), constant(5))) == "(size + 1) < 5"
    assert explain(Each("any", TEAM, (constant(Uid("Team", "red")),))) == "some of team is one of Team:red"
    assert explain(Below((Uid("Folder", "x"), Uid("Group", "y")))) == "the row is or is in Folder:x, group:y"
    assert explain(End("to", prod)) == 'the entity it goes to is stored, and of it env = "prod"'
    assert explain(Compare("in", ENV, (constant("a"), constant("b")))) == 'env is one of "a", "b"'
    assert explain(any_of(prod, all_of(Compare("has", ENV), Opaque("it calls `ip`", "p1")))) == (
        '(env = "prod" or (env is a text and decided one by one: it calls `ip` (policy p1)))'
    )


def test_long_lists_are_cut() -> None:
    told = explain(Compare("in", SIZE, tuple(map(constant, range(25)))))
    assert told.startswith("size is one of 0, 1, 2,")
    assert told.endswith("19 and 5 more")
