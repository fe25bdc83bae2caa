"""When an expression is true, when it is false, and where it fails."""

from __future__ import annotations

from itertools import product

import pytest

from policy_service.model import Entity, Uid
from policy_service.policy.residual.filter import EVERY, NONE, Field, Filter, Opaque, any_of, constant
from policy_service.policy.residual.filter import Test as Compare
from policy_service.policy.residual.rows import matches
from policy_service.policy.residual.truth import FAILING, FALSE, TRUE, Truth, choose, count_leaves, settle

A, B = (Field(("attribute", name), "bool") for name in "ab")


def asked(field: Field) -> Truth:
    yes = Compare("eq", field, constant(True))
    return settle(yes, Compare("has", field))


def row(**values: bool) -> Entity:
    return Entity(Uid("host", "h"), values)


def value(truth: Truth, entity: Entity) -> bool | None:
    yes, no = matches(truth.yes, entity), matches(truth.no, entity)
    assert not (yes and no)
    # where it does not fail is said, or not said
    assert truth.told is None or matches(truth.told, entity) == (yes or no)
    return True if yes else False if no else None


def in_order(op: str, one: bool | None, other: bool | None) -> bool | None:
    """What `and` and `or` are: the right side is asked where the left does not say it all."""
    decides = op == "or"
    return one if one is None or one is decides else other


ROWS = [
    row(**{n: v for n, v in zip("ab", values, strict=True) if v is not None})
    for values in product((True, False, None), repeat=2)
]


@pytest.mark.parametrize("entity", ROWS, ids=lambda entity: str(entity.attributes))
@pytest.mark.parametrize("op", ["and", "or"])
@pytest.mark.parametrize("guard", [True, False])
def test_and_and_or_ask_in_order(entity: Entity, op: str, guard: bool) -> None:
    one = settle(Compare("has", B)) if guard else asked(A)
    other = asked(B)
    both = one & other if op == "and" else one | other
    assert value(both, entity) is in_order(op, value(one, entity), value(other, entity))
    assert value(~both, entity) is (None if value(both, entity) is None else not value(both, entity))


def test_what_is_guarded_never_fails() -> None:
    guarded = settle(Compare("has", B)) & asked(B)
    assert guarded.told == EVERY
    assert (asked(A) & asked(A)).told == Compare("has", A)
    assert (asked(A) & asked(B)).told is None


def test_constants() -> None:
    assert TRUE & asked(A) == asked(A)
    assert (FALSE & asked(A)).yes == NONE
    assert (TRUE | asked(A)).yes == EVERY
    assert (FAILING & TRUE, FAILING | TRUE) == (FAILING, FAILING)


def test_exclusive_conditions_choose() -> None:
    when = Compare("has", A)
    assert choose([(EVERY, TRUE)]) == TRUE
    assert choose([]) == Truth(NONE, NONE)
    assert choose([(when, TRUE), (NONE, FALSE)]) == Truth(when, NONE)


def test_what_is_opaque_is_never_taken_to_be_told() -> None:
    opaque = Truth(Opaque("x"), Opaque("x"))
    assert (TRUE & opaque).told is None
    assert (asked(A) | opaque).told is None


def test_leaves_are_counted() -> None:
    three: Filter = any_of(*(Compare("has", Field(("attribute", name), "any")) for name in "abc"))
    assert count_leaves(three) == 3
    assert Truth(three, three).size == 6
