"""Why a Cedar policy can fail to evaluate, as hints for its author: a forbid that fails denies.

Like `cedar_tree`, it reads the nodes of `cedarpy.pst` by class name and attributes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

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
_KINDS = {
    "BoolLit": "boolean",
    "HasAttr": "boolean",
    "Like": "boolean",
    "Is": "boolean",
    "LongLit": "number",
    "StringLit": "string",
    "EntityLit": "entity",
    "Set": "set",
    "Record": "record",
}


def read_hazards(policy: Any, is_literal: Callable[[str, str], bool]) -> tuple[str, ...]:
    """Why the policy can fail to evaluate, a sentence each. `is_literal(function, text)` tries an extension."""
    hazards = _Hazards(is_literal)
    known: frozenset[str] = frozenset()
    for clause in policy.clauses:
        hazards.need(clause.expr, "boolean")
        hazards.walk(clause.expr, known)
        known |= _learn(clause.expr, type(clause).__name__ == "When")
    return tuple(dict.fromkeys(hazards.sentences))


class _Hazards:
    """Walks an expression as Cedar would, knowing what a `has` before it has made sure of."""

    def __init__(self, is_literal: Callable[[str, str], bool]) -> None:
        self._is_literal = is_literal
        self.sentences: list[str] = []

    def walk(self, node: Any, known: frozenset[str]) -> None:
        match type(node).__name__:
            case "BinaryOp":
                self.walk(node.left, known)
                learned = _learn(node.left, node.op == "and") if node.op in ("and", "or") else frozenset()
                self.walk(node.right, known | learned)
                self._operate(node, known)
            case "IfThenElse":
                self.need(node.cond, "boolean")
                self.walk(node.cond, known)
                self.walk(node.then_expr, known | _learn(node.cond, True))
                self.walk(node.else_expr, known | _learn(node.cond, False))
            case "GetAttr":
                self.walk(node.base, known)
                self._get(node, known)
            case "UnaryOp":
                self.walk(node.arg, known)
                self._apply(node)
            case _:
                for child in _children(node):
                    self.walk(child, known)

    def need(self, node: Any, kind: str) -> None:
        """Note that `node` has to be of a kind, where that is not plain to see."""
        if kind and not _is_kind(node, kind):
            self.sentences.append(f"errors where {_write(node)} is not {'an' if kind[0] in 'aei' else 'a'} {kind}")

    def _operate(self, node: Any, known: frozenset[str]) -> None:
        left, right = _NEEDED.get(node.op, ("", ""))
        self.need(node.left, left)
        self.need(node.right, right)
        if node.op in ("add", "sub", "mul"):
            self.sentences.append(f"errors where {_write(node)} leaves 64 bits")
        if node.op == "get_tag" and (fact := f"{_write(node.left)} tag {_write(node.right)}") not in known:
            guard = f"{_text(node.left)}.hasTag({_text(node.right)}) && …"
            self.sentences.append(f"errors where {fact.replace(' tag ', ' has no tag ')}; write `{guard}`")

    def _get(self, node: Any, known: frozenset[str]) -> None:
        text = _text(node)
        if text in known or text in _ASSERTED or type(node.base).__name__ == "Record":
            return
        base = _text(node.base)
        place = {"principal": "on a principal", "resource": "on a resource", "context": "in a context"}.get(base)
        where = f"{place} without `{node.attr}`" if place else f"where `{base}` has no `{node.attr}`"
        self.sentences.append(f"errors {where}; write `{base} has {_name(node.attr)} && …`")

    def _apply(self, node: Any) -> None:
        if node.op in ("not", "neg", "is_empty"):
            self.need(node.arg, {"not": "boolean", "neg": "number", "is_empty": "set"}[node.op])
        kind = _EXTENSIONS.get(node.op)
        if kind and type(node.arg).__name__ != "StringLit":
            self.sentences.append(f"errors where {_write(node.arg)} is no {kind}")
        elif kind and not self._is_literal(node.op, node.arg.value):
            self.sentences.append(f"always errors when it is reached: `{node.arg.value}` is no {kind}")


def _is_kind(node: Any, kind: str) -> bool:
    """Whether an expression is plainly of a kind; `number` stands for whatever `<` compares."""
    name = type(node).__name__
    if name in ("UnaryOp", "BinaryOp"):
        if node.op == "get_tag":
            return False
        number = node.op in _NUMBERS or node.op.startswith("to_")
        return kind == ("number" if number else "decimal or ip" if node.op in ("decimal", "ip") else "boolean")
    if name == "IfThenElse":
        return _is_kind(node.then_expr, kind) and _is_kind(node.else_expr, kind)
    if name == "Var":
        return kind == ("record" if node.name == "context" else "entity")
    return _KINDS.get(name) == kind or (kind == "number" and _text(node) == "context.now")


def _learn(node: Any, truth: bool) -> frozenset[str]:
    """What is there for sure once an expression turned out true, or false."""
    name, op = type(node).__name__, getattr(node, "op", "")
    if name == "HasAttr" and truth:
        path, facts = _text(node.base), set()
        for attribute in node.attrs:
            path = _step(path, attribute)
            facts.add(path)
        return frozenset(fact for fact in facts if "…" not in fact)
    if op == "has_tag" and truth:
        fact = f"{_write(node.left)} tag {_write(node.right)}"
        return frozenset() if "…" in fact else frozenset({fact})
    if op == "not":
        return _learn(node.arg, not truth)
    if op in ("and", "or"):
        left, right = _learn(node.left, truth), _learn(node.right, truth)
        return left | right if (op == "and") is truth else left & right
    return frozenset()


def _children(node: Any) -> Iterable[Any]:
    match type(node).__name__:
        case "HasAttr" | "Like":
            return (node.base,)
        case "Is":
            return (node.base,) if node.in_expr is None else (node.base, node.in_expr)
        case "Set":
            return tuple(node.elements)
        case "Record":
            return tuple(node.fields.values())
        case _:
            return ()


def _write(node: Any) -> str:
    """An expression as a sentence shows it."""
    return f"`{_text(node)}`"


def _text(node: Any) -> str:
    match type(node).__name__:
        case "Var":
            return str(node.name)
        case "GetAttr":
            return _step(_text(node.base), node.attr)
        case "StringLit":
            return _quote(node.value)
        case "EntityLit":
            return f"{node.value.type}::{_quote(node.value.id)}"
        case "BinaryOp" if node.op == "get_tag":
            return f"{_text(node.left)}.getTag({_text(node.right)})"
        case _:
            return "…"


def _step(path: str, attribute: str) -> str:
    return f"{path}.{attribute}" if attribute.isidentifier() else f"{path}[{_quote(attribute)}]"


def _name(attribute: str) -> str:
    return attribute if attribute.isidentifier() else _quote(attribute)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
