"""What a Cedar policy's syntax tree says of whom it can match and what it reads.

The nodes are those of `cedarpy.pst`, known here by class name and attributes alone. Values are followed
from where they come: whatever is not known to be less is taken to be more, so that an entity which the
policy reads is never missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from policy_service.model import Uid
from policy_service.policy.scope import Key, Keys, Needs, Scope


def read_scope(policy: Any) -> Scope:
    """Whom a policy's scope can match."""
    return Scope(_keys(policy.principal), _action_keys(policy.action), _keys(policy.resource))


def has_exact_keys(policy: Any) -> bool:
    """Whether the keys of a policy's scope say all that the scope says; `is T in x` says more."""
    return all(type(constraint).__name__ != "ScopeIsIn" for constraint in (policy.principal, policy.resource))


def _keys(constraint: Any) -> Keys:
    match type(constraint).__name__:
        case "ScopeEq":
            return frozenset[Key]({("==", uid_of(constraint.entity))})
        case "ScopeIn" | "ScopeIsIn":
            return frozenset[Key]({("in", uid_of(constraint.entity))})
        case "ScopeIs":
            return frozenset[Key]({("is", str(constraint.entity_type))})
        case _:
            return None


def _action_keys(constraint: Any) -> Keys:
    match type(constraint).__name__:
        case "ActionEq":
            return frozenset[Key]({("==", uid_of(constraint.entity))})
        case "ActionIn":
            return frozenset[Key](("in", uid_of(entity)) for entity in constraint.entities)
        case _:
            return None


def uid_of(node: Any) -> Uid:
    """The identity a node names."""
    return Uid(str(node.type), node.id)


def read_needs(policy: Any) -> Needs:
    """What a policy reads beyond the attributes of principal, action, resource and context.

    A scope asks for no hierarchy where the keys that the index looks for decide it (`has_exact_keys`), and
    neither does `action in …`: an action's ancestors come from the schema and are always there. Neither the
    context nor an action's attributes hold references to entities: requests can't send them, and the service
    puts none there.
    """
    reads = _Reads()
    reads.hierarchy = not has_exact_keys(policy)
    for clause in policy.clauses:
        reads.follow(clause.expr)
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

    def follow(self, node: Any) -> _Source:
        """Where the value of an expression may come from."""
        match type(node).__name__:
            case "Var":
                return self._variable(node.name)
            case "EntityLit":
                return _Source(0, frozenset({uid_of(node.value)}))
            case "GetAttr":
                return self._attribute(node)
            case "HasAttr":
                return self._has(node)
            case "BinaryOp":
                return self._binary(node)
            case "Is":
                return self._is(node)
            case "IfThenElse":
                self.follow(node.cond)
                return _join([self.follow(node.then_expr), self.follow(node.else_expr)])
            case "Set" | "Record":
                parts = node.elements if type(node).__name__ == "Set" else node.fields.values()
                return _join([self.follow(part) for part in parts])
            case "UnaryOp" | "Like":
                self.follow(node.arg if type(node).__name__ == "UnaryOp" else node.base)
                return _NO_ENTITY
            case "BoolLit" | "LongLit" | "StringLit":
                return _NO_ENTITY
            case unknown:
                raise ValueError(f"`{unknown}` is a kind of expression that is not supported")

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

    def _attribute(self, node: Any) -> _Source:
        if _is_variable(node.base, "context"):
            self._context(node.attr)
            return _NO_ENTITY
        self.attributes.add(node.attr)
        base = self.follow(node.base)
        self._read(base)
        return base.beyond()

    def _has(self, node: Any) -> _Source:
        if _is_variable(node.base, "context"):
            self._context(node.attrs[0])
            return _NO_ENTITY
        self.attributes.update(node.attrs)
        base = self.follow(node.base)
        for _ in node.attrs:
            self._read(base)
            base = base.beyond()
        return _NO_ENTITY

    def _binary(self, node: Any) -> _Source:
        left = self.follow(node.left)
        self.follow(node.right)  # `in` compares with it, and reads nothing of it
        if node.op in ("in", "has_tag", "get_tag"):
            self._read(left)
        if node.op == "in" and not _is_variable(node.left, "action"):
            self.hierarchy = True
        return left.beyond() if node.op == "get_tag" else _NO_ENTITY

    def _is(self, node: Any) -> _Source:
        base = self.follow(node.base)
        if node.in_expr is not None:
            self._read(base)
            self.hierarchy = True
            self.follow(node.in_expr)
        return _NO_ENTITY


def _is_variable(node: Any, name: str) -> bool:
    return type(node).__name__ == "Var" and bool(node.name == name)
