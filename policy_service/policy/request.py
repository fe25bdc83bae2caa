"""From a request as it was sent to the question a bundle answers: types, values, overlay, reserved names.

No request can name a group or a type of the service as its subject: `principal in Group::"Administrators"`
is reflexive, so such a subject would be an administrator. Its type is escaped, like any other that Cedar
would refuse. What only the service may assert is refused when a request sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policy_service.errors import RequestError
from policy_service.model import Request, Thing, Uid, Value
from policy_service.policy.names import action_uid, cedar_type
from policy_service.policy.values import ESCAPES, read_record

ASSERTED_ATTRIBUTES = frozenset({"tenant", "groups", "authn"})
ASSERTED_CONTEXT = frozenset({"now", "caller"})


@dataclass(frozen=True, slots=True)
class Question:
    """A request in Cedar's names and canonical values.

    `overlay` holds, for each entity the request gives properties for, those properties: they win over
    stored attributes of the same entity, by top-level attribute, and never remove one.
    """

    principal: Uid
    action: Uid
    resource: Uid
    subject_type: str
    resource_type: str
    action_name: str
    action_attributes: dict[str, Value]
    overlay: dict[Uid, dict[str, Value]]
    context: dict[str, Value]


def ask(request: Request, *, service: bool = False) -> Question:
    """The question a request asks; with `service`, reserved types and attributes may be named.

    A reserved attribute or context member, a value that can't be read, or one entity sent with two
    different values for an attribute is a `RequestError`.
    """
    subject, action, resource, context = request
    try:
        principal = Uid(subject.type if service else cedar_type(subject.type), subject.id)
        target = Uid(resource.type if service else cedar_type(resource.type), resource.id)
        overlay: dict[Uid, dict[str, Value]] = {}
        if subject.properties:
            overlay[principal] = _properties(subject, "subject", service)
        if resource.properties:
            properties = _properties(resource, "resource", service)
            overlay[target] = _merge(overlay[target], properties) if target in overlay else properties
        return Question(
            principal,
            action_uid(action.name),
            target,
            subject.type,
            resource.type,
            action.name,
            _reserve(action.properties, ASSERTED_ATTRIBUTES, "action.properties", service),
            overlay,
            _reserve(context, ASSERTED_CONTEXT, "context", service),
        )
    except ValueError as error:
        raise RequestError(str(error)) from None


def _properties(thing: Thing, role: str, service: bool) -> dict[str, Value]:
    return _reserve(thing.properties, ASSERTED_ATTRIBUTES, f"{role}.properties", service)


def _reserve(raw: Mapping[str, Any], reserved: frozenset[str], where: str, service: bool) -> dict[str, Value]:
    if not raw:
        return {}
    if not service and not reserved.isdisjoint(raw):
        name = next(name for name in raw if name in reserved)
        raise RequestError(f"`{where}.{name}` may not be sent, only the service asserts it")
    if not ESCAPES.isdisjoint(raw):
        name = next(name for name in raw if name in ESCAPES)
        raise RequestError(f"`{where}.{name}` may not be sent, only files hold references and extension values")
    return read_record(raw, where=where)


def is_same(one: Value, other: Value) -> bool:
    """Whether two values are one and the same to a policy. Python takes `true` for 1, in sets and records too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one == other


def _merge(first: dict[str, Value], second: dict[str, Value]) -> dict[str, Value]:
    for name, value in second.items():
        if name in first and not is_same(first[name], value):
            raise RequestError(f"subject and resource are one entity with two values for `{name}`, send one")
    return {**first, **second}
