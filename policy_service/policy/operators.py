"""Cedar's operators and functions that look at values alone, by the names of its syntax tree.

What none of them takes, and a result that 64 bits don't hold, is a `ValueError`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from policy_service.model import Extension, Uid
from policy_service.policy.extensions import (
    DAY,
    LOOPBACK,
    MULTICAST,
    READ,
    Datetime,
    Duration,
    ExtensionValue,
    Ip,
    Known,
    fit,
)

T = TypeVar("T")

_NAMES: Mapping[type, str] = {
    bool: "a boolean",
    int: "a Long",
    str: "a string",
    list: "a set",
    dict: "a record",
    Uid: "an entity",
    Extension: "a value of an extension type",
    Decimal: "a decimal",
    Ip: "an ip address",
    Datetime: "a datetime",
    Duration: "a duration",
}


def need(value: Known, kind: type[T]) -> T:
    """The value, which has to be of this kind."""
    if type(value) is not kind:
        raise ValueError(f"{_NAMES[type(value)]} stands where {_NAMES[kind]} is needed")
    return value


def read_extension(value: Extension) -> ExtensionValue:
    """What a value of an extension type in facts says."""
    return READ[value.fn](value.arg)


def identify(value: Known) -> Hashable:
    """What two values share exactly where they are equal to Cedar."""
    kind = type(value)
    if kind is str or kind is int or kind is Ip or kind is Datetime or kind is Duration:
        return value  # type: ignore[return-value]
    if isinstance(value, Extension):
        return identify(read_extension(value))
    if isinstance(value, list):
        return list, frozenset([identify(part) for part in value])
    if isinstance(value, dict):
        return dict, frozenset([(name, identify(part)) for name, part in value.items()])
    # Python takes `true` for 1, a decimal for a Long, and any two tuples of the same parts for one
    return kind, value


def is_equal(left: Known, right: Known) -> bool:
    """Whether two values are one and the same to Cedar."""
    return identify(left) == identify(right)


def _members(value: Known) -> set[Hashable]:
    return {part if type(part) is str else identify(part) for part in need(value, list)}


def _contains(left: Known, right: Known) -> bool:
    # a text equals nothing but itself to Python, too
    return right in need(left, list) if type(right) is str else identify(right) in _members(left)


def _add(left: Known, right: Known) -> int:
    return fit(need(left, int) + need(right, int))


def _subtract(left: Known, right: Known) -> int:
    return fit(need(left, int) - need(right, int))


def _multiply(left: Known, right: Known) -> int:
    return fit(need(left, int) * need(right, int))


def _order(compare: Callable[[Any, Any], bool], *kinds: type) -> Callable[[Known, Known], bool]:
    """A comparison of two values that are of the same one of these kinds."""

    def apply(left: Known, right: Known) -> bool:
        kind = type(left)
        if kind not in kinds:
            raise ValueError(f"{_NAMES[kind]} has no order")
        return compare(left, need(right, kind))

    return apply


def _compare(compare: Callable[[Any, Any], bool]) -> Callable[[Known, Known], bool]:
    return _order(compare, int, Datetime, Duration)


def _offset(left: Known, right: Known) -> Datetime:
    return Datetime(fit(need(left, Datetime).milliseconds + need(right, Duration).milliseconds))


def _since(left: Known, right: Known) -> Duration:
    return Duration(fit(need(left, Datetime).milliseconds - need(right, Datetime).milliseconds))


def _truncate(unit: int) -> Callable[[Known], int]:
    """How many whole units a duration has, toward zero."""

    def apply(value: Known) -> int:
        total = need(value, Duration).milliseconds
        whole = abs(total) // unit
        return whole if total >= 0 else -whole

    return apply


def _to_date(value: Known) -> Datetime:
    return Datetime(fit(need(value, Datetime).milliseconds // DAY * DAY))


def _read(read: Callable[[str], ExtensionValue]) -> Callable[[Known], Known]:
    return lambda value: read(need(value, str))


def _is_in(ranges: Mapping[int, Ip]) -> Callable[[Known], bool]:
    def apply(value: Known) -> bool:
        address = need(value, Ip)
        return address.is_within(ranges[address.version])

    return apply


UNARY: Mapping[str, Callable[[Known], Known]] = {
    "not": lambda value: not need(value, bool),
    "neg": lambda value: fit(-need(value, int)),
    "is_empty": lambda value: not need(value, list),
    **{name: _read(read) for name, read in READ.items()},
    "is_ipv4": lambda value: need(value, Ip).version == 4,
    "is_ipv6": lambda value: need(value, Ip).version == 6,
    "is_loopback": _is_in(LOOPBACK),
    "is_multicast": _is_in(MULTICAST),
    "to_date": _to_date,
    "to_time": lambda value: Duration(need(value, Datetime).milliseconds % DAY),
    "to_milliseconds": _truncate(1),
    "to_seconds": _truncate(1_000),
    "to_minutes": _truncate(60_000),
    "to_hours": _truncate(3_600_000),
    "to_days": _truncate(DAY),
}

BINARY: Mapping[str, Callable[[Known, Known], Known]] = {
    "eq": is_equal,
    "not_eq": lambda left, right: not is_equal(left, right),
    "less": _compare(operator.lt),
    "less_eq": _compare(operator.le),
    "greater": _compare(operator.gt),
    "greater_eq": _compare(operator.ge),
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "contains": _contains,
    "contains_all": lambda left, right: _members(left) >= _members(right),
    "contains_any": lambda left, right: not _members(left).isdisjoint(_members(right)),
    "is_in_range": lambda left, right: need(left, Ip).is_within(need(right, Ip)),
    "offset": _offset,
    "duration_since": _since,
    "decimal_less_than": _order(operator.lt, Decimal),
    "decimal_less_eq": _order(operator.le, Decimal),
    "decimal_greater": _order(operator.gt, Decimal),
    "decimal_greater_eq": _order(operator.ge, Decimal),
}
