"""Cedar's syntax tree read into ours: the one file that knows the nodes of `cedarpy.pst`.

They are known by class name and attributes alone. What is read here is at most as deep as they are, 100 levels and
one for an `unless`, so that the readers of our tree may recurse on any thread. Names, which thousands of tenants share,
are interned: cedarpy makes a text of each anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from sys import intern
from typing import Any

from policy_service.model import Uid
from policy_service.policy.scope import Key, Keys, Scope
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Constant,
    Expression,
    Has,
    If,
    Is,
    Like,
    Name,
    RecordOf,
    Rule,
    SetOf,
    Unary,
    Variable,
)

_NAMES: tuple[Name, ...] = ("principal", "action", "resource", "context")
_VARIABLES: Mapping[str, Variable] = {name: Variable(name) for name in _NAMES}


class TreeReader:
    """Reads the policies of a file. What many of them say, such as `resource.tenant`, is one object for all."""

    def __init__(self) -> None:
        self._kept: dict[Expression, Expression] = {}

    def read_rule(self, policy: Any) -> Rule:
        """What a policy says; `ValueError` where it holds a kind of expression that is not known here."""
        return Rule(
            Scope(_keys(policy.principal), _action_keys(policy.action), _keys(policy.resource)),
            (*self._confine(policy), *(self._clause(clause) for clause in policy.clauses)),
            {intern(name): text for name, text in policy.annotations.items()},
        )

    def _confine(self, policy: Any) -> Iterator[Expression]:
        """The part of a scope that keys can't say: of those in an entity, the ones of a type."""
        for name, constraint in (("principal", policy.principal), ("resource", policy.resource)):
            if type(constraint).__name__ == "ScopeIsIn":
                yield Is(_VARIABLES[name], _type(constraint.entity_type), Constant(_uid(constraint.entity)))

    def _clause(self, clause: Any) -> Expression:
        condition = self._read(clause.expr)
        return condition if type(clause).__name__ == "When" else Unary("not", condition)

    def _read(self, node: Any) -> Expression:
        match type(node).__name__:
            case "GetAttr":
                return self._share(Attribute(self._read(node.base), intern(node.attr)))
            case "BinaryOp":
                return Binary(intern(node.op), self._read(node.left), self._read(node.right))
            case "Var":
                return _VARIABLES[node.name]
            case "BoolLit" | "LongLit" | "StringLit":
                return Constant(node.value)
            case "EntityLit":
                return Constant(_uid(node.value))
            case "UnaryOp":
                return Unary(intern(node.op), self._read(node.arg))
            case "HasAttr":
                return self._share(Has(self._read(node.base), tuple(map(intern, node.attrs))))
            case "IfThenElse":
                return If(self._read(node.cond), self._read(node.then_expr), self._read(node.else_expr))
        return self._read_rare(node)

    def _read_rare(self, node: Any) -> Expression:
        match type(node).__name__:
            case "Like":
                return Like(self._read(node.base), tuple(_join(node.pattern)))
            case "Is":
                within = None if node.in_expr is None else self._read(node.in_expr)
                return Is(self._read(node.base), _type(node.entity_type), within)
            case "Set":
                return SetOf(tuple([self._read(part) for part in node.elements]))
            case "Record":
                return RecordOf(tuple([(intern(name), self._read(part)) for name, part in node.fields.items()]))
            case unknown:
                raise ValueError(f"`{unknown}` is a kind of expression that is not supported")

    def _share(self, made: Attribute | Has) -> Expression:
        # deeper ones repeat less, and telling whether they do costs more
        return self._kept.setdefault(made, made) if isinstance(made.base, Variable) else made


def has_exact_keys(policy: Any) -> bool:
    """Whether the keys of a policy's scope say all that the scope says; `is T in x` says more."""
    return all(type(constraint).__name__ != "ScopeIsIn" for constraint in (policy.principal, policy.resource))


def _keys(constraint: Any) -> Keys:
    match type(constraint).__name__:
        case "ScopeEq":
            return frozenset[Key]({("==", _uid(constraint.entity))})
        case "ScopeIn" | "ScopeIsIn":
            return frozenset[Key]({("in", _uid(constraint.entity))})
        case "ScopeIs":
            return frozenset[Key]({("is", _type(constraint.entity_type))})
        case _:
            return None


def _action_keys(constraint: Any) -> Keys:
    match type(constraint).__name__:
        case "ActionEq":
            return frozenset[Key]({("==", _uid(constraint.entity))})
        case "ActionIn":
            return frozenset[Key](("in", _uid(entity)) for entity in constraint.entities)
        case _:
            return None


def _uid(node: Any) -> Uid:
    """The identity a node names."""
    return Uid(_type(node.type), node.id)


def _type(node: Any) -> str:
    return intern(str(node))


def _join(pattern: Sequence[Any]) -> Iterator[str | None]:
    """The parts of a pattern: wildcards, and the characters between them as one text."""
    for is_wildcard, parts in groupby(pattern, lambda part: type(part).__name__ == "Wildcard"):
        if is_wildcard:
            yield None
        else:
            yield "".join(part.value for part in parts)
