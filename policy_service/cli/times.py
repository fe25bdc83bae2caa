"""Times as options: RFC 3339, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """A time, RFC 3339 or how long ago; in UTC where no zone is written."""
    if value is None:
        return None
    try:
        if match := re.fullmatch(r"(\d{1,6})([smhd])", value, re.ASCII):
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        sentence = f"`{value}` is no time, write `2026-01-31T12:00:00Z` or how long ago: `30m`, `2h`, `7d`"
        raise click.BadParameter(sentence) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
