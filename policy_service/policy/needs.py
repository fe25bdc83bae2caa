"""What a Cedar policy reads, told from its tree.

Values are followed from where they come: whatever is not known to be less is taken to be more, so that an entity
which the policy reads is never missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from policy_service.model import Uid
from policy_service.policy.scope import Needs
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


def read_needs(rule: Rule) -> Needs:
    """What a policy reads beyond the attributes of principal, action, resource and context.

    A scope asks for no hierarchy: the keys that the index looks for decide it, and where they don't there is a
    condition as well. Neither does `action in …`: an action's ancestors come from the schema and are always there.
    Neither the context nor an action's attributes hold references to entities: requests can't send them, and the
    service puts none there.
    """
    reads = _Reads()
    for condition in rule.conditions:
        reads.follow(condition)
    return Needs(
        reads.depth, frozenset(reads.roots), reads.hierarchy, reads.now, reads.caller, frozenset(reads.attributes)
    )


class _Source(NamedTuple):
    """Where a value may come from: how many references away (-1: it holds none), and the named entities."""

    level: int
    roots: frozenset[Uid] = frozenset()

    def beyond(self) -> _Source:
        """What an attribute or tag of this value may be."""
        return self if self.level < 0 else _Source(self.level + 1, self.roots)


_NO_ENTITY = _Source(-1)


def _join(sources: Iterable[_Source]) -> _Source:
    level, roots = -1, frozenset[Uid]()
    for source in sources:
        level, roots = max(level, source.level), roots | source.roots
    return _Source(level, roots)


class _Reads:
    """Collects what an expression reads while its values are followed."""

    def __init__(self) -> None:
        self.depth = 0
        self.roots: set[Uid] = set()
        self.attributes: set[str] = set()
        self.hierarchy = self.now = self.caller = False

    def follow(self, expression: Expression) -> _Source:
        """Where the value of an expression may come from."""
        match expression:
            case Attribute():
                return self._attribute(expression)
            case Binary():
                return self._binary(expression)
            case Constant(value):
                return _Source(0, frozenset({value})) if isinstance(value, Uid) else _NO_ENTITY
            case Variable(name):
                return self._variable(name)
            case Has():
                return self._has(expression)
            case Unary(_, operand) | Like(operand):
                self.follow(operand)
                return _NO_ENTITY
            case Is():
                return self._is(expression)
            case If(condition, then, otherwise):
                self.follow(condition)
                return _join([self.follow(then), self.follow(otherwise)])
            case SetOf(parts):
                return _join([self.follow(part) for part in parts])
            case RecordOf(fields):
                return _join([self.follow(part) for _, part in fields])
        raise ValueError(f"`{type(expression).__name__}` is no expression of Cedar")

    def _variable(self, name: str) -> _Source:
        if name == "context":  # as a whole, or in a way that could reach any part of it
            self.now = self.caller = True
        return _Source(0) if name in ("principal", "resource") else _NO_ENTITY

    def _context(self, attribute: str) -> None:
        self.now = self.now or attribute == "now"
        self.caller = self.caller or attribute == "caller"

    def _read(self, source: _Source) -> None:
        self.depth = max(self.depth, source.level)
        self.roots |= source.roots

    def _attribute(self, expression: Attribute) -> _Source:
        if _is_variable(expression.base, "context"):
            self._context(expression.name)
            return _NO_ENTITY
        self.attributes.add(expression.name)
        base = self.follow(expression.base)
        self._read(base)
        return base.beyond()

    def _has(self, expression: Has) -> _Source:
        if _is_variable(expression.base, "context"):
            self._context(expression.names[0])
            return _NO_ENTITY
        self.attributes.update(expression.names)
        base = self.follow(expression.base)
        for _ in expression.names:
            self._read(base)
            base = base.beyond()
        return _NO_ENTITY

    def _binary(self, expression: Binary) -> _Source:
        left = self.follow(expression.left)
        self.follow(expression.right)  # `in` compares with it, and reads nothing of it
        if expression.op in ("in", "has_tag", "get_tag"):
            self._read(left)
        if expression.op == "in" and not _is_variable(expression.left, "action"):
            self.hierarchy = True
        return left.beyond() if expression.op == "get_tag" else _NO_ENTITY

    def _is(self, expression: Is) -> _Source:
        base = self.follow(expression.operand)
        if expression.within is not None:
            self._read(base)
            self.hierarchy = True
            self.follow(expression.within)
        return _NO_ENTITY


def _is_variable(expression: Expression, name: str) -> bool:
    return isinstance(expression, Variable) and expression.name == name
