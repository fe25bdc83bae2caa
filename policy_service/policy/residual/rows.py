"""What a filter is of one row: the meaning that SQL has to have too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policy_service.model import Entity, Value
from policy_service.policy.names import request_type
from policy_service.policy.residual.filter import (
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Kind,
    Leaf,
    Opaque,
    Sum,
    Term,
    Test,
    constant,
    fold,
    kind_of,
)
from policy_service.policy.residual.operators import BELOW, SETS, SUMS, TESTS

# kinds that Python compares as SQL does; values of all others are compared by their canonical text
_NATIVE = frozenset({"text", "long", "bool", "decimal"})


class OpaqueFilter(ValueError):
    """A row was held against what can't be said of rows; a bound can."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: as policies see it, with all its ancestors, and what only the store knows.

    `fields` are values by path (`("system", "_version")`, `("from",)`), `ends` the stored entities at the ends of a
    relationship.
    """

    entity: Entity
    fields: Mapping[tuple[str, ...], Value] = field(default_factory=dict)
    ends: Mapping[str, Entity] = field(default_factory=dict)


def matches(filter_: Filter, row: Entity | Row) -> bool:
    """Whether the filter is true of the row; `OpaqueFilter` where nobody can tell."""
    whole = row if isinstance(row, Row) else Row(row)
    return fold(filter_, lambda leaf: _test(leaf, whole), all, any, lambda part: not part)


def _test(leaf: Leaf, row: Row) -> bool:
    match leaf:
        case Test(op, left, right):
            return _compare(op, left, right, row)
        case Each(op, field_, other):
            return _look(op, field_, other, row)
        case Below(uids):
            return bool(BELOW.row({row.entity.uid, *row.entity.parents}, uids))
        case End(side, part):
            return side in row.ends and matches(part, row.ends[side])
        case Opaque(why):
            raise OpaqueFilter(why)


def _compare(op: str, left: Term, right: Any, row: Row) -> bool:
    value, kind = _evaluate(left, row), _kind(left)
    if value is None:
        return False
    other: Any = right
    if op == "in":
        other = [_form(each, kind) for each in right]
    elif op not in ("has", "like"):
        other = _form(right, kind) if isinstance(right, Constant) else _evaluate(right, row)
        if other is None:
            return False
    return bool(TESTS[op].row(value, other))


def _look(op: str, field_: Field, other: Any, row: Row) -> bool:
    elements = _elements(field_, row)
    if elements is None:
        return False
    if not isinstance(other, Field):
        return bool(SETS[op].row(elements, {each.text for each in other}))
    if op == "has":
        value = _evaluate(Field(other.path, "any"), row)
        return value is not None and bool(SETS[op].row(elements, value))
    others = _elements(other, row)
    return others is not None and bool(SETS[op].row(elements, others))


def _elements(field_: Field, row: Row) -> set[str] | None:
    value = _read(field_.path, row)
    return {constant(part).text for part in value} if isinstance(value, list) else None


def _evaluate(term: Term, row: Row) -> Any:
    """The value of a term in the form in which it is compared, `None` where there is nothing."""
    match term:
        case Constant(kind):
            return _form(term, kind)
        case Sum(op, left, right):
            one, other = _evaluate(left, row), _evaluate(right, row)
            return None if one is None or other is None else SUMS[op].row(one, other)
    value = _read(term.path, row)
    if value is None or term.kind not in ("any", kind_of(value)):
        return None
    return value if term.kind in _NATIVE else constant(value).text


def _form(value: Constant, kind: Kind) -> Any:
    return value.value if kind in _NATIVE else value.text


def _kind(term: Term) -> Kind:
    return "long" if isinstance(term, Sum) else term.kind


def _read(path: tuple[str, ...], row: Row) -> Value | None:
    match path:
        case ("id",):
            return row.entity.uid.id
        case ("type",):
            return request_type(row.entity.uid.type)
        case ("attribute", *names):
            value: Any = row.entity.attributes
        case ("tag", *names):
            value = row.entity.tags
        case _:
            return row.fields.get(path)
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value  # type: ignore[no-any-return]
