"""The value of an expression on known facts, exactly what Cedar says it is, errors included.

What it needs of a question is a `World`. Values are those of facts; where an expression makes one of an extension
type, or reads it, it is one of `extensions`. Cedar's values of two types are never equal: `1` is not `true`, and
`decimal("1.0")` is not `1`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from policy_service.model import Entity, Extension, Uid, Value
from policy_service.policy import operators
from policy_service.policy.extensions import Known
from policy_service.policy.facts import Facts
from policy_service.policy.like import is_like
from policy_service.policy.likeness import COMPARE, walk
from policy_service.policy.names import GROUP, action_name, request_type
from policy_service.policy.operators import BINARY, UNARY, identify, read_extension
from policy_service.policy.residual.filter import kind_of
from policy_service.policy.scope import Keys
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
    Name,
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
from policy_service.policy.values import read_set

T = TypeVar("T")


class Failed(Exception):
    """An expression that has no value; the message is a sentence."""


class Unsaid(Exception):
    """An opaque part was reached: only its engine can tell its value."""


@dataclass(frozen=True, slots=True)
class World:
    """What expressions are about.

    variables  the entities of the question, and its context; only those that are here may be asked for
    entities   what is known of entities, their `parents` being all ancestors; others have nothing. Values of extension
               types in them are ones that Cedar reads, as `entities` has made sure of
    """

    variables: Mapping[Name, Uid | dict[str, Value]]
    entities: Mapping[Uid, Entity | None]

    def find(self, uid: Uid) -> Entity:
        """What is known of an entity."""
        return self.entities.get(uid) or Entity(uid, {})


def world_of(facts: Facts) -> World:
    """The world of a question whose facts were gathered."""
    asked = facts.question
    return World(
        {"principal": asked.principal, "action": asked.action, "resource": asked.resource, "context": facts.context},
        facts.entities,
    )


def holds(rule: Rule, world: World) -> bool:
    """Whether a policy is satisfied; raises `Failed` where it can't be evaluated, as `evaluate` does."""
    scopes: tuple[tuple[Name, Keys], ...] = (
        ("principal", rule.scope.principal),
        ("action", rule.scope.action),
        ("resource", rule.scope.resource),
    )
    for name, keys in scopes:
        if keys is not None and not is_found(keys, world.find(_entity(world, name))):
            return False
    return all(_need(evaluate(condition, world), bool) for condition in rule.conditions)


def is_found(keys: Keys, entity: Entity) -> bool:
    """Whether an entity with all its ancestors is one that the keys of a scope name."""
    if keys is None:
        return True
    uid, ancestors = entity.uid, entity.parents
    own = {("==", uid), ("in", uid), ("is", uid.type), ("id", uid.id)}
    return not keys.isdisjoint(own) or any(kind == "in" and name in ancestors for kind, name in keys)


def evaluate(expression: Expression, world: World) -> Known:
    """The value of an expression; raises `Failed` where it has none, `Unsaid` where it can't be told."""
    if isinstance(expression, Constant):
        return expression.value
    if isinstance(expression, Opaque):
        raise Unsaid(expression.why)
    return _EVALUATE[type(expression)](expression, world)


def _need(value: Known, kind: type[T]) -> T:
    try:
        return operators.need(value, kind)
    except ValueError as error:
        raise Failed(str(error)) from None


def _entity(world: World, name: Name) -> Uid:
    return _need(world.variables[name], Uid)


def _id(expression: IdOf, world: World) -> str:
    uid = _entity(world, expression.of)
    return action_name(uid) if expression.of == "action" else uid.id


def _use(value: Value) -> Known:
    return read_extension(value) if isinstance(value, Extension) else value


def _members(value: Known, world: World) -> Mapping[str, Value]:
    """The attributes of an entity, the members of a record."""
    return value if isinstance(value, dict) else world.find(_need(value, Uid)).attributes


def _attribute(expression: Attribute, world: World) -> Known:
    return _get(_members(evaluate(expression.base, world), world), expression.name, "attribute")


def _get(members: Mapping[str, Value], name: str, kind: str) -> Known:
    if name not in members:
        raise Failed(f"there is no {kind} `{name}`")
    return _use(members[name])


def _has(expression: Has, world: World) -> bool:
    value = evaluate(expression.base, world)
    for name in expression.names:
        members = _members(value, world)
        if name not in members:
            return False
        value = _use(members[name])
    return True


def _unary(expression: Unary, world: World) -> Known:
    try:
        return UNARY[expression.op](evaluate(expression.operand, world))
    except ValueError as error:
        raise Failed(str(error)) from None


def _binary(expression: Binary, world: World) -> Known:
    op, left = expression.op, evaluate(expression.left, world)
    if op in ("and", "or"):
        # the right side is asked where the left does not say it all
        decided = _need(left, bool) is (op == "or")
        return left if decided else _need(evaluate(expression.right, world), bool)
    right = evaluate(expression.right, world)
    if op == "in":
        return _is_in(left, right, world)
    if op in ("has_tag", "get_tag"):
        tags, name = world.find(_need(left, Uid)).tags, _need(right, str)
        return name in tags if op == "has_tag" else _get(tags, name, "tag")
    try:
        return COMPARE[op](left, right) if op in COMPARE else BINARY[op](left, right)
    except (ValueError, TypeError) as error:
        raise Failed(str(error)) from None


def _is_in(value: Known, within: Known, world: World) -> bool:
    uid = _need(value, Uid)
    others = [_need(part, Uid) for part in within] if isinstance(within, list) else [_need(within, Uid)]
    ancestors = world.find(uid).parents
    return any(other == uid or other in ancestors for other in others)


def _if(expression: If, world: World) -> Known:
    chosen = _need(evaluate(expression.condition, world), bool)
    return evaluate(expression.then if chosen else expression.otherwise, world)


def _like(expression: Like, world: World) -> bool:
    return is_like(_need(evaluate(expression.operand, world), str), expression.pattern)


def _is(expression: Is, world: World) -> bool:
    uid = _need(evaluate(expression.operand, world), Uid)
    if uid.type != expression.type:
        return False
    return expression.within is None or _is_in(uid, evaluate(expression.within, world), world)


def _set(expression: SetOf, world: World) -> Known:
    parts = [evaluate(part, world) for part in expression.parts]
    return list({identify(part): part for part in parts}.values())


def _record(expression: RecordOf, world: World) -> Known:
    return {name: evaluate(part, world) for name, part in expression.fields}


def _of_kind(expression: OfKind, world: World) -> bool:
    return kind_of(cast("Value", evaluate(expression.operand, world))) in expression.kinds


def _path(expression: Path, world: World) -> Known:
    try:
        return walk(_members(world.variables[expression.of], world), expression.steps)
    except ValueError as error:
        raise Failed(str(error)) from None


def _groups(_expression: Groups, world: World) -> Known:
    above = world.find(_entity(world, "principal")).parents
    return read_set([uid.id for uid in above if uid.type == GROUP])


def _call(expression: Call, world: World) -> Known:
    values = [evaluate(operand, world) for operand in expression.operands]
    try:
        return expression.function(*values)  # type: ignore[no-any-return]
    except (ValueError, TypeError) as error:
        raise Failed(str(error)) from None


_EVALUATE: Mapping[type, Callable[[Any, World], Known]] = {
    Variable: lambda expression, world: world.variables[expression.name],
    IdOf: _id,
    TypeOf: lambda expression, world: request_type(_entity(world, expression.of).type),
    Attribute: _attribute,
    Has: _has,
    Unary: _unary,
    Binary: _binary,
    If: _if,
    Like: _like,
    Is: _is,
    OfKind: _of_kind,
    SetOf: _set,
    RecordOf: _record,
    Path: _path,
    Groups: _groups,
    Call: _call,
}
