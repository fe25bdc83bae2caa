"""Filters are made flat, and bounds leave out what is opaque."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policy_service.model import Extension, Uid, Value
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    All,
    Constant,
    End,
    Field,
    Filter,
    Kind,
    Not,
    Opaque,
    Some,
    all_of,
    any_of,
    bound,
    constant,
    find_opaque,
    kind_of,
    none_of,
)
from policy_service.policy.residual.filter import Test as Compare

A, B, C, D, E = (Compare("has", Field(("attribute", name), "any")) for name in "abcde")
UNKNOWN = Opaque("a reason")


def test_parts_are_flat_and_each_once() -> None:
    assert all_of(A, all_of(B, A), EVERY) == All((A, B))
    assert any_of(A, any_of(B, A), NONE) == Some((A, B))
    assert all_of(A, B, C, D, E, A, E) == All((A, B, C, D, E))
    assert any_of(A, B, C, D, E, A, E) == Some((A, B, C, D, E))
    assert all_of(any_of(A, B), C) == All((Some((A, B)), C))
    assert all_of(A) == any_of(A) == all_of(A, A) == A


def test_nothing_and_everything() -> None:
    assert all_of() == EVERY
    assert any_of() == NONE
    assert all_of(A, NONE) == NONE
    assert any_of(A, EVERY) == EVERY
    assert (none_of(EVERY), none_of(NONE)) == (NONE, EVERY)
    assert none_of(none_of(A)) == A


@pytest.mark.parametrize(
    ("filter_", "lower", "upper"),
    [
        (A, A, A),
        (UNKNOWN, NONE, EVERY),
        (all_of(A, UNKNOWN), NONE, A),
        (any_of(A, UNKNOWN), A, EVERY),
        (Not(UNKNOWN), NONE, EVERY),
        (Not(all_of(A, UNKNOWN)), Not(A), EVERY),
        (Not(any_of(A, UNKNOWN)), NONE, Not(A)),
        (End("to", UNKNOWN), NONE, End("to", EVERY)),
        (Not(End("to", UNKNOWN)), Not(End("to", EVERY)), EVERY),
        # two that read the same may be true and not true of one row
        (all_of(UNKNOWN, Not(UNKNOWN)), NONE, EVERY),
    ],
    ids=str,
)
def test_bounds(filter_: Filter, lower: Filter, upper: Filter) -> None:
    assert bound(filter_, upper=False) == lower
    assert bound(filter_, upper=True) == upper


def test_what_is_opaque_is_found() -> None:
    other = Opaque("another")
    assert list(find_opaque(all_of(A, Not(any_of(UNKNOWN, B)), End("to", other)))) == [UNKNOWN, other]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("a", "text", '"a"'),
        (1, "long", "1"),
        (True, "bool", "true"),
        (Decimal("1.5"), "decimal", '{"@dec":15000}'),
        ({"__number": "1e30"}, "number", '{"@num":"1e30"}'),
        (["b", "a", "b"], "set", '["a","b"]'),
        ({"b": 1, "a": 2}, "record", '{"a":2,"b":1}'),
        (Uid("user", "bob"), "entity", '{"@":"user::\\"bob\\""}'),
    ],
)
def test_constants_are_what_is_stored(value: Value, kind: Kind, text: str) -> None:
    assert constant(value) == Constant(kind, text)
    assert kind_of(value) == kind
    assert constant(constant(value).value) == constant(value)


@pytest.mark.parametrize("value", ["a\0", "\ud800", ["\0"], {"\0": 1}, [Extension("ip", "10.0.0.1")]])
def test_what_can_not_be_stored_is_no_constant(value: Value) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        constant(value)
