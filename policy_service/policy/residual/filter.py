"""A filter: a condition on a row that is true or not true of it, never a third thing.

A row is an entity that nobody has named yet. A `Field` is a value of one kind at one place of the row; where the row
has none, or one of another kind, there is nothing there, and a test of nothing is not true. That stands in for every
guard, and is what a typed column is, with NULL. Attributes of rows hold no references, but for those that
relationships draw, which are sets of entities, absent where they would be empty. A drawn attribute is only asked
whether it is there (`has` of `any` or `set`) and about its elements (`Each`), and is never told from a property of its
name: that one is `property.<name>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias, TypeVar

import orjson

from policy_service.model import Uid, Value
from policy_service.policy.stored_values import decode, encode, write_json
from policy_service.policy.values import NUMBER

# `number` is one beyond Long and decimal, which can only be compared for equality
Kind: TypeAlias = Literal["any", "text", "long", "bool", "decimal", "number", "set", "record", "entity"]
T = TypeVar("T")

_KINDS: Mapping[type, Kind] = {
    str: "text",
    int: "long",
    bool: "bool",
    Decimal: "decimal",
    list: "set",
    Uid: "entity",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A value of a kind at a place of the row; nothing where there is none, or one of another kind.

    path  `("id",)`, `("type",)` as a request names it, both texts that every row has; `("attribute", name, …)` and
          `("tag", name, …)`, where further names are members of records; of a relationship `("from",)`, `("to",)`;
          `("system", name)` what the API shows and policies do not see (`_createdOn`, `_beginOn`, `_version`), a long
    """

    path: tuple[str, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that every row is held against: its kind and the canonical text of its stored form (`1` is not `true`).

    A value that can't be stored (one that holds an `Extension`, or NUL) equals none of a row, and is no constant.
    """

    kind: Kind
    text: str

    @property
    def value(self) -> Value:
        """The value itself."""
        return decode(orjson.loads(self.text))


def constant(value: Value) -> Constant:
    """A value as a constant; `ValueError` where it can't be stored."""
    return Constant(kind_of(value), write_json(encode(value)))


def kind_of(value: Value) -> Kind:
    """The kind that a stored value is."""
    if isinstance(value, dict):
        return "number" if value.keys() == {NUMBER} else "record"
    return _KINDS[type(value)]


@dataclass(frozen=True, slots=True)
class Sum:
    """`add`, `sub` or `mul` of two Longs; nothing where 64 bits don't hold it."""

    op: Literal["add", "sub", "mul"]
    left: Term
    right: Term


Term: TypeAlias = Field | Constant | Sum


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison, true only where both sides are there: `has eq lt le gt ge`, with a text `like`, with values `in`.

    `has` has no right side. `like` has a pattern, as in `tree.Like`; `in` the values themselves, of one kind or mixed.
    `starts` and `holds` look for a text in a text without regard to the case of ASCII letters (search, not policies).
    """

    op: str
    left: Term
    right: Term | tuple[Constant, ...] | tuple[str | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class Each:
    """What elements of a set of the row say; true only where the field is a set.

    any     some element is one of `other`
    all     every one of `other` is an element
    within  every element is one of `other`
    has     the value of the field `other`, of any kind, is an element
    meets   the field `other` is a set too, and some element of it is an element
    covers  the field `other` is a set too, and every element of it is an element
    """

    op: Literal["any", "all", "within", "has", "meets", "covers"]
    field: Field
    other: tuple[Constant, ...] | Field


@dataclass(frozen=True, slots=True)
class Below:
    """The row is one of these entities or has one of them as an ancestor."""

    uids: tuple[Uid, ...]


@dataclass(frozen=True, slots=True)
class End:
    """Of a relationship: the entity at this end is stored, and `part` is true of it."""

    side: Literal["from", "to"]
    part: Filter


@dataclass(frozen=True, slots=True)
class All:
    """Every part is true; without parts, every row."""

    parts: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Some:
    """Some part is true; without parts, no row."""

    parts: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """True exactly where the part is not true."""

    part: Filter


@dataclass(frozen=True, slots=True)
class Opaque:
    """What can't be said of rows: why, of which policy, and its text. Two of them are never the same unknown."""

    why: str
    policy: str = ""
    source: str = ""


Leaf: TypeAlias = Test | Each | Below | End | Opaque
Filter: TypeAlias = Leaf | All | Some | Not

EVERY: Filter = All()
NONE: Filter = Some()


def all_of(*parts: Filter) -> Filter:
    """Every part, flat, each once."""
    flat: list[Filter] = []
    for part in parts:
        if isinstance(part, All):
            flat += part.parts
        elif isinstance(part, Some) and not part.parts:
            return NONE
        else:
            flat.append(part)
    flat = _drop_repeated(flat)
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(*parts: Filter) -> Filter:
    """Some part, flat, each once."""
    flat: list[Filter] = []
    for part in parts:
        if isinstance(part, Some):
            flat += part.parts
        elif isinstance(part, All) and not part.parts:
            return EVERY
        else:
            flat.append(part)
    flat = _drop_repeated(flat)
    return flat[0] if len(flat) == 1 else Some(tuple(flat))


def _drop_repeated(parts: list[Filter]) -> list[Filter]:
    # of a few, comparing each with each takes less than hashing all that is in them
    if len(parts) > 4:
        return list(dict.fromkeys(parts))
    return [part for position, part in enumerate(parts) if part not in parts[:position]]


def none_of(part: Filter) -> Filter:
    """Exactly the other rows."""
    if part == EVERY:
        return NONE
    if part == NONE:
        return EVERY
    return part.part if isinstance(part, Not) else Not(part)


def fold(
    filter_: Filter,
    leaf: Callable[[Leaf], T],
    every: Callable[[Sequence[T]], T],
    some: Callable[[Sequence[T]], T],
    no: Callable[[T], T],
) -> T:
    """The one walk: of a row, to SQL, to UCAST, to words."""
    match filter_:
        case All(parts):
            return every([fold(part, leaf, every, some, no) for part in parts])
        case Some(parts):
            return some([fold(part, leaf, every, some, no) for part in parts])
        case Not(part):
            return no(fold(part, leaf, every, some, no))
        case _:
            return leaf(filter_)


def bound(filter_: Filter, *, upper: bool) -> Filter:
    """The filter without what is opaque: with `upper` every row that it may be true of, else only those that it is."""
    match filter_:
        case Opaque():
            return EVERY if upper else NONE
        case Not(part):
            return none_of(bound(part, upper=not upper))
        case All(parts):
            return all_of(*(bound(part, upper=upper) for part in parts))
        case Some(parts):
            return any_of(*(bound(part, upper=upper) for part in parts))
        case End(side, part):
            held = bound(part, upper=upper)
            return NONE if held == NONE else End(side, held)
    return filter_


def find_opaque(filter_: Filter) -> Iterator[Opaque]:
    """What can't be said, in order."""
    match filter_:
        case Opaque():
            yield filter_
        case Not(part) | End(_, part):
            yield from find_opaque(part)
        case All(parts) | Some(parts):
            for part in parts:
                yield from find_opaque(part)


def is_opaque(filter_: Filter) -> bool:
    """Whether some part of it can't be said of rows."""
    return next(find_opaque(filter_), None) is not None


def find_fields(filter_: Filter) -> Iterator[Field]:
    """The fields of the rows themselves that a filter is about, not those of entities at ends."""
    match filter_:
        case All(parts) | Some(parts):
            for part in parts:
                yield from find_fields(part)
        case Not(part):
            yield from find_fields(part)
        case Test(_, left, right):
            for term in (left, right):
                yield from fields_of(term) if isinstance(term, Field | Sum) else ()
        case Each(_, field, other):
            yield field
            if isinstance(other, Field):
                yield other


def fields_of(term: Term) -> list[Field]:
    """The fields in a term."""
    if isinstance(term, Sum):
        return [*fields_of(term.left), *fields_of(term.right)]
    return [term] if isinstance(term, Field) else []
