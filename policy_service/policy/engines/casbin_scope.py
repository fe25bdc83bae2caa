"""Whom one line of a casbin folder can match, read from the leading conditions of its matcher.

Sound because it stops at the first condition that can fail: for a request outside the keys a condition before
it is false, so the line is neither satisfied nor failed. A role function and an id can't fail by themselves.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from policy_service.model import Uid
from policy_service.policy.engines.casbin_matcher import TEXTS, Matcher
from policy_service.policy.engines.casbin_roles import GROUP_PREFIX, Roles, read_typed
from policy_service.policy.names import GROUP, action_uid
from policy_service.policy.scope import Key, Scope

# members of one role that become keys, and keys of one folder; past these a line is asked for everyone
MEMBERS: Final = 1_000
KEYS: Final = 100_000
# keys that a line may have of its own without being counted
FEW: Final = 16

Limit: TypeAlias = tuple[str, frozenset[Key]]


@dataclass(slots=True)
class Scoper:
    """Makes the scopes of one folder's lines; keeps what lines share."""

    matcher: Matcher
    roles: Roles
    _leading: list[ast.expr] = field(init=False)
    _members: dict[tuple[str, str, str], frozenset[Key] | None] = field(default_factory=dict)
    _own: set[int] = field(default_factory=set)
    _shared: dict[int, Limit | None] = field(default_factory=dict)
    _left: int = KEYS

    def __post_init__(self) -> None:
        self._leading = []
        for condition in self.matcher.conjuncts:
            if not is_sure(condition):
                break
            self._leading.append(condition)

    def _limit(self, node: ast.expr, columns: Mapping[str, str]) -> Limit | None:
        """As `_limits`; what no column of a line has a part in is found once for all lines."""
        if id(node) in self._shared:
            return self._shared[id(node)]
        found = self._limits(node, columns)
        if id(node) in self._own or any(isinstance(part, ast.Name) and part.id[:2] == "p." for part in ast.walk(node)):
            self._own.add(id(node))
            self._left -= len(found[1]) if found and len(found[1]) > FEW else 0
        else:
            self._shared[id(node)] = found
        return found

    def find(self, columns: Mapping[str, str]) -> Scope:
        """The scope of the line with these columns."""
        found: dict[str, frozenset[Key]] = {}
        for condition in self._leading:
            limit = self._limit(condition, columns)
            for target, keys in [limit] if limit else []:
                if target not in found or len(keys) < len(found[target]):
                    found[target] = keys
        return Scope(found.get("subject"), found.get("action"), found.get("resource"))

    def _limits(self, node: ast.expr, columns: Mapping[str, str]) -> Limit | None:
        """The target that `node` limits and to which keys; `None` where it limits none."""
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return self._join(node, columns)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node.args, columns)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = node.left, node.comparators[0]
            if isinstance(node.ops[0], ast.In) and isinstance(right, ast.List):
                texts = [item.value for item in right.elts if isinstance(item, ast.Constant)]
                return _equals(left, [text for text in texts if isinstance(text, str)])
            if isinstance(node.ops[0], ast.Eq):
                for one, other in ((left, right), (right, left)):
                    text = _text(other, columns)
                    if text is not None and (limit := _equals(one, [text])):
                        return limit
        return None

    def _join(self, node: ast.BoolOp, columns: Mapping[str, str]) -> Limit | None:
        """Alternatives limit a target where each of them does; one that is false for this line doesn't count."""
        if self._left <= 0 and len(node.values) > FEW:
            return None
        target = ""
        joined: set[Key] = set()
        for part in node.values:
            if _is_false(part, columns):
                continue
            limit = self._limits(part, columns)
            if limit is None or limit[0] != (target or limit[0]):
                return None
            target = limit[0]
            joined |= limit[1]
        return (target, frozenset(joined)) if target else None

    def _call(self, name: str, arguments: list[ast.expr], columns: Mapping[str, str]) -> Limit | None:
        first, text = arguments[0], _text(arguments[1], columns)
        if text is None:
            return None
        if isinstance(first, ast.Constant):
            keys = self._role(name, str(first.value), text)
            return None if keys is None else (str(first.value), keys)
        if name == "keyMatch" and "*" not in text:
            return _equals(first, [text])
        return None

    def _role(self, function: str, target: str, role: str) -> frozenset[Key] | None:
        """The keys of everyone who can have `role`; `None` where they are too many."""
        key = (function, target, role)
        if key not in self._members:
            names = self.roles.descend(function, role, MEMBERS) if self._left > 0 else None
            self._members[key] = None if names is None else self._keys(target, names)
            self._left -= MEMBERS if names is None else 2 * len(names)
        return self._members[key]

    def _keys(self, target: str, names: frozenset[str]) -> frozenset[Key]:
        keys: set[Key] = set()
        for name in names:
            if name.startswith(GROUP_PREFIX):
                keys.add(("in", Uid(GROUP, name[len(GROUP_PREFIX) :])))
            elif name in self.roles.roles:
                continue
            elif target == "action":
                keys.add(("==", action_uid(name)))
            else:
                keys.add(("id", name))
                uid = read_typed(name)
                if uid is not None:
                    keys.add(("==", uid))
        return frozenset(keys)


def is_sure(node: ast.expr) -> bool:
    """Whether a condition has an answer for every request, whatever its attributes."""
    if isinstance(node, ast.BoolOp):
        return all(is_sure(value) for value in node.values)
    if isinstance(node, ast.UnaryOp):
        return is_sure(node.operand)
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Compare):
        sure_operators = all(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops)
        return sure_operators and all(_is_known(value) for value in (node.left, *node.comparators))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if isinstance(node.args[0], ast.Constant):  # a role function of the request's own subject, object or action
            return True
        return node.func.id == "keyMatch" and all(_is_known(value) for value in node.args)
    return False


def _is_known(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id in TEXTS or node.id.startswith("p.")
    return isinstance(node, ast.Constant | ast.List)


def _text(node: ast.expr, columns: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Name) and node.id.startswith("p."):
        return columns[node.id]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _equals(node: ast.expr, texts: list[str]) -> Limit | None:
    """The keys of requests in which `node` is one of `texts`."""
    name = node.id if isinstance(node, ast.Name) else ""
    if name == "action":
        return name, frozenset([("==", action_uid(text)) for text in texts])
    target = name.removesuffix(".id")
    if target in ("subject", "resource"):
        return target, frozenset([("id", text) for text in texts])
    return None


def _is_false(node: ast.expr, columns: Mapping[str, str]) -> bool:
    """Whether a comparison of two texts of the line itself doesn't hold."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq):
        return False
    left, right = _text(node.left, columns), _text(node.comparators[0], columns)
    return left is not None and right is not None and left != right
