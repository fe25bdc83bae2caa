"""Values as py-abac and casbin see and compare them: as Python does.

`true` is 1 and `false` 0, a decimal is a float, sets are lists in their canonical order, and texts have an order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from policy_service.model import Extension, Uid, Value
from policy_service.policy.values import plain


def see(value: Value) -> Value:
    """A value as a `tree.Path` finds it: without references and extension types, and a decimal that is whole a Long."""
    if isinstance(value, Decimal):
        whole = int(value)
        return whole if whole == value else value
    if isinstance(value, Uid):
        return {"type": value.type, "id": value.id}
    if isinstance(value, Extension):
        return value.arg
    if isinstance(value, list):
        return [see(part) for part in value]
    if isinstance(value, dict):
        return {name: see(part) for name, part in value.items()}
    return value


def walk(members: Mapping[str, Value], steps: tuple[str, ...]) -> Value:
    """What a path finds in an entity's attributes or in the context; a `ValueError` where it finds nothing."""
    if steps[0] not in members:
        raise ValueError(f"there is no attribute `{steps[0]}`")
    value = see(members[steps[0]])
    for step in steps[1:]:
        if not isinstance(value, dict) or step not in value:
            raise ValueError(f"there is no attribute `{step}`")
        value = value[step]
    return value


def is_before(one: Any, other: Any) -> bool:
    """Whether `one < other` to Python; a `TypeError` where they have no order."""
    return bool(plain(one) < plain(other))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("a list is needed")
    return [plain(part) for part in value]


def _has_any(one: Any, other: Any) -> bool:
    left, right = _list(one), _list(other)
    return any(part in right for part in left)


def _has_all(one: Any, other: Any) -> bool:
    left, right = _list(one), _list(other)
    return all(part in left for part in right)


# binary operators of the tree; a `TypeError` is a failure
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "alike": lambda one, other: bool(plain(one) == plain(other)),
    "contains_alike": lambda one, other: plain(other) in _list(one),
    "contains_any_alike": _has_any,
    "contains_all_alike": _has_all,
    "before": is_before,
}
