"""Expressions that py-abac and casbin policies have in common."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from policy_service.policy.tree import Binary, Constant, Expression, RecordOf, SetOf, Unary

TRUE, FALSE = Constant(True), Constant(False)
# what has no value, whatever is asked
FAILING = Unary("not", Constant(""))


def join(op: str, parts: Sequence[Expression]) -> Expression:
    """All parts of an `and` or `or`, asked in order, without those that change nothing; no deeper than it must be."""
    neutral, deciding = (TRUE, FALSE) if op == "and" else (FALSE, TRUE)
    kept: list[Expression] = []
    for part in parts:
        if part == deciding:
            kept.append(part)
            break
        if part != neutral:
            kept.append(part)
    return _join(op, kept) if kept else neutral


def _join(op: str, parts: Sequence[Expression]) -> Expression:
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return Binary(op, _join(op, parts[:half]), _join(op, parts[half:]))


def negate(expression: Expression) -> Expression:
    """True where it is false."""
    if expression in (TRUE, FALSE):
        return FALSE if expression == TRUE else TRUE
    if isinstance(expression, Unary) and expression.op == "not" and expression != FAILING:
        return expression.operand
    return Unary("not", expression)


def literal(value: Any) -> Expression:
    """A plain value as an expression."""
    if isinstance(value, list):
        return SetOf(tuple(map(literal, value)))
    if isinstance(value, dict):
        return RecordOf(tuple((name, literal(part)) for name, part in value.items()))
    return Constant(Decimal(repr(value)) if isinstance(value, float) else value)


def is_among(operand: Expression, values: Sequence[Any]) -> Expression:
    """Whether a value is one of these to Python; of texts there is nothing else that is."""
    textual = all(isinstance(value, str) for value in values)
    if len(values) == 1:
        return Binary("eq" if textual else "alike", operand, literal(values[0]))
    return Binary("contains" if textual else "contains_alike", literal(list(values)), operand)
