"""What the conditions of a search mean as a filter of rows; `matching` says the same of one asset."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor

from policy_service.access.query import And, Condition, Not, Or, Search, Where
from policy_service.assets.asset import name_attribute
from policy_service.assets.members import TAG
from policy_service.model import Value
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Constant,
    Each,
    Field,
    Filter,
    Kind,
    Test,
    all_of,
    any_of,
    constant,
    kind_of,
    none_of,
)

# where a property may be seen
Visible = Callable[[str], Filter]

_OWN: Mapping[str, tuple[str, ...]] = {
    "_id": ("id",),
    "_type": ("type",),
    **{f"_{name}": ("attribute", name) for name in ("key", "class", "source", "scope")},
    **{name: ("system", name) for name in ("_version", "_createdOn", "_beginOn")},
    "displayName": ("attribute", "displayName"),
    "_fromEntityId": ("from", "id"),
    "_toEntityId": ("to", "id"),
}
_CLASS = Field(_OWN["_class"], "set")
_LARGEST_DECIMAL = Decimal(2**63 - 1).scaleb(-4)


@dataclass(frozen=True, slots=True)
class Names:
    """How the names that the API shows reach rows.

    drawn    the attributes that relationships draw, beside which a property of that name has another
    indexed  the properties that `text` looks through, beside those that every asset has
    """

    drawn: Collection[str] = ()
    indexed: Collection[str] = ()

    def path(self, name: str) -> tuple[str, ...]:
        """Where a row has the property."""
        if name in _OWN:
            return _OWN[name]
        if name.startswith(TAG):
            return ("tag", name[len(TAG) :])
        return ("attribute", name_attribute(name, self.drawn))

    @property
    def searched(self) -> list[str]:
        """What `text` looks through."""
        return list(dict.fromkeys(["displayName", "_key", *self.indexed]))


def to_filter(search: Search, names: Names, visible: Visible) -> Filter:
    """The rows that a search is about. A condition is true only where its property may be seen."""
    parts: list[Filter] = []
    if search.type:
        parts.append(Test("eq", Field(("type",), "text"), constant(search.type)))
    if search.class_:
        parts.append(Each("any", _CLASS, (constant(search.class_),)))
    if search.text:
        text = constant(search.text)
        held = ((name, Test("holds", Field(names.path(name), "text"), text)) for name in names.searched)
        parts.append(any_of(*(all_of(test, visible(name)) for name, test in held)))
    if search.where is not None:
        parts.append(_filter(search, search.where, names, visible))
    return all_of(*parts)


def find_names(search: Search, names: Names) -> Iterator[str]:
    """The properties that a search asks about, by the names that the API shows."""
    if search.text:
        yield from names.searched
    open_ = [search.where] if search.where is not None else []
    while open_:
        match open_.pop():
            case And(parts) | Or(parts):
                open_ += parts
            case Not(part):
                open_.append(part)
            case Condition(name):
                yield name


def _filter(search: Search, where: Where, names: Names, visible: Visible) -> Filter:
    match where:
        case And(parts):
            return all_of(*(_filter(search, part, names, visible) for part in parts))
        case Or(parts):
            return any_of(*(_filter(search, part, names, visible) for part in parts))
        case Not(part):
            return none_of(_filter(search, part, names, visible))
        case Condition(name, op, values):
            if name == "_class" and search.kind == "relationship":
                # of which there is one, in a set to policies
                same = Each("any", _CLASS, tuple(map(constant, values))) if values else NONE
                return EVERY if op == "exists" else _negate(where, same)
            return all_of(_test(where, names.path(name)), visible(name))


def _test(condition: Condition, path: tuple[str, ...]) -> Filter:
    _, op, values = condition
    there = Test("has", Field(path, "any"))
    if op == "exists":
        return there
    if op in {"eq", "ne", "in"}:
        return _negate(condition, _equal(path, values), there)
    (value,) = values
    if op == "starts":
        return Test("starts", Field(path, "text"), constant(value))
    if op == "contains":
        element = Each("any", Field(path, "set"), (constant(value),))
        return any_of(element, Test("holds", Field(path, "text"), constant(value))) if type(value) is str else element
    return _compare(path, op, value)


def _negate(condition: Condition, same: Filter, there: Filter = EVERY) -> Filter:
    return all_of(there, none_of(same)) if condition.op == "ne" else same


def _equal(path: tuple[str, ...], values: Iterable[Value]) -> Filter:
    by_kind: dict[Kind, list[Constant]] = {}
    for value in values:
        by_kind.setdefault(kind_of(value), []).append(constant(value))
    return any_of(
        *(
            Test("eq", Field(path, kind), same[0]) if len(same) == 1 else Test("in", Field(path, kind), tuple(same))
            for kind, same in by_kind.items()
        )
    )


def _compare(path: tuple[str, ...], op: str, value: Value) -> Filter:
    """A comparison by value: a Long is held against a decimal, and the other way round."""
    if isinstance(value, str):
        return Test(op, Field(path, "text"), constant(value))
    assert isinstance(value, int | Decimal), "the grammar takes texts and numbers"  # noqa: S101
    below = op in {"lt", "le"}
    whole, parts = Field(path, "long"), Field(path, "decimal")
    if isinstance(value, Decimal):
        # no whole number is equal to it
        beside = Test("le", whole, constant(floor(value))) if below else Test("ge", whole, constant(ceil(value)))
        return any_of(beside, Test(op, parts, constant(value)))
    if abs(value) <= _LARGEST_DECIMAL:
        return any_of(Test(op, whole, constant(value)), Test(op, parts, constant(Decimal(value))))
    return any_of(Test(op, whole, constant(value)), Test("has", parts) if (value > 0) == below else NONE)
