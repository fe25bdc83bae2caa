"""Comparisons as Python has them, for py-abac and casbin: where `true` is 1, a decimal a float and a set a list.

A known value stands for all that a row could hold which Python takes for the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, Decimal

from policy_service.model import Uid, Value
from policy_service.policy.extensions import Known
from policy_service.policy.names import GROUP
from policy_service.policy.residual.equality import equal
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Below,
    Constant,
    Each,
    Filter,
    Test,
    all_of,
    any_of,
    constant,
)
from policy_service.policy.residual.sets import Verdict
from policy_service.policy.residual.symbols import (
    Drawn,
    Fixed,
    Listed,
    Lost,
    Member,
    Place,
    Symbol,
    Text,
    is_among,
    presence,
    store,
)
from policy_service.policy.residual.truth import FAILING, Truth, settle
from policy_service.policy.values import plain, read_number, read_set

# numbers up to here have a float of their own, whatever their four digits behind the point
_EXACT = 2**38
# how many decimals may have the float of one number before that is more than is listed
_NEAR = 16
_TEN_THOUSAND = 10_000
_COMPARED = Lost("values of the row are compared as Python does it")


def alike(one: Symbol, other: Symbol) -> Verdict:
    """Whether two values are the same to Python."""
    if isinstance(one, Fixed) or isinstance(other, Text):
        one, other = other, one
    match one, other:
        case Text(), _:
            # a text is the same as another text, and as nothing else
            return equal(one, other)
        case Place(), Fixed(value):
            values = _likes([value])
            return _COMPARED if values is None else settle(is_among(one.of("any"), values), presence(one))
    return _COMPARED


def contains_alike(one: Symbol, other: Symbol) -> Verdict:
    """Whether a list has an element that is the same to Python."""
    match one, other:
        case Place(), Fixed(value):
            values = _likes([value])
            return _COMPARED if values is None else settle(_has_any(one, values), _is_set(one))
        case Fixed(list() as found), (Place() | Text()):
            values = _likes(found)
            field = other.of("any") if isinstance(other, Place) else other.field
            if values is None:
                return _COMPARED
            texts = [value for value in values if value.kind == "text"]
            return settle(is_among(field, texts if isinstance(other, Text) else values), presence(other))
        case Member(), Fixed(value):
            return settle(_is_in_group([value]))
        case (Place() | Member() | Drawn() | Listed(), _) | (Fixed(list()), _):
            return _COMPARED
    return FAILING


def contains_any_alike(one: Symbol, other: Symbol) -> Verdict:
    """Whether two lists have an element that is the same to Python."""
    if isinstance(one, Fixed):
        one, other = other, one
    if not isinstance(other, Fixed) or not isinstance(one, Place | Member):
        return _COMPARED
    if not isinstance(other.value, list):
        return FAILING
    if isinstance(one, Member):
        return settle(_is_in_group(other.value))
    values = _likes(other.value)
    return _COMPARED if values is None else settle(_has_any(one, values), _is_set(one))


def contains_all_alike(one: Symbol, other: Symbol) -> Verdict:
    """Whether the first list has every element of the second, or one that is the same to Python."""
    match one, other:
        case ((Place() | Member()), Fixed(list() as values)):
            there = EVERY if isinstance(one, Member) else _is_set(one)
            found = [contains_alike(one, Fixed(value)) for value in values]
            yes = [truth.yes for truth in found if isinstance(truth, Truth)]
            return settle(all_of(there, *yes), there) if len(yes) == len(found) else _COMPARED
        case Fixed(list() as values), Place():
            known = _likes(values)
            return _COMPARED if known is None else settle(Each("within", other.of("set"), known), _is_set(other))
        case (Fixed(value), _) | (_, Fixed(value)) if not isinstance(value, list):
            return FAILING
    return _COMPARED


def before(one: Symbol, other: Symbol) -> Verdict:
    """Whether a value is less than another to Python; it fails where they have no order."""
    match one, other:
        case Place(), Fixed(int() | Decimal() as value) if abs(number := Decimal(value)) <= _EXACT:
            return _is_less(one, number)
        case Fixed(int() | Decimal() as value), Place() if abs(number := Decimal(value)) <= _EXACT:
            return _is_greater(other, number)
        case (Place(), Fixed(dict())) | (Fixed(dict()), Place()):
            return FAILING
    return _COMPARED


def _is_less(place: Place, number: Decimal) -> Truth:
    """The row has less than the number."""
    whole = number.to_integral_value(ROUND_FLOOR)
    op = "lt" if whole == number else "le"
    long, exact = constant(int(whole)), constant(number)
    return Truth(
        any_of(
            Test(op, place.of("long"), long),
            Test("lt", place.of("decimal"), exact),
            *(Test("eq", place.of("bool"), constant(value)) for value in (False, True) if value < number),
        ),
        any_of(
            Test("ge" if op == "lt" else "gt", place.of("long"), long),
            Test("ge", place.of("decimal"), exact),
            *(Test("eq", place.of("bool"), constant(value)) for value in (False, True) if value >= number),
        ),
    )


def _is_greater(place: Place, number: Decimal) -> Truth:
    """The row has more than the number."""
    whole = number.to_integral_value(ROUND_FLOOR)
    long, exact = constant(int(whole)), constant(number)
    return Truth(
        any_of(
            Test("gt", place.of("long"), long),
            Test("gt", place.of("decimal"), exact),
            *(Test("eq", place.of("bool"), constant(value)) for value in (False, True) if value > number),
        ),
        any_of(
            Test("le", place.of("long"), long),
            Test("le", place.of("decimal"), exact),
            *(Test("eq", place.of("bool"), constant(value)) for value in (False, True) if value <= number),
        ),
    )


def _has_any(place: Place, values: Sequence[Constant]) -> Filter:
    return Each("any", place.of("set"), tuple(values)) if values else NONE


def _is_set(place: Place) -> Filter:
    return Test("has", place.of("set"))


def _is_in_group(names: Iterable[Known]) -> Filter:
    groups = tuple(Uid(GROUP, name) for name in names if isinstance(name, str))
    return Below(groups) if groups else NONE


def _likes(values: Iterable[Known]) -> tuple[Constant, ...] | None:
    """All that a row could hold which is the same as one of these; none where that is more than can be listed."""
    found: list[Constant] = []
    for value in values:
        same = _same(value)
        if same is None:
            return None
        found += [stored for each in same if (stored := store(each))]
    return tuple(dict.fromkeys(found))


def _same(value: Known) -> list[Value] | None:
    match value:
        case str():
            return [value]
        case int() | Decimal():
            return _same_number(Decimal(value))
        case list() | dict() if _is_exact(value):
            # a row has its sets in one order, and a list in another is not the same
            return [value] if value == _sort(value) else []
    return None


def _same_number(number: Decimal) -> list[Value] | None:
    if abs(number) <= _EXACT:
        value = read_number(number)
        return [value, bool(value)] if value in (0, 1) else [value]
    middle = int(number * _TEN_THOUSAND)
    found: list[Value] = []
    for step in (1, -1):
        scaled = middle if step == 1 else middle - 1
        while len(found) <= _NEAR:
            value = read_number(Decimal(scaled) / _TEN_THOUSAND)
            if plain(value) != plain(read_number(number)):
                break
            found.append(value)
            scaled += step
    return found if len(found) <= _NEAR else None


def _is_exact(value: Value) -> bool:
    """Whether nothing else is the same to Python as this value, in whose place or inside it."""
    match value:
        case list():
            return all(map(_is_exact, value))
        case dict():
            return all(map(_is_exact, value.values()))
        case bool() | Decimal():
            return False
        case int():
            return value not in (0, 1) and abs(value) <= _EXACT
    return isinstance(value, str)


def _sort(value: Value) -> Value:
    match value:
        case list():
            return read_set([_sort(part) for part in value])
        case dict():
            return {name: _sort(part) for name, part in value.items()}
    return value
