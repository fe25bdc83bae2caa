"""What Python takes for one value, spelt out in Cedar's.

To Python `true` is 1, and a decimal is whichever float is nearest to it. So what py-abac and casbin compare with is one
of several of Cedar's values; of numbers in order, it is where Longs and decimals go from one side to the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import Any, Final, NamedTuple

from policy_service.model import Uid, Value
from policy_service.policy.extensions import LARGEST, SMALLEST
from policy_service.policy.values import read_set

# the most values that one is spelt as
SPELLINGS: Final = 16
_SCALE: Final = 10_000


class Limits(NamedTuple):
    """Of two kinds of numbers the first that is not less than some number; none where all are less."""

    long: int | None
    decimal: Decimal | None


def spell(value: Any) -> Sequence[Value] | None:
    """The values of facts that are, seen plainly, equal to this plain one; none where they are too many."""
    match value:
        case str():
            return (value,)
        case list():
            return _spell_list(value)
        case dict():
            return _spell_record(value)
    return _spell_number(value)


def find_limits(number: float, *, beyond: bool) -> Limits:
    """The first Long and the first decimal that are at least a number, or more than it where `beyond`."""
    long = math.floor(number) + 1 if beyond else math.ceil(number)
    decimal = _find_decimal(number, beyond)
    return Limits(max(long, SMALLEST) if long <= LARGEST else None, _scale(decimal) if decimal <= LARGEST else None)


def _spell_number(number: float) -> Sequence[Value] | None:
    found: list[Value] = []
    if number == int(number) and SMALLEST <= number <= LARGEST:
        found.append(int(number))
    if number in (0, 1):
        found.append(bool(number))
    first, after = _find_decimal(number, False), _find_decimal(number, True)
    if after - first > SPELLINGS:
        return None
    # one that is whole is a Long to whoever sees it
    return found + [_scale(scaled) for scaled in range(first, after) if scaled % _SCALE]


def _spell_list(values: list[Any]) -> Sequence[Value] | None:
    if any(_is_reference(part) for part in values):
        return None  # references have another order than what they are seen as
    # only a list in its canonical order is a set
    ways = _choose(values)
    return None if ways is None else [list(way) for way in ways if _is_sorted(list(way))]


def _is_sorted(values: list[Value]) -> bool:
    return [*map(id, read_set(values))] == [*map(id, values)]


def _spell_record(record: dict[str, Any]) -> Sequence[Value] | None:
    ways = _choose(list(record.values()))
    if ways is None:
        return None
    found: list[Value] = [dict(zip(record, way, strict=True)) for way in ways]
    return [*found, Uid(record["type"], record["id"])] if _is_reference(record) else found


def _choose(values: Sequence[Any]) -> list[tuple[Value, ...]] | None:
    """Every way to spell all of these."""
    parts = [spell(part) for part in values]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or math.prod(map(len, known)) > SPELLINGS:
        return None
    return list(product(*known))


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"type", "id"}
        and all(isinstance(part, str) for part in value.values())
    )


@lru_cache(maxsize=1024)
def _find_decimal(number: float, beyond: bool) -> int:
    """The first decimal whose float is at least, or more than, a number, in 1/10,000; else one past the last."""
    low, high = SMALLEST, LARGEST + 1
    while low < high:
        middle = (low + high) // 2
        seen = float(_scale(middle))
        if seen > number or (seen == number and not beyond):
            high = middle
        else:
            low = middle + 1
    return low


def _scale(scaled: int) -> Decimal:
    return Decimal(scaled).scaleb(-4)
