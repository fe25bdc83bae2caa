"""Values as Python sees and compares them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policy_service.model import Extension, Uid
from policy_service.policy.likeness import COMPARE, see, walk
from policy_service.policy.operators import identify


def test_what_is_seen():
    values = [Uid("user", "a"), Extension("ip", "::1"), Decimal("1.0"), Decimal("1.5"), {"x": Uid("user", "b")}, True]
    expected = [{"type": "user", "id": "a"}, "::1", 1, Decimal("1.5"), {"x": {"type": "user", "id": "b"}}, True]
    assert list(map(identify, see(values))) == list(map(identify, expected))


def test_a_path_goes_through_records_alone():
    members = {"a": {"b": {"c": 1}}, "owner": Uid("user", "bob"), "set": [{"c": 1}]}
    assert walk(members, ("a", "b", "c")) == 1
    assert walk(members, ("owner", "id")) == "bob"
    for steps in (("x",), ("a", "x"), ("a", "b", "c", "d"), ("owner", "name"), ("set", "c")):
        with pytest.raises(ValueError, match=f"`{steps[-1]}`"):
            walk(members, steps)


@pytest.mark.parametrize(
    ("op", "one", "other", "expected"),
    [
        ("alike", 1, True, True),
        ("alike", Decimal("900000000000000.0001"), 900_000_000_000_000, True),
        ("alike", "1", 1, False),
        ("alike", [1, [True]], [True, [1]], True),
        ("contains_alike", [{"a": 1}], {"a": True}, True),
        ("contains_alike", [], 1, False),
        ("contains_any_alike", [0, "a"], [False], True),
        ("contains_all_alike", [0, "a"], [False, "a"], True),
        ("contains_all_alike", [0], [False, "a"], False),
        ("contains_all_alike", [], [], True),
        ("before", 1, Decimal("1.5"), True),
        ("before", "a", "b", True),
        ("before", "B", "a", True),
        ("before", True, 1, False),
        ("before", [1], [1, 2], True),
    ],
)
def test_comparisons(op, one, other, expected):
    assert COMPARE[op](one, other) is expected


@pytest.mark.parametrize(
    ("op", "one", "other"),
    [
        ("contains_alike", "ab", "a"),
        ("contains_any_alike", [1], 1),
        ("contains_any_alike", {}, [1]),
        ("contains_all_alike", [1], "a"),
        ("before", 1, "a"),
        ("before", {}, {}),
    ],
)
def test_what_can_t_be_compared(op, one, other):
    with pytest.raises(TypeError):
        COMPARE[op](one, other)
