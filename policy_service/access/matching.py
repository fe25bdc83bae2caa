"""What the conditions of a search mean of one asset; `conditions` says the same of rows.

What is hidden was taken out of the asset, so that a condition about it is not true.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from policy_service.access.query import And, Condition, Not, Or, Search, Where
from policy_service.assets.asset import Asset
from policy_service.assets.members import TAG
from policy_service.model import Value
from policy_service.policy.request import is_same


def matches(search: Search, asset: Asset, searched: Collection[str]) -> bool:
    """Whether a search is about an asset; `searched` are the properties that its `text` looks through."""
    if search.type and search.type != asset.type:
        return False
    if search.class_ and search.class_ not in asset.classes:
        return False
    if search.text and not any(_holds(read_property(asset, name), search.text) for name in searched):
        return False
    return search.where is None or _is_true(search.where, asset)


def read_property(asset: Asset, name: str) -> Value | None:
    """The value of a property by the name that the API shows."""
    if name.startswith(TAG):
        return asset.tags.get(name[len(TAG) :])
    shown: dict[str, Value | None] = {
        "_id": asset.id, "_key": asset.key, "_type": asset.type, "_source": asset.source, "_scope": asset.scope,
        "_class": list(asset.classes) if asset.kind == "entity" else asset.classes[0],
        "_version": asset.version, "_createdOn": asset.created_on, "_beginOn": asset.begin_on,
        "_fromEntityId": asset.from_.id if asset.from_ else None, "_toEntityId": asset.to.id if asset.to else None,
        "displayName": asset.display_name,
    }  # fmt: skip
    return shown[name] if name in shown else asset.properties.get(name)


def _is_true(where: Where, asset: Asset) -> bool:
    match where:
        case And(parts):
            return all(_is_true(part, asset) for part in parts)
        case Or(parts):
            return any(_is_true(part, asset) for part in parts)
        case Not(part):
            return not _is_true(part, asset)
        case Condition(name, op, values):
            held = read_property(asset, name)
            return held is not None and _says(op, held, values)


def _says(op: str, held: Value, values: tuple[Value, ...]) -> bool:
    if op == "exists":
        return True
    if op in {"eq", "in"}:
        return any(is_same(held, value) for value in values)
    (value,) = values
    if op == "ne":
        return not is_same(held, value)
    if op == "contains":
        parts = held if isinstance(held, list) else ()
        return any(is_same(part, value) for part in parts) or _holds(held, value)
    if op == "starts":
        return isinstance(held, str) and _lower(held).startswith(_lower(value))
    return _is_ordered(op, held, value)


def _is_ordered(op: str, held: Any, value: Any) -> bool:
    numbers = all(isinstance(each, int | Decimal) and not isinstance(each, bool) for each in (held, value))
    if not numbers and not (isinstance(held, str) and isinstance(value, str)):
        return False
    return bool({"lt": held < value, "le": held <= value, "gt": held > value, "ge": held >= value}[op])


def _holds(held: Value | None, text: Value) -> bool:
    return isinstance(held, str) and isinstance(text, str) and _lower(text) in _lower(held)


def _lower(text: Any) -> bytes:
    """A text without regard to the case of ASCII letters, and of those alone."""
    return str(text).encode().lower()
