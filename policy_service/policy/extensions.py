"""Values of Cedar's extension types: how their texts are read, and what is computed of them, as Cedar does it.

A `decimal` is a `Decimal` of at most four digits behind the point; the others are the classes here, which are equal
where their values are, however they were written. A text that Cedar refuses is a `ValueError`, and so is a result
that 64 bits don't hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address
from typing import TypeAlias

from policy_service.model import Value

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
DAY = 86_400_000
# the longest text of an address with its prefix that Cedar looks at
_ADDRESS_BYTES = 43

_DECIMAL = re.compile(r"(-?)([0-9]+)\.([0-9]{1,4})")
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_DURATION = re.compile(r"(-?)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?")
_DATETIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?"
)
# milliseconds of a day, an hour, a minute, a second and a millisecond
_UNITS = (DAY, 3_600_000, 60_000, 1_000, 1)


@dataclass(frozen=True, slots=True)
class Ip:
    """An address with its prefix: a range that keeps the bits behind the prefix, which `==` compares."""

    version: int
    number: int
    prefix: int

    def is_within(self, other: Ip) -> bool:
        """Whether each address of the range is one of the other."""
        behind = (32 if other.version == 4 else 128) - other.prefix
        return (
            self.version == other.version
            and self.prefix >= other.prefix
            and self.number >> behind == other.number >> behind
        )


@dataclass(frozen=True, slots=True, order=True)
class Datetime:
    """A moment, in milliseconds since 1970 in UTC."""

    milliseconds: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A time between two moments, in milliseconds."""

    milliseconds: int


ExtensionValue: TypeAlias = Decimal | Ip | Datetime | Duration
# what an expression can be: inside sets and records, values of facts are as they are written
Known: TypeAlias = Value | ExtensionValue

LOOPBACK = {4: Ip(4, 127 << 24, 8), 6: Ip(6, 1, 128)}
MULTICAST = {4: Ip(4, 224 << 24, 4), 6: Ip(6, 0xFF << 120, 8)}


def fit(number: int) -> int:
    """The number, which 64 bits must hold."""
    if not SMALLEST <= number <= LARGEST:
        raise ValueError("the number leaves 64 bits")
    return number


def read_decimal(text: str) -> Decimal:
    """`-12.3456`, with one to four digits behind the point."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError("the text is no decimal")
    scaled = fit(int(match[1] + match[2] + match[3].ljust(4, "0")))
    return Decimal(scaled).scaleb(-4)


def read_ip(text: str) -> Ip:
    """`10.0.0.1`, `10.0.0.0/8`, `::1`; no IPv4 in an IPv6 address, and no zone."""
    address, slash, prefix = text.partition("/")
    mixed = text.count(":") >= 2 and text.count(".") >= 2
    if len(text.encode(errors="replace")) > _ADDRESS_BYTES or mixed or "%" in text:
        raise ValueError("the text is no ip address")
    try:
        parsed = ip_address(address)
    except ValueError:
        raise ValueError("the text is no ip address") from None
    bits = parsed.max_prefixlen
    if not slash:
        return Ip(parsed.version, int(parsed), bits)
    if _PREFIX.fullmatch(prefix) is None or int(prefix) > bits:
        raise ValueError("the prefix of the ip address is none")
    return Ip(parsed.version, int(parsed), int(prefix))


def read_duration(text: str) -> Duration:
    """`1d2h3m4s5ms`, in this order, each at most once; negative as a whole."""
    match = _DURATION.fullmatch(text)
    if match is None or text in ("", "-"):
        raise ValueError("the text is no duration")
    sign = -1 if match[1] else 1
    total = 0
    # each step has to fit, from the smallest unit to the largest, as Cedar adds them
    for amount, unit in zip(reversed(match.groups("0")[1:]), reversed(_UNITS), strict=True):
        total = fit(total + sign * int(amount) * unit)
    return Duration(total)


def read_datetime(text: str) -> Datetime:
    """`2026-01-31`, `2026-01-31T12:00:00Z`, with or without milliseconds, `Z` or an offset such as `+0130`."""
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise ValueError("the text is no datetime")
    year, month, day, hour, minute, second, thousandth = (int(part or 0) for part in match.groups()[:7])
    offset_hour, offset_minute = int(match[9] or 0), int(match[10] or 0)
    if hour > 23 or minute > 59 or second > 59 or offset_hour > 23 or offset_minute > 59:
        raise ValueError("the text is no datetime, there is no such time of a day")
    east = (offset_hour * 60 + offset_minute) * (-1 if match[8] == "-" else 1)
    minutes = (_count_days(year, month, day) * 24 + hour) * 60 + minute - east
    return Datetime(minutes * 60_000 + second * 1_000 + thousandth)


def _count_days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date of the Gregorian calendar; the year 0 is one, which Python's dates lack."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        raise ValueError("the text is no datetime, there is no such day")
    before = year - 1
    leaps = before // 4 - before // 100 + before // 400
    return year * 365 + leaps + sum(lengths[: month - 1]) + day - 719_528


# by the name of the function that makes them
READ: Mapping[str, Callable[[str], ExtensionValue]] = {
    "decimal": read_decimal,
    "ip": read_ip,
    "datetime": read_datetime,
    "duration": read_duration,
}
