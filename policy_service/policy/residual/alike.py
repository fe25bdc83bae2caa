"""Comparisons as Python has them, for py-abac and casbin: where `true` is 1, a decimal a float and a set a list.

A known value stands for all that a row could hold which Python takes for the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from policy_service.model import Uid
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
from policy_service.policy.spelling import find_limits, spell
from policy_service.policy.values import plain

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
        case (Place(), Fixed(dict())) | (Fixed(dict()), Place()):
            return FAILING
        case Place(), Fixed(int() | Decimal() as value):
            return _is_less(one, plain(value), strictly=True)
        case Fixed(int() | Decimal() as value), Place():
            return ~_is_less(other, plain(value), strictly=False)
    return _COMPARED


def _is_less(place: Place, number: float, *, strictly: bool) -> Truth:
    """The row has a number that is less than this one, or as much where not `strictly`."""
    limits = find_limits(number, beyond=not strictly)
    truth = FAILING
    for field, limit in ((place.of("long"), limits.long), (place.of("decimal"), limits.decimal)):
        if limit is None:
            found = Truth(Test("has", field), NONE)
        else:
            found = Truth(Test("lt", field, constant(limit)), Test("ge", field, constant(limit)))
        truth = Truth(any_of(truth.yes, found.yes), any_of(truth.no, found.no))
    ways = {value: Test("eq", place.of("bool"), constant(value)) for value in (False, True)}
    less = [test for value, test in ways.items() if value < number or (value == number and not strictly)]
    rest = [test for test in ways.values() if test not in less]
    return Truth(any_of(truth.yes, *less), any_of(truth.no, *rest))


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
        same = spell(plain(value)) if isinstance(value, str | int | Decimal | Uid | list | dict) else None
        if same is None:
            return None
        found += [stored for each in same if (stored := store(each))]
    return tuple(dict.fromkeys(found))
