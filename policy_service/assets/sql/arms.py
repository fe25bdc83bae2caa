"""A filter as alternatives that an index leads to each: a page reads about as many rows of each as it shows.

A database walks what is joined by OR row by row, or gathers all of it. An arm is a *lead*, a condition that an index
serves in the order of ids, and the rest, which is looked at row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from policy_service.assets.sql.columns import Column, Document, Other, Shape
from policy_service.assets.sql.conditions import group_ids
from policy_service.assets.sql.sayable import count_leaves
from policy_service.policy.residual.filter import (
    EVERY,
    All,
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Some,
    Test,
    all_of,
    constant,
)

# an arm for each value of its lead, as long as there are no more arms than these
SPLIT = 32
# conditions of several arms together, each of which has all that it looks at beside its lead: to put a condition into a
# statement takes a millisecond, and whoever searches writes them
CONDITIONS = 500
# columns with an index of `(account, column, id)` in both tables, and those of the ends of relationships
_INDEXED = frozenset({"display_name", "key", "created_on", "begin_on", "from_id", "to_id"})
_PARTLY = frozenset({("from",), ("to",), ("attribute", "displayName")})
# how many rows a lead may be thought to have: one for each value, some, a share of all, those of many entities
ONE, FEW, MANY, ENDS = range(4)

Lead: TypeAlias = Test | Each | Below | End


class Arm(NamedTuple):
    """One alternative; `rank` is how many rows its lead may be thought to have."""

    lead: Lead
    rank: int
    rest: Filter = EVERY


# about how many rows the leads of arms have together, up to some number
Weigh = Callable[[Sequence[Arm]], int]


def find_arms(shape: Shape, filter_: Filter, weigh: Weigh) -> list[Arm] | None:
    """The arms of a filter, which have all rows that it is true of and no others; none where some part has no lead.

    Then one part looks at every row, and the others as well be looked at with it.
    """
    match filter_:
        case Some(parts):
            found = [find_arms(shape, part, weigh) for part in parts]
            return [arm for arms in found for arm in arms or ()] if None not in found else None
        case All(parts):
            return _choose(shape, parts, weigh)
        case Test() | Each() | Below() | End():
            return list(_lead(shape, filter_, weigh)) or None
    return None


def _choose(shape: Shape, parts: Sequence[Filter], weigh: Weigh) -> list[Arm] | None:
    """The arms of that part of a conjunction that has the fewest rows; the other parts are the rest of each."""
    led = [(position, arms) for position, part in enumerate(parts) if (arms := find_arms(shape, part, weigh))]
    if not led:
        return None
    ranks = [max(arm.rank for arm in arms) for _, arms in led]
    best = min(ranks)
    if best <= FEW:
        led = [one for one, rank in zip(led, ranks, strict=True) if rank == best]
    position, arms = led[0] if len(led) == 1 else min(led, key=lambda one: weigh(one[1]))
    others = all_of(*parts[:position], *parts[position + 1 :])
    return [arm._replace(rest=all_of(arm.rest, others)) for arm in arms]


def _lead(shape: Shape, leaf: Lead, weigh: Weigh) -> Iterator[Arm]:
    match leaf:
        case Test("eq" | "in", Field() as field, right) if not isinstance(right, Field):
            values = right if isinstance(right, tuple) else (right,)
            rank = _rank(shape, field, [value for value in values if isinstance(value, Constant)])
            if rank is not None:
                # what is looked up may be less than the whole: the id of an end, how a name begins
                yield Arm(leaf, rank, leaf if field.path in _PARTLY else EVERY)
        case Each("any", field, tuple()) if shape.name_elements(field.path):
            yield Arm(leaf, _rank_set(field))
        case Each("all", field, tuple((first, *others))) if shape.name_elements(field.path):
            rest = replace(leaf, other=tuple(others)) if others else EVERY
            yield Arm(Each("any", field, (first,)), _rank_set(field), rest)
        case Below(uids):
            if shape.kind == "entity":
                yield Arm(leaf, FEW)
            for type_, ids in group_ids(uids).items():
                same = Test("in", Field(("id",), "text"), tuple(map(constant, ids)))
                yield Arm(same, ONE, Test("eq", Field(("type",), "text"), constant(type_)))
        case End(_, part) if shape.ends and (arms := find_arms(shape.ends, part, weigh)) and is_short(arms):
            # the lead goes by the id alone
            yield Arm(leaf, ENDS, leaf)


def _rank(shape: Shape, field: Field, values: Sequence[Constant]) -> int | None:
    """How many rows have one value of a field, none where no index has its values."""
    place = shape.locate(field.path)
    if isinstance(place, Other):
        return FEW
    if isinstance(place, Column):
        return {"id": ONE, "type": MANY}.get(place.name, FEW if place.name in _INDEXED else None)
    if not isinstance(place, Document):
        return None
    if shape.is_sealed(field):
        # a row of another day may have it where all can see, and then there is no digest of it
        return None if shape.find_kinds(field.path) else FEW
    if any(value.kind == "set" for value in values):
        # its elements have rows, and it has none
        return None
    if shape.name_value(field.path) or shape.find_column(field, values):
        return MANY if field.kind == "bool" else FEW
    return None


def _rank_set(field: Field) -> int:
    return MANY if field.path == ("attribute", "class") else FEW


def split(arms: list[Arm]) -> list[Arm]:
    """An arm for each value of each lead, unless they are too many: the rows of one value are in the order of ids."""
    single = [arm._replace(lead=lead) for arm in arms for lead in _split(arm.lead)]
    return single if len(single) <= SPLIT and is_short(single) else arms


def is_short(arms: Sequence[Arm]) -> bool:
    """Whether arms repeat not too much in one statement."""
    return len(arms) == 1 or sum(1 + count_leaves(arm.rest) for arm in arms) <= CONDITIONS


def _split(lead: Lead) -> Iterator[Lead]:
    match lead:
        case Test("in", left, tuple(values)):
            yield from (Test("eq", left, value) for value in values)  # type: ignore[arg-type]
        case Each("any", field, tuple(values)):
            yield from (Each("any", field, (value,)) for value in values)
        case Below(uids):
            yield from (Below((uid,)) for uid in uids)
        case _:
            yield lead
