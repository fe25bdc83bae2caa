"""Lines of a casbin folder as trees: the matcher, with a line's columns filled in.

Exactly what the engine says, failures included. An id that the engine reads in two ways is opaque where the answers
could differ. The pattern functions but for `keyMatch` are a `Call`: known of what is known, and opaque of rows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policy_service.policy.engines.casbin_matcher import TRUTH, Matcher
from policy_service.policy.engines.casbin_role_tree import RoleTrees
from policy_service.policy.engines.casbin_roles import Roles
from policy_service.policy.likeness import COMPARE
from policy_service.policy.phrases import FAILING, is_among, join, literal, negate
from policy_service.policy.tree import Binary, Call, Constant, Expression, IdOf, If, Like, Name, Opaque, Path, TypeOf

# conditions that one folder keeps for the next lines
KEPT: Final = 10_000

_VARIABLES: Final[Mapping[str, Name]] = {
    "subject": "principal",
    "resource": "resource",
    "action": "action",
    "context": "context",
}
_TEXTS: Final[Mapping[str, Expression]] = {
    "subject": IdOf("principal"),
    "subject.id": IdOf("principal"),
    "subject.type": TypeOf("principal"),
    "resource": IdOf("resource"),
    "resource.id": IdOf("resource"),
    "resource.type": TypeOf("resource"),
    "action": IdOf("action"),
}


@dataclass(slots=True)
class Trees:
    """Makes the trees of one folder's lines; keeps what lines share.

    `functions` are the pattern functions, `guarded` the targets whose ids are not taken for the name of a role.
    """

    matcher: Matcher
    roles: Roles
    guarded: frozenset[str]
    functions: Mapping[str, Callable[[Any, str], bool]]
    _roles: RoleTrees = field(init=False)
    _columns: list[tuple[ast.expr, tuple[str, ...]]] = field(init=False)
    _kept: dict[tuple[int | str, ...], Expression] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._roles = RoleTrees(self.roles)
        self._columns = [(node, _find_columns(node)) for node in self.matcher.conjuncts]

    def read(self, columns: Mapping[str, str]) -> tuple[Expression, ...]:
        """The conditions of the line with these columns, in the order in which they are asked."""
        return tuple([self._keep(node, names, columns) for node, names in self._columns])

    def _keep(self, node: ast.expr, names: tuple[str, ...], columns: Mapping[str, str]) -> Expression:
        key: tuple[int | str, ...] = (id(node), *[columns[name] for name in names])
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            found = self._kept[key] = self._condition(node, columns)
        return found

    def _condition(self, node: ast.expr, columns: Mapping[str, str]) -> Expression:
        match node:
            case ast.BoolOp(op, values):
                return join(
                    "and" if isinstance(op, ast.And) else "or", [self._condition(part, columns) for part in values]
                )
            case ast.UnaryOp(_, operand):
                return negate(self._condition(operand, columns))
            case ast.Compare(left, ops, comparators):
                sides = [left, *comparators]
                pairs = zip(ops, sides, comparators, strict=False)
                return join("and", [self._compare(op, one, other, columns) for op, one, other in pairs])
            case ast.Call(ast.Name(name), [first, *rest]):
                return self._call(name, first, rest, columns)
            case ast.Constant(value):
                return Constant(value)  # type: ignore[arg-type]
        raise ValueError(f"`{type(node).__name__}` is a part of a matcher that is not supported")

    def _call(self, name: str, first: ast.expr, rest: list[ast.expr], columns: Mapping[str, str]) -> Expression:
        if name == TRUTH:
            return _find(first, columns)
        text = str(_constant(rest[0], columns))
        if isinstance(first, ast.Constant):
            return self._roles.has_role(name, _VARIABLES[str(first.value)], text)
        return self._match(name, _find(first, columns), text)

    def _match(self, name: str, place: Expression, pattern: str) -> Expression:
        function = self.functions[name]
        if isinstance(place, Constant):
            try:
                return Constant(function(place.value, pattern))
            except (ValueError, TypeError):
                return FAILING
        if name == "keyMatch":
            text, star, _ = pattern.partition("*")
            if star and not text:  # any text, an id that is taken for no role too
                return Like(place, (None,))
            return self._guard(Like(place, (text, None) if star else (text,)), place, text, whole=not star)
        asked = Call(function, (place, Constant(pattern)), f"it asks for `{name}`", pattern)
        return self._guard(asked, place)

    def _compare(self, op: ast.cmpop, left: ast.expr, right: ast.expr, columns: Mapping[str, str]) -> Expression:
        if isinstance(op, ast.NotEq | ast.NotIn):
            positive = ast.Eq() if isinstance(op, ast.NotEq) else ast.In()
            return negate(self._compare(positive, left, right, columns))
        if isinstance(op, ast.Gt | ast.LtE):
            before = self._compare(ast.Lt(), right, left, columns)
            return before if isinstance(op, ast.Gt) else negate(before)
        if isinstance(op, ast.GtE):
            return negate(self._compare(ast.Lt(), left, right, columns))
        one, other = _constant(left, columns), _constant(right, columns)
        name = {ast.Eq: "alike", ast.In: "contains_alike", ast.Lt: "before"}[type(op)]
        first, second = _find(left, columns), _find(right, columns)
        if one is not None and other is not None:
            return _tell(name, one, other)
        if name == "alike" and other is None and one is not None:
            first, other = second, one
        if name != "before" and other is not None:
            values = [other] if name == "alike" else other
            return self._guard_among(is_among(first, values), first, values)
        asked = Binary(name, second, first) if name == "contains_alike" else Binary(name, first, second)
        return self._guard(self._guard(asked, first), second)

    def _guard_among(self, asked: Expression, place: Expression, values: list[Any]) -> Expression:
        """As `_guard`, for a place that is held against these values."""
        for value in values:
            if isinstance(value, str):
                asked = self._guard(asked, place, value, whole=True)
        return asked

    def _guard(self, asked: Expression, place: Expression, text: str = "", *, whole: bool = False) -> Expression:
        """The same, opaque where the place is an id that is a role, and begins with a text or is it as a whole."""
        if not isinstance(place, IdOf) or place.of not in ("principal", "resource"):
            return asked
        target = "subject" if place.of == "principal" else "resource"
        if target not in self.guarded:
            return asked
        doubt = self._roles.is_role(place.of, text, whole=whole)
        return If(doubt, Opaque(f"the {target}'s id is the name of a role"), asked) if doubt else asked


def _tell(name: str, one: Any, other: Any) -> Expression:
    left, right = (other, one) if name == "contains_alike" else (one, other)
    try:
        return Constant(COMPARE[name](left, right))
    except TypeError:
        return FAILING


def _find_columns(node: ast.expr) -> tuple[str, ...]:
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id.startswith("p.")}
    return tuple(sorted(names))


def _constant(node: ast.expr, columns: Mapping[str, str]) -> Any:
    """What a part stands for in each request, a list where it is one; nothing where that depends on the request."""
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return columns.get(name)
        case ast.List(items):
            return [_constant(item, columns) for item in items]
    return None


def _find(node: ast.expr, columns: Mapping[str, str]) -> Expression:
    """What a part stands for."""
    constant = _constant(node, columns)
    if constant is not None:
        return literal(constant)
    name = node.id if isinstance(node, ast.Name) else ""
    if name in _TEXTS:
        return _TEXTS[name]
    target, *steps = name.split(".")
    if target in ("subject", "resource") and steps[0] in ("id", "type"):
        return FAILING  # a text has no attributes
    return Path(_VARIABLES[target], tuple(steps))
