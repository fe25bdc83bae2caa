"""A filter as JSON, for an application that filters tables of its own: as UCAST conditions, or as its tree.

Places are `id`, `type`, `properties.<name>` and `tags.<name>`, and below those the names of members; a dot or a
backslash in a name has a backslash before it. In both, `not` is true exactly where its part is not true, of nothing
too, and what is opaque says why: it has to be asked about row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from policy_service.model import Uid, Value
from policy_service.policy.names import request_type
from policy_service.policy.residual.filter import (
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Leaf,
    Opaque,
    Sum,
    Test,
    fold,
)
from policy_service.policy.residual.operators import BELOW, SETS, SUMS, TESTS
from policy_service.policy.stored_values import show

Json: TypeAlias = dict[str, Any]

_ROOTS: Mapping[str, str] = {"attribute": "properties", "tag": "tags"}


def to_ucast(filter_: Filter) -> Json:
    """The filter as UCAST: conditions of type `compound`, `field`, and `document` where no single field is asked.

    A value is JSON, or `{"field": …}` where two fields are compared.
    """
    return fold(
        filter_,
        _condition,
        lambda parts: _compound("and", parts),
        lambda parts: _compound("or", parts),
        lambda part: _compound("not", [part]),
    )


def _compound(operator: str, parts: Sequence[Json]) -> Json:
    return {"type": "compound", "operator": operator, "value": list(parts)}


def _condition(leaf: Leaf) -> Json:
    match leaf:
        case Test("has", Field() as field):
            return _field(TESTS["has"].ucast, field, True)
        case Test(op, Field() as field, right):
            return _field(TESTS[op].ucast, field, _operand(op, right))
        case Test(op, left, right):
            return _document(TESTS[op].ucast, [_term(left), *([] if right is None else [_operand(op, right)])])
        case Each(op, field, other):
            return _field(SETS[op].ucast, field, _operand(op, other))
        case Below(uids):
            return _document(BELOW.ucast, [_value(uid) for uid in uids])
        case End(side, part):
            return _document(side, to_ucast(part))
        case Opaque():
            return _document("opaque", _opaque(leaf))


def _field(operator: str, field: Field, value: Any) -> Json:
    return {"type": "field", "operator": operator, "field": _place(field), "value": value}


def _document(operator: str, value: Any) -> Json:
    return {"type": "document", "operator": operator, "value": value}


def _operand(op: str, right: Any) -> Any:
    if op == "like":
        return _pattern(right)
    return [_term(each) for each in right] if isinstance(right, tuple) else _term(right)


def _term(term: Any) -> Any:
    match term:
        case Field():
            return {"field": _place(term)}
        case Sum(op, left, right):
            return {SUMS[op].ucast: [_term(left), _term(right)]}
    return _value(term.value)


def to_tree(filter_: Filter) -> Json:
    """The filter as its tree: `op` and `parts`, or a test with `left` and `right`, whose kinds are told."""
    return fold(
        filter_,
        _node,
        lambda parts: {"op": "and", "parts": list(parts)},
        lambda parts: {"op": "or", "parts": list(parts)},
        lambda part: {"op": "not", "parts": [part]},
    )


def _node(leaf: Leaf) -> Json:
    match leaf:
        case Test("like", left, right):
            return {"op": "like", "left": _side(left), "pattern": list(right) if isinstance(right, tuple) else []}
        case Test(op, left, right):
            return {"op": op, "left": _side(left)} | ({} if right is None else {"right": _side(right)})
        case Each(op, field, other):
            return {"op": f"elements {op}", "left": _side(field), "right": _side(other)}
        case Below(uids):
            return {"op": "below", "entities": [_value(uid) for uid in uids]}
        case End(side, part):
            return {"op": "end", "side": side, "part": to_tree(part)}
        case Opaque():
            return {"op": "opaque", **_opaque(leaf)}


def _side(term: Any) -> Any:
    match term:
        case Field(path, kind):
            return {"field": [_ROOTS.get(path[0], path[0]), *path[1:]], "kind": kind}
        case Sum(op, left, right):
            return {"op": op, "left": _side(left), "right": _side(right)}
        case Constant(kind):
            return {"value": _value(term.value), "kind": kind}
    return [_side(each) for each in term]


def _place(field: Field) -> str:
    root, *names = field.path
    return ".".join([_ROOTS.get(root, root), *(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)])


def _pattern(parts: Sequence[str | None]) -> str:
    """A pattern as Cedar writes it: `*` for any text, `\\*` for a star."""
    return "".join("*" if part is None else part.replace("\\", "\\\\").replace("*", "\\*") for part in parts)


def _opaque(opaque: Opaque) -> Json:
    told = {"why": opaque.why, "policy": opaque.policy, "source": opaque.source}
    return {name: text for name, text in told.items() if text}


def _value(value: Value) -> Any:
    """A value as JSON; an entity is its type, as a request names it, and its id."""
    if isinstance(value, Uid):
        return {"type": request_type(value.type), "id": value.id}
    if isinstance(value, list):
        return [_value(part) for part in value]
    shown = show(value)
    return {name: _value(part) for name, part in shown.items()} if isinstance(shown, dict) else shown
