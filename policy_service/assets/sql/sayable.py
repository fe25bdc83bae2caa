"""A filter in the terms of one store: without what no row there can have, and opaque where SQL can't say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from policy_service.assets.sql.columns import STORED, Classes, Column, Drawn, Other, Shape
from policy_service.model import Uid
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    All,
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Kind,
    Not,
    Opaque,
    Some,
    Sum,
    Term,
    Test,
    all_of,
    any_of,
    constant,
    fields_of,
    none_of,
)

# beyond these a statement is longer or deeper than a database takes, or a row takes too long
MOST_LEAVES, MOST_DEPTH, MOST_TERMS, PATTERN_BYTES = 3_000, 40, 6, 1_000

# what could be said by itself, but not beside all else
TOO_LONG = Opaque(f"it has more than {MOST_LEAVES} conditions")
TOO_DEEP = Opaque(f"it is nested deeper than {MOST_DEPTH} levels")

_LONG: frozenset[Kind] = frozenset({"long"})
_SWAPPED = {"eq": "eq", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_ORDERED = frozenset({"lt", "le", "gt", "ge"})
_COMPARED: Mapping[str, frozenset[Kind]] = {
    **dict.fromkeys(_ORDERED, frozenset({"text", "long", "decimal"})),
    **dict.fromkeys(("like", "starts", "holds"), frozenset({"text"})),
}


def simplify(filter_: Filter, shape: Shape) -> Filter:
    """The filter as rows of that shape can be asked, true of the same rows; what can't be is opaque."""
    return _simplify(_shorten(filter_), shape, MOST_DEPTH)


def _shorten(filter_: Filter) -> Filter:
    """As much of the filter as one statement holds: of parts that all have to be true the first ones."""
    kept: list[Filter] = []
    left = MOST_LEAVES
    for part in filter_.parts if isinstance(filter_, All) else (filter_,):
        left -= count_leaves(part)
        if left < 0:
            return all_of(*kept, TOO_LONG)
        kept.append(part)
    return filter_


def count_leaves(filter_: Filter) -> int:
    """How many conditions a filter has."""
    match filter_:
        case All(parts) | Some(parts):
            return sum(map(count_leaves, parts))
        case Not(part) | End(_, part):
            return 1 + count_leaves(part)
    return 1


def _simplify(filter_: Filter, shape: Shape, depth: int) -> Filter:
    if depth == 0:
        return TOO_DEEP
    match filter_:
        case All(parts):
            return all_of(*(_simplify(part, shape, depth - 1) for part in parts))
        case Some(parts):
            return _merge(any_of(*(_simplify(part, shape, depth - 1) for part in parts)))
        case Not(part):
            return none_of(_simplify(part, shape, depth - 1))
        case End(side, part):
            if shape.ends is None:
                return NONE
            held = _simplify(part, shape.ends, depth - 1)
            return NONE if held == NONE else End(side, held)
        case Test():
            return _test(filter_, shape)
        case Each():
            return _each(filter_, shape)
        case Below(uids):
            held_by = tuple(uid for uid in uids if _is_storable(uid))
            return Below(held_by) if held_by else NONE
    return filter_


def _is_storable(uid: Uid) -> bool:
    try:
        return bool(constant(uid))
    except ValueError:
        return False


def _merge(filter_: Filter) -> Filter:
    """`x = a or x = b` as `x in (a, b)`, and the same of elements: one look instead of many."""
    if not isinstance(filter_, Some):
        return filter_
    merged: dict[tuple[str, Field], dict[Constant, None]] = {}
    others = []
    for part in filter_.parts:
        match part:
            case Test("eq", Field() as field, Constant() as value):
                merged.setdefault(("in", field), {})[value] = None
            case Test("in", Field() as field, values):
                merged.setdefault(("in", field), {}).update(dict.fromkeys(cast(tuple[Constant, ...], values)))
            case Each("any", field, tuple(values)):
                merged.setdefault(("any", field), {}).update(dict.fromkeys(values))
            case _:
                others.append(part)
    return any_of(
        *(Each("any", f, tuple(v)) if op == "any" else _among(f, tuple(v)) for (op, f), v in merged.items()), *others
    )


def _among(field: Field, values: tuple[Constant, ...]) -> Filter:
    if not values:
        return NONE
    return Test("eq", field, values[0]) if len(values) == 1 else Test("in", field, values)


def _test(test: Test, shape: Shape) -> Filter:
    op, left, right = test.op, test.left, test.right
    if isinstance(left, Constant) and isinstance(right, Field | Sum) and op in _SWAPPED:
        op, left, right = _SWAPPED[op], right, left
    terms = [term for term in (left, right) if isinstance(term, Field | Sum | Constant)]
    fields = [field for term in terms for field in fields_of(term)]
    if sum(map(_count_terms, terms)) > MOST_TERMS:
        return Opaque(f"it adds up more than {MOST_TERMS} numbers")
    if any(shape.is_sealed(field) for field in fields):
        return _sealed(Test(op, left, right), shape)
    # what a comparison can be of: both sides may be of that kind
    kinds = frozenset.intersection(*(_kinds(term, shape) for term in terms)) & _kinds_of(op, right)
    if op in _ORDERED and len(kinds) > 1:
        return any_of(*(_typed(Test(op, left, right), kind, shape) for kind in sorted(kinds)))
    return _typed(Test(op, left, right), next(iter(kinds)) if len(kinds) == 1 else "any", shape) if kinds else NONE


def _kinds_of(op: str, right: object) -> frozenset[Kind]:
    if op == "in":
        return frozenset(value.kind for value in cast(tuple[Constant, ...], right))
    return _COMPARED.get(op, STORED | {"entity"})


def _typed(test: Test, kind: Kind, shape: Shape) -> Filter:
    left = _type(test.left, kind)
    if test.op == "in":
        values = cast(tuple[Constant, ...], test.right)
        return _among(cast(Field, left), tuple(v for v in values if kind in ("any", v.kind)))
    made = Test(test.op, left, _type(test.right, kind) if isinstance(test.right, Field) else test.right)
    return _located(made, shape) if isinstance(left, Field) else made


def _located(test: Test, shape: Shape) -> Filter:
    """A test of a field that some rows have, by where they have it."""
    field = cast(Field, test.left)
    place = shape.locate(field.path)
    if test.op == "has":
        # what every row has
        return EVERY if place not in (None, Column("display_name", "text")) and _is_own(place) else test
    if test.op == "like":
        return _like(test)
    if isinstance(place, Drawn) or (isinstance(test.right, Field) and _is_drawn(test.right, shape)):
        return _same_drawn(field, test, shape)
    return test


def _is_own(place: object) -> bool:
    return isinstance(place, Column | Classes | Other)


def _is_drawn(field: Field, shape: Shape) -> bool:
    return isinstance(shape.locate(field.path), Drawn)


def _same_drawn(field: Field, test: Test, shape: Shape) -> Filter:
    """A set that is drawn is never empty, and equal to what is in it and has it in it."""
    if isinstance(test.right, Constant):
        elements = tuple(constant(part) for part in cast(list[object], test.right.value))  # type: ignore[arg-type]
        return all_of(Each("all", field, elements), Each("within", field, elements)) if elements else NONE
    other = cast(Field, test.right)
    if _is_drawn(field, shape) and _is_drawn(other, shape):
        return all_of(Each("covers", field, other), Each("covers", other, field))
    # no other set of a row holds entities
    return NONE


def _like(test: Test) -> Filter:
    pattern = cast(tuple[str | None, ...], test.right)
    literal = "".join(part for part in pattern if part is not None)
    try:
        text = constant(literal)
    except ValueError:
        # it holds what no text of a row does
        return NONE
    if None not in pattern:
        return Test("eq", test.left, text)
    if not literal:
        return Test("has", test.left)
    return Opaque(f"its pattern is longer than {PATTERN_BYTES} bytes") if len(text.text) > PATTERN_BYTES else test


def _each(each: Each, shape: Shape) -> Filter:
    field, other = replace(each.field, kind="set"), each.other
    if sealed := [each for each in (field, other) if isinstance(each, Field) and shape.is_sealed(each)]:
        return _refuse_sealed(sealed[0])
    if not _kinds(field, shape):
        return NONE
    if isinstance(other, Field):
        return _each_of(Each(each.op, field, other), shape)
    match each.op, other:
        case "any", ():
            return NONE
        case "all", ():
            return Test("has", field)
        case "within", () if _is_drawn(field, shape):
            return NONE
    return Each(each.op, field, other)


def _each_of(each: Each, shape: Shape) -> Filter:
    """One field against another: entities are only in sets that are drawn."""
    other = cast(Field, each.other)
    other = other if each.op == "has" else replace(other, kind="set")
    kinds = _kinds(other, shape)
    if not kinds:
        return NONE
    if _is_drawn(each.field, shape) == _is_drawn(other, shape) and (each.op != "has" or not _is_drawn(other, shape)):
        return Each(each.op, each.field, replace(other, kind=next(iter(kinds))) if len(kinds) == 1 else other)
    if each.op == "covers" and _is_drawn(each.field, shape):
        return all_of(Test("has", each.field), Test("eq", other, constant([])))
    return NONE


def _sealed(test: Test, shape: Shape) -> Filter:
    """A restricted property has a digest for equality, and its name can be seen."""
    field, values = test.left, test.right if isinstance(test.right, tuple) else (test.right,)
    if isinstance(field, Field) and len(field.path) == 2:
        if test.op == "has" and field.kind == "any":
            return test
        if test.op in {"eq", "in"} and shape.kind == "entity" and all(isinstance(v, Constant) for v in values):
            same = tuple(v for v in cast(tuple[Constant, ...], values) if field.kind in {"any", v.kind})
            # a list has no digest
            if all(value.kind != "set" for value in same):
                return _among(field, same)
    terms = (term for term in (field, *values) if isinstance(term, Field | Sum))
    return _refuse_sealed(next(each for term in terms for each in fields_of(term) if shape.is_sealed(each)))


def _refuse_sealed(field: Field) -> Filter:
    return Opaque(f"the property `{field.path[1]}` is restricted")


def _type(term: Term, kind: Kind) -> Term:
    return replace(term, kind=kind) if isinstance(term, Field) else term


def _count_terms(term: Term) -> int:
    return _count_terms(term.left) + _count_terms(term.right) if isinstance(term, Sum) else 1


def _kinds(term: Term, shape: Shape) -> frozenset[Kind]:
    """The kinds that the term may be of in a row; none where no row has it."""
    match term:
        case Sum(_, left, right):
            return _LONG & _kinds(left, shape) & _kinds(right, shape)
        case Constant(kind):
            return frozenset({kind})
        case Field(path, kind):
            held = shape.find_kinds(path)
            return held if kind == "any" else held & {kind}
    return frozenset()
