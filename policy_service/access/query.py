"""What a search asks for: the grammar of its body, read strictly and within limits.

    {"where": {"and": [{"property": "env", "op": "eq", "value": "prod"}, {"not": …}]}, "type": "host", "text": "web"}

A condition is about a property by the name that the API shows; it is true where the property is there and what the
operator says is so. What each means of a row is in `conditions`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

from policy_service.assets.asset import Kind
from policy_service.assets.members import LIMITS as STORED
from policy_service.assets.members import TAG
from policy_service.errors import RequestError
from policy_service.model import Value
from policy_service.policy.values import read_value

NAMES = (
    *("_id", "_key", "_type", "_class", "_source", "_scope", "_version", "_createdOn", "_beginOn"),
    *("_fromEntityId", "_toEntityId"),
)
_ENDS = frozenset({"_fromEntityId", "_toEntityId"})
OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "exists", "contains", "starts")
SORTS = ("_id", "displayName", "_createdOn", "_beginOn", "_key", "_type")
# what assets can be counted by, beside the properties that are indexed
FACETS = ("type", "class")
# members of every search; an endpoint may have more
MEMBERS = frozenset({"where", "type", "class", "text"})

_ORDERED = frozenset({"lt", "le", "gt", "ge"})
# of the one class that a relationship has, and of the several of an entity
_OF_CLASS = {
    "relationship": frozenset({"eq", "ne", "in", "exists"}),
    "entity": frozenset({"contains", "exists"}),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one search may hold; past any of these is a `RequestError`. Bytes are those of UTF-8."""

    depth: int = 10
    conditions: int = 200
    values: int = 10_000
    pattern_bytes: int = 1_000
    facets: int = 10


LIMITS = Limits()


class Condition(NamedTuple):
    """A property, an operator, and what it is held against: one value, those of `in`, none of `exists`."""

    property: str
    op: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class And:
    """Every part is true."""

    parts: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some part is true."""

    parts: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True exactly where the part is not."""

    part: Where


Where: TypeAlias = Condition | And | Or | Not


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, empty is any: `text` stands somewhere in the names or in an indexed property."""

    kind: Kind
    type: str = ""
    class_: str = ""
    text: str = ""
    where: Where | None = None

    @property
    def digest(self) -> str:
        """The same for the same search, and for no other."""
        return sha256(repr(self).encode("utf-8", "surrogatepass")).hexdigest()


def read_search(kind: Kind, raw: object, more: Collection[str] = ()) -> Search:
    """The search of parsed JSON (`policy.values.read_json`) that may have the members `more` beside its own.

    A member that is `null` is as if it was not sent.
    """
    if not isinstance(raw, dict):
        raise RequestError('the body is no search, send a JSON object such as `{"type": "host"}`')
    known = MEMBERS.union(more)
    unknown = next((name for name in raw if name not in known), None)
    if unknown is not None:
        raise RequestError(f"`{unknown[:80]}` is no member of this search, use {_list(sorted(known))}")
    text = read_text(raw, "text")
    _check_pattern(text, "text")
    where = raw.get("where")
    return Search(
        kind,
        read_text(raw, "type"),
        read_text(raw, "class"),
        text,
        None if where is None else _Reader(kind).read(where, LIMITS.depth),
    )


def read_text(raw: Mapping[str, Any], member: str) -> str:
    """An optional text, empty where it was not sent."""
    value = raw.get(member)
    if value is None:
        return ""
    if not isinstance(value, str) or not value:
        raise RequestError(f"`{member}` is no text, write it in quotes or leave it out")
    return _check_text(value, member)


def read_number(raw: Mapping[str, Any], member: str, default: int, largest: int) -> int:
    """An optional whole number from 1 to `largest`."""
    value = raw.get(member)
    if value is None:
        return default
    number = read_whole(value)
    if number is None or not 1 <= number <= largest:
        raise RequestError(f"`{member}` is no whole number from 1 to {largest}")
    return number


def read_whole(value: object) -> int | None:
    """A whole number, none where it is something else: JSON has one kind of numbers, of which `2.0` is 2."""
    if isinstance(value, Decimal) and value == int(value):
        return int(value)
    return value if type(value) is int else None


def read_sort(text: str) -> tuple[str, bool]:
    """By what to sort, and whether from the last, by a name of `SORTS` with or without `-`; empty is by id."""
    name = text.removeprefix("-") or "_id"
    if name not in SORTS or text == "-":
        raise RequestError(f"`sort` is `{text[:80]}`, use one of {_list(SORTS)}, with `-` before it from the last")
    return name, text.startswith("-")


def read_facets(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The facets that are asked for, each once."""
    value = raw.get("facets")
    if not isinstance(value, list) or not 1 <= len(value) <= LIMITS.facets:
        raise RequestError(f'`facets` is no list of 1 to {LIMITS.facets} names, write `["type"]`')
    if not all(isinstance(name, str) for name in value):
        raise RequestError("`facets` holds what is no text, write names")
    return tuple(dict.fromkeys(value))


def require_facets(names: Iterable[str], indexed: Collection[str]) -> None:
    """See that assets can be counted by these, where some properties are indexed; `RequestError` where not."""
    known = [*FACETS, *sorted(indexed)]
    for name in names:
        if name not in known:
            raise RequestError(
                f"`{name[:80]}` is no facet, there are {_list(known)}; what `tenant.yaml` has just named `indexed` is "
                "one when its rows are made"
            )


class _Reader:
    """Reads one `where`, and counts."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._left = LIMITS.conditions

    def read(self, raw: object, depth: int) -> Where:
        if depth == 0:
            raise RequestError(f"`where` is nested deeper than {LIMITS.depth} levels, write it flatter")
        if not isinstance(raw, dict):
            raise RequestError('a condition is an object, such as `{"property": "env", "op": "eq", "value": "prod"}`')
        if len(raw) == 1 and "not" in raw:
            return Not(self.read(raw["not"], depth - 1))
        for name, made in (("and", And), ("or", Or)):
            if len(raw) == 1 and name in raw:
                parts = raw[name]
                if not isinstance(parts, list) or not parts:
                    raise RequestError(f"`{name}` is no list of conditions, write at least one")
                return made(tuple(self.read(part, depth - 1) for part in parts))
        return self._read_condition(raw)

    def _read_condition(self, raw: Mapping[str, Any]) -> Condition:
        self._left -= 1
        if self._left < 0:
            raise RequestError(f"`where` has more than {LIMITS.conditions} conditions, use `in` for many values")
        op = raw.get("op")
        if "op" not in raw:
            raise RequestError("a condition has either `property`, `op` and `value`, or one of `and`, `or` and `not`")
        if op not in OPERATORS:
            raise RequestError(f"`op` is none of {_list(OPERATORS)}")
        wanted = {"property", "op"} if op == "exists" else {"property", "op", "value"}
        if raw.keys() != wanted:
            raise RequestError(f"a condition with `{op}` has the members {_list(sorted(wanted))} and no others")
        name = self._read_property(raw["property"], op)
        return Condition(name, op, _read_values(op, raw.get("value"), name))

    def _read_property(self, name: object, op: str) -> str:
        if not isinstance(name, str) or not name.removeprefix(TAG):
            raise RequestError('`property` is no name, write it as it is shown, such as `"env"` or `"tag.env"`')
        _check_text(name, "property")
        if len(name) > STORED.property_name + len(TAG):
            raise RequestError(f"`property` is a name of {len(name)} characters, at most {STORED.property_name}")
        if name.startswith("_"):
            self._check_own(name, op)
        return name

    def _check_own(self, name: str, op: str) -> None:
        """See that a member that every asset has can be asked for, and asked for this."""
        known = [own for own in NAMES if self._kind == "relationship" or own not in _ENDS]
        if name not in known:
            raise RequestError(f"`{name[:80]}` can't be searched for, those that can are {_list(known)}")
        if name == "_class" and op not in _OF_CLASS[self._kind]:
            raise RequestError(f"`_class` can't be asked for by `{op}`, use {_list(sorted(_OF_CLASS[self._kind]))}")


def _read_values(op: str, raw: object, name: str) -> tuple[Value, ...]:
    if op == "exists":
        return ()
    if op == "in":
        if not isinstance(raw, list) or len(raw) > LIMITS.values:
            raise RequestError(f"`value` of `{name[:80]}` is no list of at most {LIMITS.values} values, as `in` takes")
        return tuple(_read_scalar(part, name) for part in raw)
    value = _read_scalar(raw, name)
    if op in _ORDERED and (isinstance(value, bool) or not isinstance(value, str | int | Decimal)):
        raise RequestError(
            f"`value` of `{name[:80]}` can't be compared by `{op}`, write a text or a number of 64 bits or four digits"
        )
    if op == "starts" and not isinstance(value, str):
        raise RequestError(f"`value` of `{name[:80]}` is no text, as `starts` takes")
    if op in {"starts", "contains"} and isinstance(value, str):
        _check_pattern(value, "value")
    return (value,)


def _read_scalar(raw: object, name: str) -> Value:
    if raw is None or isinstance(raw, list | dict):
        raise RequestError(
            f"`value` of `{name[:80]}` is no text, number or boolean: ask by `exists` whether it is there, and by "
            "`in` for one of a list"
        )
    try:
        value = read_value(raw, where="value")
    except ValueError as error:
        raise RequestError(str(error)) from None
    return _check_text(value, "value") if isinstance(value, str) else value


def _check_text(text: str, member: str) -> str:
    if "\0" in text:
        raise RequestError(f"`{member}` holds a NUL character, which nothing does")
    return text


def _check_pattern(text: str, member: str) -> None:
    if len(text.encode()) > LIMITS.pattern_bytes:
        raise RequestError(f"`{member}` is longer than {LIMITS.pattern_bytes} bytes, look for less")


def _list(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
