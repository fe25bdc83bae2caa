"""A filter in fewer words."""

from __future__ import annotations

import pytest

from policy_service.model import Uid
from policy_service.policy.residual.filter import (
    All,
    Below,
    Each,
    End,
    Field,
    Filter,
    Not,
    Some,
    Sum,
    constant,
)
from policy_service.policy.residual.filter import Test as Compare
from policy_service.policy.residual.tidy import tidy
from policy_service.policy.residual.words import explain

A, B = Field(("attribute", "a"), "long"), Field(("attribute", "b"), "text")
TAGS, MEMBER = Field(("attribute", "t"), "set"), Field(("attribute", "r", "m"), "text")
ONE, TWO, X = constant(1), constant(2), constant("x")
X_UID, Y_UID = Uid("Folder", "x"), Uid("Folder", "y")


def there(field: Field, kind: str = "any") -> Filter:
    return Compare("has", Field(field.path, kind))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filter_", "words"),
    [
        (Some((Compare("eq", A, ONE), Compare("eq", A, TWO))), "a is one of 1, 2"),
        (Some((Compare("in", A, (ONE,)), Compare("eq", A, TWO), Compare("eq", A, ONE))), "a is one of 1, 2"),
        (Some((Compare("eq", A, ONE), Compare("eq", B, X))), '(a = 1 or b = "x")'),
        (Some((Compare("eq", A, ONE), Compare("eq", A, A))), "(a = 1 or a = a)"),
        (Some((Each("any", TAGS, (ONE,)), Each("any", TAGS, (X,)))), 'some of t is one of 1, "x"'),
        (Some((Each("all", TAGS, (ONE,)), Each("all", TAGS, (X,)))), '(t contains all of 1 or t contains all of "x")'),
        (Some((Below((X_UID,)), Below((Y_UID, X_UID)))), "the row is or is in Folder:x, Folder:y"),
        (All((Compare("eq", A, ONE), Compare("eq", A, TWO))), "(a = 1 and a = 2)"),
        (All((there(A), Compare("lt", A, ONE))), "a < 1"),
        (All((there(A), Compare("lt", Sum("add", A, ONE), TWO))), "(a + 1) < 2"),
        (All((there(A), Not(Compare("lt", A, ONE)))), "(a is there and not (a < 1))"),
        (All((there(A), there(A, "text"))), "a is a text"),
        (All((there(Field(MEMBER.path[:2], "any")), Compare("eq", MEMBER, X))), 'r.m = "x"'),
        (All((there(Field(MEMBER.path[:2], "any"), "record"), there(MEMBER))), "r.m is there"),
        (All((there(TAGS), there(A), Each("has", TAGS, A))), "t contains a"),
        (Not(All((there(A), Compare("eq", A, ONE)))), "not (a = 1)"),
        (End("to", All((there(A), Compare("eq", A, ONE)))), "the entity it goes to is stored, and of it a = 1"),
    ],
)
def test_the_same_is_said_shorter(filter_: Filter, words: str) -> None:
    assert explain(tidy(filter_)) == words
