"""Sets: of symbols what operators are of values.

What they answer is told on rows that have what both values have to have; on others it is neither true nor false.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from policy_service.model import Uid
from policy_service.policy.extensions import Known
from policy_service.policy.residual.equality import equal
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Constant,
    Each,
    Field,
    Filter,
    Test,
    all_of,
    any_of,
    constant,
)
from policy_service.policy.residual.symbols import (
    Drawn,
    Fixed,
    Listed,
    Lost,
    Member,
    Place,
    Row,
    Symbol,
    Text,
    is_among,
    presence,
    refer,
    store,
)
from policy_service.policy.residual.truth import FAILING, FALSE, Truth, settle

Verdict: TypeAlias = Truth | Lost
# a set that the row has
Held: TypeAlias = Place | Drawn

EMPTY = constant([])
_COMPUTED = Lost("a computed value is looked for in a set of the row")
_ITSELF = Lost("the row itself is looked for in a set of the row")
_COMPARED = Lost("a set of the row is held against a set made of what it has")
_GROUPS = Lost("all groups of the row are asked for")


def is_empty(one: Symbol) -> Verdict:
    """Whether a set has no elements."""
    match one:
        case Place():
            return settle(Test("eq", one.of("set"), EMPTY), _is_set(one))
        case Drawn():
            return settle(NONE, presence(one))
        case Listed():
            return FALSE
        case Member():
            return _GROUPS
    return FAILING


def contains(one: Symbol, other: Symbol) -> Verdict:
    """Whether a value is an element of a set."""
    match one:
        case Fixed(list() as values):
            return _is_element([Fixed(value) for value in values], other)
        case Listed(parts):
            return _is_element(parts, other)
        case Place():
            return _has_element(one, other)
        case Drawn():
            return _has_entity(one, other)
        case Member():
            return _GROUPS
    return FAILING


def _is_element(parts: Sequence[Symbol], other: Symbol) -> Verdict:
    if isinstance(other, Place | Text):
        # thousands of values are one test
        values = [part.value for part in parts if isinstance(part, Fixed)]
        stored = [found for value in values if (found := store(value))]
        field = other.of("any") if isinstance(other, Place) else other.field
        if isinstance(other, Text):
            stored = [found for found in stored if found.kind == "text"]
        truths = [settle(is_among(field, stored))]
        parts = [part for part in parts if not isinstance(part, Fixed)]
    else:
        truths = []
    for part in parts:
        truth = equal(part, other)
        if isinstance(truth, Lost):
            return truth
        truths.append(truth)
    return settle(any_of(*(truth.yes for truth in truths)), presence(other))


def _has_element(place: Place, other: Symbol) -> Verdict:
    field = place.of("set")
    match other:
        case Fixed(value):
            stored = store(value)
            return settle(Each("any", field, (stored,)) if stored else NONE, _is_set(place))
        case Place():
            return settle(Each("has", field, other.of("any")), _is_set(place), presence(other))
        case Row() | Drawn():
            return settle(NONE, _is_set(place), presence(other))
    return _COMPUTED


def _has_entity(drawn: Drawn, other: Symbol) -> Verdict:
    match other:
        case Fixed(Uid() as uid) if found := refer([uid]):
            return settle(Each("any", drawn.field, found), presence(drawn))
        case Row():
            return _ITSELF
    return settle(NONE, presence(drawn), presence(other))


def contains_all(one: Symbol, other: Symbol) -> Verdict:
    """Whether every element of the other set is one of the first."""
    if Member() in (one, other):
        return _GROUPS
    if isinstance(one, Held):
        if isinstance(other, Held):
            return _covers(one, other)
        if isinstance(other, Fixed) and isinstance(other.value, list):
            values = _store(one, other.value)
            yes = (
                NONE if len(values) < len(other.value) else Each("all", _field(one), values) if values else _is_set(one)
            )
            return settle(yes, _is_set(one))
    if isinstance(one, Fixed) and isinstance(one.value, list) and isinstance(other, Held):
        return settle(Each("within", _field(other), _store(other, one.value)), _is_set(other))
    parts = _parts(other)
    if isinstance(one, Listed) and isinstance(other, Held):
        return _COMPARED
    if parts is None or not _is_a_set(one):
        return FAILING
    return _join(True, [contains(one, part) for part in parts], one)


def contains_any(one: Symbol, other: Symbol) -> Verdict:
    """Whether the two sets share an element."""
    if Member() in (one, other):
        return _GROUPS
    if isinstance(other, Held):
        one, other = other, one
    if isinstance(one, Held):
        if isinstance(other, Held):
            yes = Each("meets", _field(one), _field(other)) if type(one) is type(other) else NONE
            return settle(yes, _is_set(one), _is_set(other))
        if isinstance(other, Fixed) and isinstance(other.value, list):
            values = _store(one, other.value)
            return settle(Each("any", _field(one), values) if values else NONE, _is_set(one))
    parts = _parts(other)
    if parts is None or not _is_a_set(one):
        return FAILING
    return _join(False, [contains(one, part) for part in parts], one)


def _covers(one: Held, other: Held) -> Truth:
    there = (_is_set(one), _is_set(other))
    if type(one) is type(other):
        return settle(Each("covers", _field(one), _field(other)), *there)
    # one of them holds entities and the other none
    return settle(
        all_of(_is_set(one), Test("eq", other.of("set"), EMPTY)) if isinstance(other, Place) else NONE, *there
    )


def _join(every: bool, verdicts: Sequence[Verdict], one: Symbol) -> Verdict:
    lost = next((verdict for verdict in verdicts if isinstance(verdict, Lost)), None)
    yes = [verdict.yes for verdict in verdicts if isinstance(verdict, Truth)]
    there = _is_set(one) if isinstance(one, Held) else EVERY
    return lost or settle(all_of(there, *yes) if every else any_of(*yes), there)


def _is_a_set(symbol: Symbol) -> bool:
    return isinstance(symbol, Held) or _parts(symbol) is not None


def _parts(symbol: Symbol) -> Sequence[Symbol] | None:
    """The elements of a set that the row does not hold; none where it is no set."""
    match symbol:
        case Fixed(list() as values):
            return [Fixed(value) for value in values]
        case Listed(parts):
            return parts
    return None


def _field(symbol: Held) -> Field:
    return symbol.of("set") if isinstance(symbol, Place) else symbol.field


def _is_set(symbol: Held) -> Filter:
    return Test("has", symbol.of("set")) if isinstance(symbol, Place) else presence(symbol)


def _store(symbol: Held, values: Sequence[Known]) -> tuple[Constant, ...]:
    """Those of the values that the set could hold."""
    if isinstance(symbol, Drawn):
        return refer([value for value in values if isinstance(value, Uid)])
    return tuple(stored for value in values if (stored := store(value)))
