"""Why a Cedar policy can fail to evaluate, as hints for its author: a forbid that fails denies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from policy_service.model import Uid
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Constant,
    Expression,
    Has,
    If,
    Is,
    Like,
    RecordOf,
    Rule,
    SetOf,
    Unary,
    Variable,
)

# what a forbid that fails does to lists, where it fails on rows
_LOST = ", so that lists lose each such row"
# what the service asserts is always there
_ASSERTED = frozenset({"principal.tenant", "resource.tenant", "context.now"})
_EXTENSIONS = {"ip": "ip address", "decimal": "decimal", "datetime": "datetime", "duration": "duration"}
# what an operator needs on its left, and on its right
_NEEDED = {
    **dict.fromkeys(("and", "or"), ("boolean", "boolean")),
    **dict.fromkeys(("add", "sub", "mul", "less", "less_eq", "greater", "greater_eq"), ("number", "number")),
    **dict.fromkeys(("contains_all", "contains_any"), ("set", "set")),
    **dict.fromkeys(("has_tag", "get_tag"), ("entity", "string")),
    "contains": ("set", ""),
    "in": ("entity", ""),
}
_NUMBERS = frozenset(
    {"add", "sub", "mul", "neg", "offset", "duration_since", "datetime", "duration", "to_date", "to_time"}
)
_CONSTANTS: Mapping[type, str] = {bool: "boolean", int: "number", str: "string", Uid: "entity"}
_KINDS: Mapping[type, str] = {Has: "boolean", Like: "boolean", Is: "boolean", SetOf: "set", RecordOf: "record"}


def read_hazards(rule: Rule, is_literal: Callable[[str, str], bool]) -> tuple[str, ...]:
    """Why a policy can fail to evaluate, a sentence each, first what resources lack.

    `is_literal(function, text)` tries an extension.
    """
    hazards = _Hazards(is_literal)
    known: frozenset[str] = frozenset()
    for condition in rule.conditions:
        hazards.need(condition, "boolean")
        hazards.walk(condition, known)
        known |= _learn(condition, True)
    return tuple(dict.fromkeys((*hazards.lost, *hazards.sentences)))


class _Hazards:
    """Walks an expression as Cedar would, knowing what a `has` before it has made sure of."""

    def __init__(self, is_literal: Callable[[str, str], bool]) -> None:
        self._is_literal = is_literal
        self.lost: list[str] = []
        self.sentences: list[str] = []

    def walk(self, expression: Expression, known: frozenset[str]) -> None:
        match expression:
            case Binary(op, left, right):
                self.walk(left, known)
                learned = _learn(left, op == "and") if op in ("and", "or") else frozenset()
                self.walk(right, known | learned)
                self._operate(expression, known)
            case If(condition, then, otherwise):
                self.need(condition, "boolean")
                self.walk(condition, known)
                self.walk(then, known | _learn(condition, True))
                self.walk(otherwise, known | _learn(condition, False))
            case Attribute(base):
                self.walk(base, known)
                self._get(expression, known)
            case Unary(_, operand):
                self.walk(operand, known)
                self._apply(expression)
            case _:
                for child in _children(expression):
                    self.walk(child, known)

    def need(self, expression: Expression, kind: str) -> None:
        """Note that an expression has to be of a kind, where that is not plain to see."""
        if kind and not _is_kind(expression, kind):
            way_out = f"; write `{_text(expression)} == true`" if kind == "boolean" else ""
            self.sentences.append(
                f"errors where {_write(expression)} is not {'an' if kind[0] in 'aei' else 'a'} {kind}{way_out}"
            )

    def _operate(self, expression: Binary, known: frozenset[str]) -> None:
        op, left, right = expression.op, expression.left, expression.right
        on_left, on_right = _NEEDED.get(op, ("", ""))
        self.need(left, on_left)
        self.need(right, on_right)
        if op in ("add", "sub", "mul"):
            self.sentences.append(f"errors where {_write(expression)} leaves 64 bits")
        if op == "get_tag" and (fact := f"{_write(left)} tag {_write(right)}") not in known:
            guard = f"{_text(left)}.hasTag({_text(right)}) && …"
            self._lack(_text(left), f"errors where {fact.replace(' tag ', ' has no tag ')}", guard)

    def _get(self, expression: Attribute, known: frozenset[str]) -> None:
        text = _text(expression)
        if text in known or text in _ASSERTED or isinstance(expression.base, RecordOf):
            return
        base, name = _text(expression.base), expression.name
        place = {"principal": "on a principal", "resource": "on a resource", "context": "in a context"}.get(base)
        where = f"{place} without `{name}`" if place else f"where `{base}` has no `{name}`"
        self._lack(base, f"errors {where}", f"{base} has {_name(name)} && …")

    def _lack(self, base: str, sentence: str, guard: str) -> None:
        if base == "resource" or base.startswith(("resource.", "resource[")):
            self.lost.append(f"{sentence}{_LOST}; write `{guard}`")
        else:
            self.sentences.append(f"{sentence}; write `{guard}`")

    def _apply(self, expression: Unary) -> None:
        op, operand = expression.op, expression.operand
        if op in ("not", "neg", "is_empty"):
            self.need(operand, {"not": "boolean", "neg": "number", "is_empty": "set"}[op])
        kind = _EXTENSIONS.get(op)
        text = operand.value if isinstance(operand, Constant) else None
        if kind and not isinstance(text, str):
            self.sentences.append(f"errors where {_write(operand)} is no {kind}")
        elif kind and isinstance(text, str) and not self._is_literal(op, text):
            self.sentences.append(f"always errors when it is reached: `{text}` is no {kind}")


def _is_kind(expression: Expression, kind: str) -> bool:
    """Whether an expression is plainly of a kind; `number` stands for whatever `<` compares."""
    match expression:
        case Binary(op) | Unary(op):
            if op == "get_tag":
                return False
            number = op in _NUMBERS or op.startswith("to_")
            return kind == ("number" if number else "decimal or ip" if op in ("decimal", "ip") else "boolean")
        case If(_, then, otherwise):
            return _is_kind(then, kind) and _is_kind(otherwise, kind)
        case Variable(name):
            return kind == ("record" if name == "context" else "entity")
        case Constant(value):
            return _CONSTANTS.get(type(value)) == kind
    return _KINDS.get(type(expression)) == kind or (kind == "number" and _text(expression) == "context.now")


def _learn(expression: Expression, truth: bool) -> frozenset[str]:
    """What is there for sure once an expression turned out true, or false."""
    match expression:
        case Has(base, names) if truth:
            path, facts = _text(base), set()
            for name in names:
                path = _step(path, name)
                facts.add(path)
            return frozenset(fact for fact in facts if "…" not in fact)
        case Binary("has_tag", left, right) if truth:
            fact = f"{_write(left)} tag {_write(right)}"
            return frozenset() if "…" in fact else frozenset({fact})
        case Unary("not", operand):
            return _learn(operand, not truth)
        case Binary("and" | "or" as op, left, right):
            one, other = _learn(left, truth), _learn(right, truth)
            return one | other if (op == "and") is truth else one & other
    return frozenset()


def _children(expression: Expression) -> Iterable[Expression]:
    match expression:
        case Has(base) | Like(base):
            return (base,)
        case Is(operand, _, within):
            return (operand,) if within is None else (operand, within)
        case SetOf(parts):
            return parts
        case RecordOf(fields):
            return tuple(part for _, part in fields)
    return ()


def _write(expression: Expression) -> str:
    """An expression as a sentence shows it."""
    return f"`{_text(expression)}`"


def _text(expression: Expression) -> str:
    match expression:
        case Variable(name):
            return name
        case Attribute(base, name):
            return _step(_text(base), name)
        case Constant(Uid() as uid):
            return f"{uid.type}::{_quote(uid.id)}"
        case Constant(str() as text):
            return _quote(text)
        case Binary("get_tag", left, right):
            return f"{_text(left)}.getTag({_text(right)})"
    return "…"


def _step(path: str, attribute: str) -> str:
    return f"{path}.{attribute}" if attribute.isidentifier() else f"{path}[{_quote(attribute)}]"


def _name(attribute: str) -> str:
    return attribute if attribute.isidentifier() else _quote(attribute)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
