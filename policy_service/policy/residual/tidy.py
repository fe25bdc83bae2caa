"""A filter said in fewer words: one list for many values of one field, and nothing that another part implies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from policy_service.model import Uid
from policy_service.policy.residual.filter import (
    All,
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Not,
    Some,
    Sum,
    Term,
    Test,
    all_of,
    any_of,
    none_of,
)


def tidy(filter_: Filter) -> Filter:
    """The same rows."""
    match filter_:
        case All(parts):
            return all_of(*_drop_implied([tidy(part) for part in parts]))
        case Some(parts):
            return any_of(*_merge([tidy(part) for part in parts]))
        case Not(part):
            return none_of(tidy(part))
        case End(side, part):
            return End(side, tidy(part))
    return filter_


def _drop_implied(parts: Sequence[Filter]) -> Sequence[Filter]:
    """The parts without those which say that something is there that another part asks of."""
    if len(parts) < 2:
        return parts
    implied = set(implied_by(parts))
    return [part for part in parts if part not in implied]


def implied_by(parts: Iterable[Filter]) -> Iterator[Filter]:
    """What is there where all parts are true, beside what each says itself."""
    for part in parts:
        if isinstance(part, Test):
            asked = (*_fields(part.left), *_fields(part.right))
            said = part.left if part.op == "has" else None
        elif isinstance(part, Each):
            asked, said = (*_fields(part.field), *_fields(part.other)), None
        else:
            continue
        for field in asked:
            if field != said:
                yield Test("has", field)
            if field.kind != "any":
                yield Test("has", Field(field.path, "any"))
            # what has a member is a record
            for length in range(2, len(field.path)):
                yield Test("has", Field(field.path[:length], "record"))
                yield Test("has", Field(field.path[:length], "any"))


def _fields(term: Term | tuple[object, ...] | None) -> tuple[Field, ...]:
    match term:
        case Field():
            return (term,)
        case Sum(_, left, right):
            return (*_fields(left), *_fields(right))
    return ()


def _merge(parts: Sequence[Filter]) -> Sequence[Filter]:
    """The parts, where those that hold one field against values, or look for ancestors, are one."""
    if len(parts) < 2:
        return parts
    found: dict[object, Filter] = {}
    values: dict[object, list[Constant]] = {}
    below: list[Uid] = []
    for part in parts:
        match part:
            case Test("eq", Field() as field, Constant() as value):
                key: object = ("test", field)
                values.setdefault(key, []).append(value)
            case Test("in", Field() as field, tuple(many)):
                key = ("test", field)
                values.setdefault(key, []).extend(value for value in many if isinstance(value, Constant))
            case Each("any", field, tuple(many)):
                key = ("each", field)
                values.setdefault(key, []).extend(many)
            case Below(uids):
                key = "below"
                below.extend(uids)
            case _:
                key = part
        found.setdefault(key, part)
    return [_remake(part, values.get(key, ()), below) for key, part in found.items()]


def _remake(part: Filter, values: Sequence[Constant], below: Sequence[Uid]) -> Filter:
    match part:
        case Test("eq" | "in", left, _) if len(values) > 1:
            return Test("in", left, tuple(dict.fromkeys(values)))
        case Each("any", field, _) if values:
            return Each("any", field, tuple(dict.fromkeys(values)))
        case Below():
            return Below(tuple(dict.fromkeys(below)))
    return part
