"""An expression as a sentence shows it: in Cedar's words, cut where it is long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from policy_service.model import Uid
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Call,
    Constant,
    Expression,
    Has,
    IdOf,
    If,
    Is,
    Like,
    Opaque,
    Path,
    RecordOf,
    SetOf,
    TypeOf,
    Unary,
    Variable,
)

LENGTH = 200
_SIGNS: Mapping[str, str] = {
    "and": "&&",
    "or": "||",
    "eq": "==",
    "not_eq": "!=",
    "less": "<",
    "less_eq": "<=",
    "greater": ">",
    "greater_eq": ">=",
    "add": "+",
    "sub": "-",
    "mul": "*",
    "in": "in",
    "alike": "==",
    "before": "<",
}
_FUNCTIONS = frozenset({"ip", "decimal", "datetime", "duration"})


def write(expression: Expression) -> str:
    """The expression, at most `LENGTH` characters of it."""
    text = _write(expression, 8)
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"


def _write(expression: Expression, depth: int) -> str:
    if not depth:
        return "…"
    below = depth - 1
    match expression:
        case Constant(value):
            return _constant(value)
        case Variable(name):
            return name
        case Attribute(base, name):
            return f"{_write(base, below)}{_member(name)}"
        case Path(name, steps):
            return name + "".join(map(_member, steps))
        case Unary() | Binary():
            return _operation(expression, below)
        case Has(base, names):
            return f"{_write(base, below)} has {'.'.join(map(_name, names))}"
        case Is(operand, type_, within):
            return f"{_write(operand, below)} is {type_}" + (f" in {_write(within, below)}" if within else "")
        case Opaque(_, source) | Call(_, _, _, source) if source:
            return source
    return _write_rare(expression, below)


def _write_rare(expression: Expression, depth: int) -> str:
    match expression:
        case IdOf(name) | TypeOf(name):
            return f"the {'id' if isinstance(expression, IdOf) else 'type'} of the {name}"
        case If(condition, then, otherwise):
            parts = (_write(part, depth) for part in (condition, then, otherwise))
            return "(if {} then {} else {})".format(*parts)
        case Like(operand, pattern):
            text = "".join("*" if part is None else json.dumps(part, ensure_ascii=False)[1:-1] for part in pattern)
            return f'{_write(operand, depth)} like "{text}"'
        case SetOf(parts):
            return f"[{_list(parts, depth)}]"
        case RecordOf(fields):
            return "{" + ", ".join(f"{_name(name)}: {_write(part, depth)}" for name, part in fields[:9]) + "}"
    return "…"


def _operation(expression: Unary | Binary, depth: int) -> str:
    if isinstance(expression, Unary):
        operand = _write(expression.operand, depth)
        if expression.op in ("not", "neg"):
            return f"{'!' if expression.op == 'not' else '-'}{operand}"
        return f"{expression.op}({operand})" if expression.op in _FUNCTIONS else f"{operand}.{_camel(expression.op)}()"
    left, right = _write(expression.left, depth), _write(expression.right, depth)
    sign = _SIGNS.get(expression.op)
    return f"({left} {sign} {right})" if sign else f"{left}.{_camel(expression.op)}({right})"


def _list(parts: tuple[Expression, ...], depth: int) -> str:
    return ", ".join(_write(part, depth) for part in parts[:9]) + (", …" if len(parts) > 9 else "")


def _constant(value: Any) -> str:
    if isinstance(value, Uid):
        return f"{value.type}::{json.dumps(value.id, ensure_ascii=False)}"
    return json.dumps(value, ensure_ascii=False, default=str)


def _camel(op: str) -> str:
    first, *rest = op.removesuffix("_alike").split("_")
    return first + "".join(part.capitalize() for part in rest)


def _member(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{json.dumps(name, ensure_ascii=False)}]"


def _name(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name, ensure_ascii=False)
