"""What each operator and function of the tree makes of symbols: of known values what it always makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from policy_service.policy.residual.alike import alike, before, contains_alike, contains_all_alike, contains_any_alike
from policy_service.policy.residual.equality import ORDERS, equal, order, total
from policy_service.policy.residual.filter import EVERY, NONE, Filter, Kind, Test, all_of, any_of, constant
from policy_service.policy.residual.ground import Ground, known
from policy_service.policy.residual.hierarchy import is_in
from policy_service.policy.residual.members import has_tag
from policy_service.policy.residual.sets import Verdict, contains, contains_all, contains_any
from policy_service.policy.residual.sets import is_empty as is_empty_set
from policy_service.policy.residual.symbols import (
    Case,
    Cases,
    Drawn,
    Fixed,
    Listed,
    Long,
    Lost,
    Member,
    Place,
    Recorded,
    Symbol,
    Text,
    presence,
    store,
)
from policy_service.policy.residual.truth import FAILING, always, settle
from policy_service.policy.tree import Binary, Call, Like, OfKind, RecordOf, SetOf, Unary

Make: TypeAlias = Callable[..., Cases]

# the longest pattern: some databases refuse longer ones, and only when a row comes to it
PATTERN_BYTES = 1_000
_LONG_PATTERN = Lost(f"a pattern of more than {PATTERN_BYTES:,} bytes")
_CONSTRUCTORS = frozenset({"ip", "decimal", "datetime", "duration"})
_BOOLEAN = frozenset({"and", "or", "not_eq"})
_SUMS = frozenset({"add", "sub", "mul"})


def _order(op: str) -> Callable[[Ground, Symbol, Symbol], Verdict]:
    return lambda _, one, other: order(op, one, other)


# where one side is not known; no row holds what those take that are always failing
TESTS: Mapping[str, Callable[[Ground, Symbol, Symbol], Verdict]] = {
    "eq": lambda _, one, other: equal(one, other),
    **{name: _order(name) for name in ORDERS},
    "in": is_in,
    "contains": lambda _, one, other: contains(one, other),
    "contains_all": lambda _, one, other: contains_all(one, other),
    "contains_any": lambda _, one, other: contains_any(one, other),
    "has_tag": has_tag,
    "is_in_range": lambda _ground, _one, _other: FAILING,
    "alike": lambda _, one, other: alike(one, other),
    "contains_alike": lambda _, one, other: contains_alike(one, other),
    "contains_any_alike": lambda _, one, other: contains_any_alike(one, other),
    "contains_all_alike": lambda _, one, other: contains_all_alike(one, other),
    "before": lambda _, one, other: before(one, other),
}


def test(op: str, ground: Ground) -> Callable[[Symbol, Symbol], Verdict]:
    """A test of two values."""

    def apply(one: Symbol, other: Symbol) -> Verdict:
        if isinstance(one, Fixed) and isinstance(other, Fixed):
            return _told(ground.evaluate(Binary(op, known(one.value), known(other.value))))
        return TESTS[op](ground, one, other)

    return apply


def operation(op: str, ground: Ground) -> Make | None:
    """An operation on two values; none where it is a test."""
    if op in TESTS or op in _BOOLEAN:
        return None

    def apply(one: Symbol, other: Symbol) -> Cases:
        if isinstance(one, Fixed) and isinstance(other, Fixed):
            return _case(ground.evaluate(Binary(op, known(one.value), known(other.value))))
        # rows hold none of what the other operations take
        return _case(total(op, one, other)) if op in _SUMS else ()

    return apply


def call(op: str, ground: Ground) -> Make:
    """A function of one value."""

    def apply(one: Symbol) -> Cases:
        if isinstance(one, Fixed):
            return _case(ground.evaluate(Unary(op, known(one.value))))
        if op == "neg":
            return _case(total("sub", Fixed(0), one))
        if op in _CONSTRUCTORS and isinstance(one, Place | Text):
            return [Case(_is_text(one), Lost(f"`{op}` of a text that the row has"))]
        return ()

    return apply


def is_empty(ground: Ground) -> Callable[[Symbol], Verdict]:
    """Whether a set has no elements."""

    def apply(one: Symbol) -> Verdict:
        return (
            _told(ground.evaluate(Unary("is_empty", known(one.value)))) if isinstance(one, Fixed) else is_empty_set(one)
        )

    return apply


def like(ground: Ground, pattern: tuple[str | None, ...]) -> Callable[[Symbol], Verdict]:
    """Whether a text is made of the parts of a pattern."""
    texts = [part for part in pattern if part is not None]
    possible = all(store(text) for text in texts)
    long = sum(len(text.encode(errors="replace")) for text in texts) > PATTERN_BYTES

    def apply(one: Symbol) -> Verdict:
        if isinstance(one, Fixed):
            return _told(ground.evaluate(Like(known(one.value), pattern)))
        if not isinstance(one, Place | Text):
            return FAILING
        if long:
            return _LONG_PATTERN
        field = one.of("text") if isinstance(one, Place) else one.field
        if None not in pattern and possible:
            return settle(Test("eq", field, constant("".join(texts))), _is_text(one))
        return settle(Test("like", field, pattern) if possible else NONE, _is_text(one))

    return apply


def is_of_kind(ground: Ground, kinds: tuple[Kind, ...]) -> Callable[[Symbol], Verdict]:
    """Whether a value is of one of these kinds."""

    def apply(one: Symbol) -> Verdict:
        match one:
            case Fixed(value):
                return _told(ground.evaluate(OfKind(known(value), kinds)))
            case Place():
                return settle(any_of(*(Test("has", one.of(kind)) for kind in kinds)), presence(one))
            case Text() | Long():
                return settle(_every(("text" if isinstance(one, Text) else "long") in kinds), presence(one))
            case Drawn() | Member() | Listed():
                return settle(_every("set" in kinds), presence(one))
        return settle(_every("record" in kinds), presence(one))

    return apply


def list_(ground: Ground) -> Make:
    """A set of these."""

    def apply(*parts: Symbol) -> Cases:
        if all(isinstance(part, Fixed) for part in parts):
            return _case(ground.evaluate(SetOf(tuple(known(part.value) for part in parts if isinstance(part, Fixed)))))
        return [Case(_present(parts), Listed(parts))]

    return apply


def record(ground: Ground, names: Sequence[str]) -> Make:
    """A record of these."""

    def apply(*parts: Symbol) -> Cases:
        members = tuple(zip(names, parts, strict=True))
        if all(isinstance(part, Fixed) for part in parts):
            fields = tuple((name, known(part.value)) for name, part in members if isinstance(part, Fixed))
            return _case(ground.evaluate(RecordOf(fields)))
        return [Case(_present(parts), Recorded(members))]

    return apply


def foreign(ground: Ground, expression: Call) -> Make:
    """What a function of another language makes of these."""

    def apply(*parts: Symbol) -> Cases:
        if all(isinstance(part, Fixed) for part in parts):
            operands = tuple(known(part.value) for part in parts if isinstance(part, Fixed))
            return _case(ground.evaluate(Call(expression.function, operands, expression.why, expression.source)))
        return [Case(_present(parts), Lost(expression.why, expression.source))]

    return apply


def _told(symbol: Symbol | None) -> Verdict:
    if isinstance(symbol, Lost):
        return symbol
    return always(symbol.value) if isinstance(symbol, Fixed) and isinstance(symbol.value, bool) else FAILING


def _case(symbol: Symbol | None) -> Cases:
    return () if symbol is None else [Case(EVERY, symbol)]


def _present(parts: Sequence[Symbol]) -> Filter:
    return all_of(*map(presence, parts))


def _every(value: bool) -> Filter:
    return EVERY if value else NONE


def _is_text(symbol: Place | Text) -> Filter:
    return Test("has", symbol.of("text")) if isinstance(symbol, Place) else EVERY
