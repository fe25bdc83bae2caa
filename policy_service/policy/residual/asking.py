"""Which parts of a policy ask for the row, and which members of the context it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policy_service.policy.residual.asked import Unknown
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Call,
    Constant,
    Expression,
    Groups,
    Has,
    IdOf,
    If,
    Is,
    Like,
    OfKind,
    Opaque,
    Path,
    RecordOf,
    Rule,
    SetOf,
    TypeOf,
    Unary,
    Variable,
)


@dataclass(frozen=True, slots=True)
class Asking:
    """What was found of a rule.

    `parts` are the `id()` of those that ask for the row; `context` has the names of what is read of the context, none
    where that may be any.
    """

    rule: Rule
    parts: frozenset[int]
    context: frozenset[str] | None


def find_asking(rule: Rule, unknown: Unknown) -> Asking:
    """What a policy asks of the row and of the context. What is opaque is taken to ask for the row."""
    search = _Search(unknown)
    for condition in rule.conditions:
        search.look(condition)
    return Asking(rule, frozenset(search.parts), None if search.everything else frozenset(search.context))


class _Search:
    def __init__(self, unknown: Unknown) -> None:
        self._unknown = unknown
        self.parts: set[int] = set()
        self.context: set[str] = set()
        self.everything = False

    def look(self, expression: Expression) -> bool:
        """Whether an expression asks for the row."""
        # each part is looked at, as its own value may be told where that of the whole can't
        parts = [self.look(part) for part in parts_of(expression)]
        asks = self._asks(expression) or any(parts)
        if asks:
            self.parts.add(id(expression))
        return asks

    def _asks(self, expression: Expression) -> bool:
        match expression:
            case (
                Attribute(Variable("context"), name)
                | Has(Variable("context"), (name, *_))
                | Path("context", (name, *_))
            ):
                self.context.add(name)
            case Variable("context"):
                self.everything = True
            case Variable(name) | IdOf(name) | TypeOf(name) | Path(name, _):
                return name == self._unknown
            case Groups():
                return self._unknown == "principal"
            case Opaque():
                return True
        return False


def parts_of(expression: Expression) -> Iterator[Expression]:
    """The expressions that an expression is made of."""
    match expression:
        case Attribute(Variable("context")) | Has(Variable("context")):
            return
        case Attribute(base) | Has(base):
            yield base
        case Unary(_, operand) | Like(operand) | OfKind(operand):
            yield operand
        case Binary(_, left, right):
            yield from (left, right)
        case If(condition, then, otherwise):
            yield from (condition, then, otherwise)
        case Is(operand, _, within):
            yield from (operand,) if within is None else (operand, within)
        case SetOf(parts) | Call(_, parts):
            yield from parts
        case RecordOf(fields):
            yield from (part for _, part in fields)
        case Constant():
            return
