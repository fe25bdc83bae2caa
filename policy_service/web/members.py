"""Members of a body of the decision API (AuthZEN 1.0 §5): who asks, to do what, with what, and what surrounds it.

`null` is as if the member was not sent, unknown members are ignored, and types are never converted: what is missing
or of another type is a `RequestError` that names the member.
"""

from __future__ import annotations

from typing import Any

from policy_service.errors import RequestError
from policy_service.model import Act, Thing

NOTHING: dict[str, Any] = {}
_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}


def read_act(raw: Any) -> Act:
    """The action (§5.3)."""
    if type(raw) is not dict:
        raise refuse_object("action", raw)
    name = raw.get("name")
    if type(name) is not str:
        raise refuse_text("action.name", name)
    return Act(name, read_object(raw, "properties", "action"))


def read_thing(raw: Any, role: str) -> Thing:
    """The subject or the resource (§5.1, §5.2); `role` is its name in the body."""
    if type(raw) is not dict:
        raise refuse_object(role, raw)
    kind, name = raw.get("type"), raw.get("id")
    if type(kind) is not str:
        raise refuse_text(f"{role}.type", kind)
    if type(name) is not str:
        raise refuse_text(f"{role}.id", name)
    return Thing(kind, name, read_object(raw, "properties", role))


def read_object(body: dict[str, Any], member: str, within: str = "") -> dict[str, Any]:
    """An optional object, of the body or `within` a member of it; absent and `null` are the empty one."""
    value = body.get(member)
    if value is None:
        return NOTHING
    if type(value) is not dict:
        raise refuse_object(f"{within}.{member}" if within else member, value)
    return value


def refuse_object(where: str, value: Any) -> RequestError:
    """Why this is no object."""
    found = "is missing" if value is None else f"is {name_kind(value)}"
    return RequestError(f"`{where}` {found}, send an object")


def refuse_text(where: str, value: Any) -> RequestError:
    """Why this is no string."""
    found = "is missing" if value is None else f"is {name_kind(value)}"
    return RequestError(f"`{where}` {found}, send a string")


def name_kind(value: Any) -> str:
    """What a value is, as sentences name it."""
    return "null" if value is None else _NAMES.get(type(value), "a number")


def quote(value: Any) -> str:
    """A value as sentences repeat it: a text in backticks, else what it is."""
    return f"`{value[:64]}`" if isinstance(value, str) else name_kind(value)
