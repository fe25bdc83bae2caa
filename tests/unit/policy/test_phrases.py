"""Expressions that two languages have in common."""

from __future__ import annotations

from decimal import Decimal

from policy_service.policy.phrases import FAILING, FALSE, TRUE, is_among, join, literal, negate
from policy_service.policy.tree import Binary, Constant, IdOf, RecordOf, SetOf, Unary, Variable

A, B, C = (Unary("is_empty", Constant(name)) for name in "abc")


def test_join_asks_in_order_and_no_more_than_it_must():
    assert join("and", [A, B, C]) == Binary("and", A, Binary("and", B, C))
    assert join("or", [A]) == A
    assert join("and", []) == TRUE
    assert join("or", []) == FALSE
    assert join("and", [TRUE, A, TRUE]) == A
    # what stands before the part that decides can fail, what stands behind it is not asked
    assert join("and", [A, FALSE, B]) == Binary("and", A, FALSE)
    assert join("or", [TRUE, A]) == TRUE
    assert join("or", [FAILING, TRUE]) == Binary("or", FAILING, TRUE)


def test_negate():
    assert negate(TRUE) == FALSE
    assert negate(A) == Unary("not", A)
    assert negate(negate(A)) == A
    assert negate(FAILING) == Unary("not", FAILING)


def test_literals():
    assert literal(["a", 0.5, {"b": True}]) == SetOf(
        (Constant("a"), Constant(Decimal("0.5")), RecordOf((("b", Constant(True)),)))
    )


def test_texts_are_compared_as_cedar_does():
    assert is_among(IdOf("principal"), ["a"]) == Binary("eq", IdOf("principal"), Constant("a"))
    assert is_among(A, [1]) == Binary("alike", A, Constant(1))
    assert is_among(A, ["a", "b"]) == Binary("contains", literal(["a", "b"]), A)
    assert is_among(A, ["a", 1]) == Binary("contains_alike", literal(["a", 1]), A)
    assert is_among(Variable("context"), []) == Binary("contains", SetOf(()), Variable("context"))
