"""What Python takes for the same, of rows."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from policy_service.model import Entity, Uid, Value
from policy_service.policy.likeness import COMPARE
from policy_service.policy.residual.alike import alike, before, contains_alike, contains_all_alike, contains_any_alike
from policy_service.policy.residual.rows import matches
from policy_service.policy.residual.symbols import ID, Fixed, Lost, Member, Place, Text
from policy_service.policy.residual.words import explain

HELD = Place(("attribute", "a"))
SCALARS: tuple[Value, ...] = (
    "a", "1", "", 0, 1, 2, -1, True, False, Decimal("1.5"), Decimal("0.5"), 2**53 + 1, {"__number": "1e30"}, {"x": 1},
)  # fmt: skip
LISTS: tuple[Value, ...] = ([], ["a"], [1], [True], ["a", 0], [2, Decimal("1.5")], [[1]])
TESTS = {
    "alike": alike,
    "contains_alike": contains_alike,
    "contains_any_alike": contains_any_alike,
    "contains_all_alike": contains_all_alike,
    "before": before,
}


def ask(op: str, one: Value, other: Value) -> bool | None:
    try:
        return COMPARE[op](one, other)
    except TypeError:
        return None


@pytest.mark.parametrize("op", TESTS)
def test_a_row_is_compared_as_python_compares(op: str) -> None:
    told = 0
    for held, known, turned in product((*SCALARS, *LISTS), (*SCALARS, *LISTS), (False, True)):
        sides: list[Any] = [HELD, Fixed(known)]
        values = [held, known]
        if turned:
            sides.reverse()
            values.reverse()
        verdict = TESTS[op](*sides)
        if isinstance(verdict, Lost):
            continue
        row = Entity(Uid("host", "h"), {"a": held})
        yes, no = matches(verdict.yes, row), matches(verdict.no, row)
        assert (True if yes else False if no else None) is ask(op, *values), (values, explain(verdict.yes))
        told += 1
    assert told > 300


def test_an_absent_value_fails() -> None:
    row = Entity(Uid("host", "h"), {})
    for test in TESTS.values():
        for known in (*SCALARS, *LISTS):
            for verdict in (test(HELD, Fixed(known)), test(Fixed(known), HELD)):
                if not isinstance(verdict, Lost):
                    assert not matches(verdict.yes, row)
                    assert not matches(verdict.no, row)


def test_ids_are_texts() -> None:
    row = Entity(Uid("host", "h"), {"a": "h"})
    for known, same in (("h", True), ("x", False), (1, False)):
        verdict = alike(Fixed(known), Text(ID))
        assert not isinstance(verdict, Lost)
        assert (matches(verdict.yes, row), matches(verdict.no, row)) == (same, not same)
    among = contains_alike(Fixed(["h", 1]), Text(ID))
    assert not isinstance(among, Lost)
    assert explain(among.yes) == 'id = "h"'


def test_groups_of_the_row_are_ancestors() -> None:
    for verdict, words in (
        (contains_alike(Member(), Fixed("staff")), "the row is or is in group:staff"),
        (contains_alike(Member(), Fixed(1)), "no row"),
        (contains_any_alike(Fixed(["a", "b"]), Member()), "the row is or is in group:a, group:b"),
        (
            contains_all_alike(Member(), Fixed(["a", "b"])),
            "(the row is or is in group:a and the row is or is in group:b)",
        ),
    ):
        assert not isinstance(verdict, Lost)
        assert explain(verdict.yes) == words


NEAR = 1_700_000_000_000
HELD_NUMBERS: tuple[Value, ...] = (
    NEAR - 1, NEAR, Decimal("1699999999999.9998"), Decimal("1699999999999.9999"), Decimal("1700000000000.0001"),
    Decimal("1700000000000.0002"), Decimal("0.1234"), Decimal("0.1235"), Decimal("-0.1234"), Decimal("-0.1235"),
    2**63 - 1, -(2**63), True, False, 0,
)  # fmt: skip
KNOWN_NUMBERS: tuple[Value, ...] = (
    NEAR, Decimal("0.12345"), Decimal("-0.12345"), 2**63 - 1, 2**53 + 1, 2**70, -(2**70), Decimal("1e20"),
)  # fmt: skip


@pytest.mark.parametrize("op", ["before", "alike"])
def test_numbers_of_any_size_and_digits(op: str) -> None:
    """A float stands for several decimals where it is large, and a policy may write more digits than a decimal has."""
    for held, known, turned in product(HELD_NUMBERS, KNOWN_NUMBERS, (False, True)):
        sides: list[Any] = [Fixed(known), HELD] if turned else [HELD, Fixed(known)]
        verdict = TESTS[op](*sides)
        if isinstance(verdict, Lost):
            assert (op, abs(int(Decimal(str(known)))) > 2**50) == ("alike", True)
            continue
        row = Entity(Uid("host", "h"), {"a": held})
        told = [matches(part, row) for part in (verdict.yes, verdict.no)]
        expected = ask(op, known, held) if turned else ask(op, held, known)
        assert told == [expected, not expected], (held, known, turned)
