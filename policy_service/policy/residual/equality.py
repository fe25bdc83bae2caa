"""Whether two values are equal, and in which order they are: of symbols what operators are of values.

What they answer is told on rows that have what both values have to have; on others it is neither true nor false.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import reduce
from operator import and_
from typing import Literal

from policy_service.model import Uid
from policy_service.policy.operators import is_equal
from policy_service.policy.residual.filter import NONE, Constant, Each, Sum, Term, Test, all_of, constant
from policy_service.policy.residual.symbols import (
    Drawn,
    Fixed,
    Listed,
    Long,
    Lost,
    Member,
    Place,
    Recorded,
    Row,
    Symbol,
    Text,
    is_same,
    presence,
    refer,
    store,
)
from policy_service.policy.residual.truth import FAILING, FALSE, TRUE, Truth, always, settle

# by Cedar's name: of which kind both sides have to be, the test, and the one that says the opposite
ORDERS: Mapping[str, tuple[Literal["long", "decimal"], str]] = {
    "less": ("long", "lt"),
    "less_eq": ("long", "le"),
    "greater": ("long", "gt"),
    "greater_eq": ("long", "ge"),
    "decimal_less_than": ("decimal", "lt"),
    "decimal_less_eq": ("decimal", "le"),
    "decimal_greater": ("decimal", "gt"),
    "decimal_greater_eq": ("decimal", "ge"),
}
_SUMS: Mapping[str, Literal["add", "sub", "mul"]] = {"add": "add", "sub": "sub", "mul": "mul"}
_OPPOSITE = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_TURNED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
_SET, _RECORD = Lost("a set made of what the row has"), Lost("a record made of what the row has")


def order(op: str, left: Symbol, right: Symbol) -> Truth:
    """Whether one of two numbers is less, or greater, than the other; on other values it fails."""
    kind, test = ORDERS[op]
    one, other = _number(left, kind), _number(right, kind)
    if one is None or other is None:
        return FAILING
    if isinstance(one, Constant):
        one, other, test = other, one, _TURNED[test]
    there = [Test("has", term) for term in (one, other) if not isinstance(term, Constant)]
    return Truth(Test(test, one, other), Test(_OPPOSITE[test], one, other), all_of(*there))


def total(op: str, left: Symbol, right: Symbol) -> Long | None:
    """The sum, difference or product of two Longs; none where it fails on every row."""
    one, other = _number(left, "long"), _number(right, "long")
    return None if one is None or other is None else Long(Sum(_SUMS[op], one, other))


def _number(symbol: Symbol, kind: Literal["long", "decimal"]) -> Term | None:
    match symbol:
        case Fixed(value) if type(value) is (int if kind == "long" else Decimal):
            return constant(value)
        case Place():
            return symbol.of(kind)
        case Long(term) if kind == "long":
            return term
    return None


def equal(one: Symbol, other: Symbol) -> Truth | Lost:
    """Whether two values are one and the same."""
    if isinstance(one, Fixed) or (isinstance(other, Place) and not isinstance(one, Place)):
        one, other = other, one
    match one:
        case Fixed(value):
            return always(isinstance(other, Fixed) and is_equal(value, other.value))
        case Place():
            return _equal_place(one, other)
        case Row():
            return _equal_row(other)
        case Text():
            return _equal_text(one, other)
        case Drawn():
            return _equal_drawn(one, other)
        case Long():
            return _equal_long(one, other)
        case Listed():
            return _SET if _may_be(other, list) else _never(other)
        case Recorded(fields):
            return _equal_record(fields, other)
        case Member():
            return _SET if _may_be(other, list) else _never(other)
    return one


def _equal_place(place: Place, other: Symbol) -> Truth | Lost:
    match other:
        case Fixed(value):
            stored = store(value)
            return (
                _never(place) if stored is None else settle(Test("eq", place.of(stored.kind), stored), presence(place))
            )
        case Place():
            if other == place:
                return settle(presence(place), presence(place))
            return settle(Test("eq", place.of("any"), other.of("any")), presence(place), presence(other))
        case Text(field):
            return settle(Test("eq", place.of("text"), field), presence(place))
        case Long(term):
            return settle(Test("eq", place.of("long"), term), presence(place), presence(other))
        case Listed():
            return _SET
        case Recorded():
            return _RECORD
    return _never(place, other)


def _equal_row(other: Symbol) -> Truth:
    match other:
        case Row():
            return TRUE
        case Fixed(Uid() as uid):
            return settle(is_same([uid]))
    return _never(other)


def _equal_text(text: Text, other: Symbol) -> Truth:
    match other:
        case Fixed(str() as value):
            stored = store(value)
            return FALSE if stored is None else settle(Test("eq", text.field, stored))
        case Text(field):
            return TRUE if other == text else settle(Test("eq", text.field, field))
    return _never(other)


def _equal_long(long: Long, other: Symbol) -> Truth:
    match other:
        case Fixed(int() as value) if type(value) is int:
            return settle(Test("eq", long.term, constant(value)), presence(long))
        case Long(term):
            return settle(Test("eq", long.term, term), presence(long), presence(other))
    return _never(long, other)


def _equal_drawn(drawn: Drawn, other: Symbol) -> Truth | Lost:
    match other:
        case Fixed(list() as values) if values and all(isinstance(value, Uid) for value in values):
            uids = refer(values)
            if len(uids) < len(values):
                return _never(drawn)
            same = all_of(Each("all", drawn.field, uids), Each("within", drawn.field, uids))
            return settle(same, presence(drawn))
        case Drawn():
            if other == drawn:
                return settle(presence(drawn), presence(drawn))
            same = all_of(Each("covers", drawn.field, other.field), Each("covers", other.field, drawn.field))
            return settle(same, presence(drawn), presence(other))
        case Listed():
            return _SET
    return _never(drawn, other)


def _equal_record(fields: Iterable[tuple[str, Symbol]], other: Symbol) -> Truth | Lost:
    members = dict(fields)
    match other:
        case Fixed(dict() as values):
            others: dict[str, Symbol] = {name: Fixed(value) for name, value in values.items()}
        case Recorded(found):
            others = dict(found)
        case _:
            return _RECORD if _may_be(other, dict) else _never(other)
    if members.keys() != others.keys():
        return FALSE
    truths = [equal(member, others[name]) for name, member in members.items()]
    lost = next((truth for truth in truths if isinstance(truth, Lost)), None)
    return lost or reduce(and_, (truth for truth in truths if isinstance(truth, Truth)), TRUE)


def _may_be(symbol: Symbol, kind: type) -> bool:
    if isinstance(symbol, Fixed):
        return isinstance(symbol.value, kind)
    return isinstance(symbol, Place | (Drawn | Listed | Member if kind is list else Recorded))


def _never(*symbols: Symbol) -> Truth:
    """Two values that can't be equal, but have to be there."""
    return settle(NONE, *map(presence, symbols))
