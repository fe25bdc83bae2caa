"""What Python takes for one value: every value that is spelt is the same to it, and no other is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policy_service.model import Uid, Value
from policy_service.policy.extensions import LARGEST, SMALLEST
from policy_service.policy.likeness import see
from policy_service.policy.operators import identify
from policy_service.policy.spelling import find_limits, spell
from policy_service.policy.stored_values import decode, encode
from policy_service.policy.values import NUMBER, plain
from tests.property.filter_draws import by_seed
from tests.property.tree_draws import NUMBERS, draw_value

BIG = Decimal("900000000000000.0001")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", ["a"]),
        (1, [1, True]),
        (1.0, [1, True]),
        (False, [0, False]),
        (7, [7]),
        (1.5, [Decimal("1.5")]),
        (0.12345, []),
        (2**63, []),
        (1e30, []),
        (2**38, [2**38]),
        (1.7e12, [1_700_000_000_000, Decimal("1699999999999.9999"), Decimal("1700000000000.0001")]),
        (9e14, None),
        ([], [[]]),
        (["a", "b"], [["a", "b"]]),
        (["b", "a"], []),
        ([1, "a"], []),
        (["a", 1], [["a", 1], ["a", True]]),
        ([1, [2]], [[1, [2]]]),
        ([[2], 1], [[[2], True]]),
        ([0, 1] * 3, None),
        ([{"type": "user", "id": "a"}], None),
        ({"type": "user", "id": "a"}, [{"type": "user", "id": "a"}, Uid("user", "a")]),
        ({"type": "user", "id": 7}, [{"type": "user", "id": 7}]),
        ({"a": 1}, [{"a": 1}, {"a": True}]),
        ({NUMBER: "1e30"}, [{NUMBER: "1e30"}]),
        ({}, [{}]),
    ],
)
def test_spellings(value: Any, expected: list[Any] | None) -> None:
    spelt = spell(value)
    assert (spelt is None) is (expected is None)
    assert list(map(identify, spelt or ())) == list(map(identify, expected or ()))


def test_what_is_spelt_is_what_is_equal() -> None:
    draws = by_seed(0)
    values = [see(draw_value(draws)) for _ in range(150)] + [BIG, 1, True, 0, 1_700_000_000_000]
    values = [value for value in values if _is_of_a_row(value)]
    met = 0
    for one in values:
        spelt = spell(plain(one))
        for other in values if spelt is not None else ():
            same = identify(other) in {identify(value) for value in spelt or ()}
            assert same is (plain(one) == plain(other)), (one, other, spelt)
            met += same
    assert met > len(values)


def _is_of_a_row(value: Value) -> bool:
    """Whether a row can hold it: its sets are in their order, which sets of extension values seen as texts are not."""
    try:
        return repr(plain(decode(encode(value)))) == repr(plain(value))
    except ValueError:
        return False


@pytest.mark.parametrize("beyond", [False, True])
@pytest.mark.parametrize("number", NUMBERS)
def test_limits_are_the_first_on_the_other_side(number: float, beyond: bool) -> None:
    limits = find_limits(number, beyond=beyond)
    longs = [SMALLEST, SMALLEST + 1, -1, 0, 1, 2, LARGEST - 1, LARGEST]
    if SMALLEST < number < LARGEST:
        longs += [int(number) + step for step in (-1, 0, 1)]
    scaled = [each * 10_000 for each in longs if abs(each) < 9e14]
    if abs(number) < 9e14:
        scaled += [int(number * 10_000) + step for step in range(-200, 200)]
    found = [
        *((long, limits.long) for long in longs),
        *((value, limits.decimal) for value in (Decimal(each).scaleb(-4) for each in (*scaled, SMALLEST, LARGEST))),
    ]
    for value, limit in found:
        less = plain(value) <= number if beyond else plain(value) < number
        assert less is (limit is None or value < limit), (value, limit)
