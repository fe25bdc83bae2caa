"""py-abac policies as trees: targets, then conditions, in the order in which they are asked.

Exactly what the engine says, failures included. What Cedar has no operator for (regular expressions, networks, targets
with `?` and `[…]`, letters of either case) is a `Call`: known of what is known, and opaque of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from policy_service.model import Uid
from policy_service.policy.engines.abac_conditions import AllOf, AnyOf, Leaf, Negation, Node, Pair, Presence, Text
from policy_service.policy.engines.abac_paths import Path as DataPath
from policy_service.policy.engines.abac_patterns import Target
from policy_service.policy.names import GROUP
from policy_service.policy.phrases import FAILING, TRUE, is_among, join, literal, negate
from policy_service.policy.residual.filter import Kind
from policy_service.policy.tree import (
    Binary,
    Call,
    Constant,
    Expression,
    Groups,
    Has,
    IdOf,
    If,
    Like,
    Name,
    OfKind,
    Path,
    SetOf,
    TypeOf,
    Unary,
    Variable,
)

_VARIABLES: Final[dict[str, Name]] = {
    "subject": "principal",
    "resource": "resource",
    "action": "action",
    "context": "context",
}
# what wins over an attribute of that name, and leads no further
_OWN: Final[dict[tuple[str, str], Expression]] = {
    ("subject", "id"): IdOf("principal"),
    ("subject", "type"): TypeOf("principal"),
    ("subject", "groups"): Groups(),
    ("resource", "id"): IdOf("resource"),
    ("resource", "type"): TypeOf("resource"),
    ("action", "name"): IdOf("action"),
}
_NUMBERS: Final[tuple[Kind, ...]] = ("long", "bool", "decimal")
_RECORDS: Final[tuple[Kind, ...]] = ("record", "number")
# conditions that are the opposite of another one
_OPPOSITES: Final = {
    "Neq": "Eq",
    "Gt": "Lte",
    "Gte": "Lt",
    "NotEquals": "Equals",
    "NotContains": "Contains",
    "IsNotIn": "IsIn",
    "AllNotIn": "AllIn",
    "AnyNotIn": "AnyIn",
    "IsNotEmpty": "IsEmpty",
    "NotEqualsAttribute": "EqualsAttribute",
    "IsNotInAttribute": "IsInAttribute",
    "AllNotInAttribute": "AllInAttribute",
    "AnyNotInAttribute": "AnyInAttribute",
}
_PAIRS: Final = {
    "EqualsAttribute": "alike",
    "IsInAttribute": "contains_alike",
    "AllInAttribute": "contains_all_alike",
    "AnyInAttribute": "contains_any_alike",
}
_WHY: Final = {"RegexMatch": "it asks for a regular expression", "CIDR": "it asks whether a text is in a network"}


def read_conditions(targets: Sequence[Target | None], rules: Node) -> tuple[Expression, ...]:
    """The targets of subject, resource and action, and the rules, one after another."""
    asked = zip(targets, ("principal", "resource", "action"), strict=True)
    return (*(_read_target(target, name) for target, name in asked if target), *_read_all(rules))  # type: ignore[arg-type]


def _read_target(target: Target, name: Name) -> Expression:
    id_ = IdOf(name)
    ways = [is_among(id_, sorted(target.exact))] if target.exact else []
    ways += [Like(id_, pattern) for pattern in target.likes]
    ways += [
        Call(pattern.matches, (id_,), "a target has `?` or `[…]`", glob) for glob, pattern in target.patterns.items()
    ]
    return join("or", ways)


def _read_all(node: Node) -> Iterator[Expression]:
    """The conditions that must all hold, without the records that they stand in."""
    if isinstance(node, AllOf):
        for part in node.nodes:
            yield from _read_all(part)
    else:
        yield _read(node)


def _read(node: Node) -> Expression:
    match node:
        case AllOf(nodes):
            return join("and", [_read(part) for part in nodes])
        case AnyOf(nodes):
            return join("or", [_read(part) for part in nodes])
        case Negation(part):
            return negate(_read(part))
        case Presence(name, path):
            return _read_presence(name, path)
        case Text(name, path, test, source):
            place = _find(path)
            return Call(partial(_test_text, test), (place,), _WHY[name], source) if place else FAILING
        case Pair(name, path, other=other):
            return _read_pair(name, _find(path), _find(other))
        case Leaf(name, path, condition=condition):
            place = _find(path)
            return _read_leaf(name, place, condition) if place else FAILING
    raise ValueError(f"`{type(node).__name__}` is a kind of condition that is not supported")


def _find(path: DataPath) -> Expression | None:
    """What a path finds, or fails to find; none where it never finds anything."""
    own = _OWN.get((path.ace, path.steps[0]))
    if own is not None:
        return own if len(path.steps) == 1 else None
    return Path(_VARIABLES[path.ace], path.steps)


def _read_presence(name: str, path: DataPath) -> Expression:
    if name == "Any":
        return TRUE
    place = _find(path)
    if not isinstance(place, Path):
        found: Expression = Constant(place is not None)
    else:
        found = Has(Variable(place.of), place.steps[:1])
        for count in range(1, len(place.steps)):
            # further steps lead on from a record alone
            above = Path(place.of, place.steps[:count])
            member = Has(above, (place.steps[count],))
            found = join("and", [found, OfKind(above, _RECORDS), member])
    return found if name == "Exists" else negate(found)


def _test_text(test: Callable[[str], bool], text: Any) -> bool:
    if not isinstance(text, str):
        raise TypeError("the value is no string")
    return test(text)


def _read_pair(name: str, one: Expression | None, other: Expression | None) -> Expression:
    if name in _OPPOSITES:
        return negate(_read_pair(_OPPOSITES[name], one, other))
    if one is None or other is None:
        return FAILING
    turned = name in ("IsInAttribute", "AllInAttribute")
    return Binary(_PAIRS[name], other, one) if turned else Binary(_PAIRS[name], one, other)


def _read_leaf(name: str, place: Expression, condition: Any) -> Expression:
    if name in _OPPOSITES:
        return negate(_read_leaf(_OPPOSITES[name], place, condition))
    match name:
        case "Eq":
            return If(OfKind(place, _NUMBERS), Binary("alike", place, literal(condition.value)), FAILING)
        case "Lt":
            return Binary("before", place, literal(condition.value))
        case "Lte":
            return negate(Binary("before", literal(condition.value), place))
        case "Equals" | "Contains" | "StartsWith" | "EndsWith":
            return _read_text(name, place, condition.value, condition.case_insensitive)
        case "EqualsObject":
            return If(OfKind(place, _RECORDS), Binary("alike", place, literal(condition.value)), FAILING)
        case "IsEmpty":
            return Unary("is_empty", place)
    return _read_membership(name, place, condition.values)


def _read_text(name: str, place: Expression, text: str, folded: bool) -> Expression:
    if folded:
        place = Call(str.lower, (place,), "it takes capital and small letters for the same", text)
        text = text.lower()
    before, after = name in ("Contains", "EndsWith"), name in ("Contains", "StartsWith")
    if not text and (before or after):
        return Like(place, (None,))
    return Like(place, (*[None] * before, text, *[None] * after))


def _read_membership(name: str, place: Expression, values: Sequence[Any]) -> Expression:
    if name == "AnyIn" and isinstance(place, Groups):
        # no question is of a group, so nobody is in one by being it
        groups = [Constant(Uid(GROUP, text)) for text in values if isinstance(text, str)]
        return Binary("in", Variable("principal"), SetOf(tuple(groups)))
    if name == "IsIn":
        return is_among(place, values)
    # texts are the same to Cedar and to Python
    alike = "" if all(isinstance(value, str) for value in values) else "_alike"
    known = literal(values)
    return (
        Binary(f"contains_any{alike}", place, known)
        if name == "AnyIn"
        else Binary(f"contains_all{alike}", known, place)
    )
