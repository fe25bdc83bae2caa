"""Values of expressions on a row: known ones, those that are wherever the row has them, and those made of both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from policy_service.model import Uid
from policy_service.policy.extensions import Known
from policy_service.policy.names import cedar_type, request_type
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Constant,
    Field,
    Filter,
    Kind,
    Sum,
    Test,
    all_of,
    any_of,
    constant,
)

# what rows hold, but for sets of entities that are drawn
_STORED = (bool, int, str, Decimal, list, dict)
ID = Field(("id",), "text")
TYPE = Field(("type",), "text")


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that is the same on every row."""

    value: Known


@dataclass(frozen=True, slots=True)
class Row:
    """The row itself, an entity."""


@dataclass(frozen=True, slots=True)
class Place:
    """The value at a place of the row, of whatever kind it is, but neither an entity nor of an extension type."""

    path: tuple[str, ...]

    def of(self, kind: Kind) -> Field:
        """The same where it is of this kind."""
        return Field(self.path, kind)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that every row has: its id, or its type."""

    field: Field


@dataclass(frozen=True, slots=True)
class Drawn:
    """The set of entities that relationships draw; it has at least one."""

    path: tuple[str, ...]

    @property
    def field(self) -> Field:
        """Where it is."""
        return Field(self.path, "set")


@dataclass(frozen=True, slots=True)
class Member:
    """The names of all groups that the row is in, a set."""


@dataclass(frozen=True, slots=True)
class Long:
    """A Long that is computed."""

    term: Sum


@dataclass(frozen=True, slots=True)
class Listed:
    """A set of these, some of which are not known; which of them are equal is not known either."""

    parts: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record of these, some of which are not known."""

    fields: tuple[tuple[str, Symbol], ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """A value, if there is one, of which rows can't be asked."""

    why: str
    source: str = ""


Symbol: TypeAlias = Fixed | Row | Place | Text | Drawn | Member | Long | Listed | Recorded | Lost


class Case(NamedTuple):
    """The value of an expression where `when` is true and, of what the row has to have for it, all is there."""

    when: Filter
    symbol: Symbol


Cases: TypeAlias = Sequence[Case]


def presence(symbol: Symbol) -> Filter:
    """Where the row has what it has to have for this value."""
    match symbol:
        case Place():
            return Test("has", symbol.of("any"))
        case Drawn(path):
            return Test("has", Field(path, "any"))
        case Long(term):
            return Test("has", term)
    return EVERY


def store(value: Known) -> Constant | None:
    """The value as rows could have it at a `Place`; none where no row can."""
    if not isinstance(value, _STORED):
        return None
    try:
        return constant(value)
    except ValueError:  # it holds what can't be stored
        return None


def refer(uids: Collection[Uid]) -> tuple[Constant, ...]:
    """These entities as a `Drawn` attribute could hold them."""
    found = []
    for uid in uids:
        try:
            found.append(constant(uid))
        except ValueError:  # no stored relationship can name it
            continue
    return tuple(found)


def is_same(uids: Collection[Uid]) -> Filter:
    """The row is one of these entities."""
    by_type: dict[str, list[Constant]] = {}
    for uid in uids:
        type_, id_ = _type_of(uid), store(uid.id)
        if type_ is not None and id_ is not None:
            by_type.setdefault(type_, []).append(id_)
    return any_of(*(all_of(is_type(type_), is_among(ID, ids)) for type_, ids in by_type.items()))


def is_of(type_: str) -> Filter:
    """The row is of this Cedar type."""
    name = _type_of(Uid(type_, ""))
    return NONE if name is None else is_type(name)


def is_type(name: str) -> Filter:
    """The row is of this type, as a request names it."""
    return Test("eq", TYPE, constant(name))


def _type_of(uid: Uid) -> str | None:
    """The type as a request names it; none where no row can be of it, as only the service's own entities are."""
    try:
        name = request_type(uid.type)
    except ValueError:
        return None
    return name if cedar_type(name) == uid.type and store(name) else None


def is_among(field: Field, values: Sequence[Constant]) -> Filter:
    """The field, of any kind, is one of these."""
    kinds = {value.kind for value in values}
    if not values:
        return NONE
    typed = Field(field.path, kinds.pop()) if len(kinds) == 1 else field
    return Test("eq", typed, values[0]) if len(values) == 1 else Test("in", typed, tuple(dict.fromkeys(values)))
