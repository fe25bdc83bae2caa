"""Expressions as values."""

from decimal import Decimal

from policy_service.model import Extension, Uid
from policy_service.policy.tree import Attribute, Binary, Constant, Variable


def test_expressions_are_equal_where_they_say_the_same():
    one, other = (Binary("eq", Attribute(Variable("principal"), "a"), Constant(1)) for _ in "ab")
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, Binary("eq", one.left, Constant(True))}) == 2


def test_constants_of_two_types_are_two():
    values = (1, True, Decimal(1), "1", Uid("ip", "::1"), Extension("ip", "::1"), [1], [True], {"a": 1}, {"a": True})
    constants = list(map(Constant, values))
    assert all((a == b) is (a is b) for a in constants for b in constants)
    assert len(set(constants[:6])) == 6
