"""What the conditions of a search mean of one asset; `conditions` says the same of rows.

What is hidden was taken out of the asset, so that a condition about it is not true.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, TypeAlias

from policy_service.access.query import And, Condition, Not, Or, Search, Where
from policy_service.assets.asset import Asset
from policy_service.assets.members import TAG
from policy_service.model import Value
from policy_service.policy.values import NUMBER

Matcher: TypeAlias = Callable[[Asset], bool]


def make_matcher(search: Search, searched: Collection[str]) -> Matcher:
    """Whether a search is about an asset; `searched` are the properties that its `text` looks through.

    It is made once for many assets: a search may name thousands of values, and each is looked up and not walked by.
    """
    tests: list[Matcher] = []
    if search.type:
        tests.append(lambda asset: asset.type == search.type)
    if search.class_:
        tests.append(lambda asset: search.class_ in asset.classes)
    if search.text:
        tests.append(lambda asset: any(_holds(read_property(asset, name), search.text) for name in searched))
    if search.where is not None:
        tests.append(_make(search.where))
    return lambda asset: all(test(asset) for test in tests)


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


def _make(where: Where) -> Matcher:
    match where:
        case And(parts):
            every = [_make(part) for part in parts]
            return lambda asset: all(test(asset) for test in every)
        case Or(parts):
            some = [_make(part) for part in parts]
            return lambda asset: any(test(asset) for test in some)
        case Not(part):
            inner = _make(part)
            return lambda asset: not inner(asset)
        case Condition(name, op, values):
            says = _make_test(op, values)
            return lambda asset: (held := read_property(asset, name)) is not None and says(held)


def _make_test(op: str, values: tuple[Value, ...]) -> Callable[[Value], bool]:
    """What the operator says of a value that is there."""
    if op == "exists":
        return lambda _: True
    named = frozenset(map(_key, values))
    if op in {"eq", "in"}:
        return lambda held: _key(held) in named
    (value,) = values
    if op == "ne":
        return lambda held: _key(held) not in named
    if op == "contains":
        return lambda held: _has_element(held, named) or _holds(held, value)
    if op == "starts":
        start = _lower(value)
        return lambda held: isinstance(held, str) and _lower(held).startswith(start)
    return lambda held: _is_ordered(op, held, value)


def _key(value: Value) -> object:
    """One key for each value that a search can name: Python takes `True` for 1. None for sets and records, which it
    can't."""
    if isinstance(value, list):
        return None
    if isinstance(value, dict):
        return (dict, value[NUMBER]) if value.keys() == {NUMBER} else None
    return type(value), value


def _has_element(held: Value, named: Collection[object]) -> bool:
    return isinstance(held, list) and any(_key(part) in named for part in held)


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
