"""The members of an asset's JSON: system members, properties and tags, each within its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from policy_service.errors import RequestError
from policy_service.model import Value
from policy_service.policy.names import is_reserved
from policy_service.policy.sentences import write_line
from policy_service.policy.stored_values import encode
from policy_service.policy.values import ESCAPES, read_value

TAG = "tag."
DISPLAY_NAME = "displayName"
RAW_DATA = "_rawData"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one asset may hold; past any of these is a `RequestError`. Bytes are those of UTF-8."""

    key: int = 1_024
    # a row of an index of PostgreSQL has no room for more
    key_bytes: int = 1_600
    name: int = 200
    name_bytes: int = 400
    type: int = 200
    property_name: int = 200
    properties: int = 1_000
    classes: int = 100
    text_bytes: int = 64 * 1024
    list: int = 10_000
    asset_bytes: int = 256 * 1024


LIMITS = Limits()


class Members(NamedTuple):
    """What an object holds. A value that is none was sent as `null`; `dropped` counts the entries of `_rawData`."""

    system: Mapping[str, Any]
    properties: Mapping[str, Value | None]
    tags: Mapping[str, Value | None]
    display_name: str | None
    sets_display_name: bool
    dropped: int


def read_members(raw: Mapping[str, Any], known: frozenset[str]) -> Members:
    """The members of an object that may have the system members `known`; `RequestError` names the first it may not."""
    system: dict[str, Any] = {}
    properties: dict[str, Value | None] = {}
    tags: dict[str, Value | None] = {}
    dropped = 0
    for name, value in raw.items():
        check_text(name, name[:80])
        if name == RAW_DATA:
            dropped += len(value) if isinstance(value, list) else 1
        elif name.startswith("_"):
            if name not in known:
                raise RequestError(f"`{name[:80]}` is no member that may be sent, leave it out")
            system[name] = value
        elif name == DISPLAY_NAME:
            pass
        elif name.startswith(TAG):
            tags[_check_property(name[len(TAG) :], name)] = _read(value, name)
        else:
            properties[_check_property(name, name)] = _read(value, name)
    return Members(system, properties, tags, _read_display_name(raw), DISPLAY_NAME in raw, dropped)


def _read_display_name(raw: Mapping[str, Any]) -> str | None:
    value = raw.get(DISPLAY_NAME)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RequestError(f"`{DISPLAY_NAME}` is no text, write it in quotes")
    return check_text(value, DISPLAY_NAME)


def _read(raw: Any, name: str) -> Value | None:
    """A scalar, or a list of scalars of one kind: what was sent, by value."""
    if raw is None:
        return None
    parts = raw if isinstance(raw, list) else [raw]
    if len(parts) > LIMITS.list:
        raise RequestError(f"`{name}` is a list of {len(parts)}, at most {LIMITS.list}")
    kinds = {_kind_of(part, name) for part in parts if part is not None}
    if len(kinds) > 1:
        raise RequestError(
            f"`{name}` is a list of {' and '.join(f'{kind}s' for kind in sorted(kinds))}, write one kind only"
        )
    for part in parts:
        if isinstance(part, str):
            check_text(part, name)
    try:
        return read_value(raw, where=name)
    except ValueError as error:
        raise RequestError(str(error)) from None


def _kind_of(raw: Any, name: str) -> str:
    if isinstance(raw, bool):
        return "boolean"
    if isinstance(raw, str):
        return "text"
    if isinstance(raw, int | float | Decimal):
        return "number"
    raise RequestError(
        f"`{name}` is nested, which is not stored: write texts, numbers, booleans, or lists of one of these"
    )


def _check_property(name: str, shown: str) -> str:
    if not name:
        raise RequestError(f"`{shown}` names nothing, write a name")
    if name in ESCAPES:
        raise RequestError(f"`{shown}` is a name that Cedar keeps for itself, choose another")
    if len(name) > LIMITS.property_name:
        raise RequestError(f"`{shown[:80]}…` is a name of {len(name)} characters, at most {LIMITS.property_name}")
    return name


def check_text(text: str, where: str) -> str:
    """The text, if it can be stored in both databases; else `RequestError`."""
    if len(text) > LIMITS.text_bytes // 4 and len(text.encode("utf-8", "surrogatepass")) > LIMITS.text_bytes:
        raise RequestError(f"`{where}` is a text of more than {LIMITS.text_bytes} bytes, which is too long")
    try:
        encode(text)
    except ValueError as error:
        raise RequestError(write_line(f"`{where}`: {error}")) from None
    return text


def check_key(text: str, where: str) -> str:
    """A key that fits an index; else `RequestError`."""
    return _check_length(text, where, LIMITS.key, LIMITS.key_bytes)


def check_name(text: str, where: str) -> str:
    """A source or a scope that fits an index; else `RequestError`."""
    return _check_length(text, where, LIMITS.name, LIMITS.name_bytes)


def check_type(text: str, where: str) -> str:
    """A type that anyone may give an asset, by its name; else `RequestError`."""
    _check_printable(text, where)
    if is_reserved(text):
        raise RequestError(f"`{where}`: only the service makes what is of the type `{text}`, give it another")
    return text


def check_class(text: str, where: str) -> str:
    """A class, by its name; else `RequestError`."""
    return _check_printable(text, where)


def _check_printable(text: str, where: str) -> str:
    if len(text) > LIMITS.type:
        raise RequestError(f"`{where}` is a name of {len(text)} characters, at most {LIMITS.type}")
    if not text.isprintable() or text != text.strip():
        raise RequestError(f"`{where}` holds a character that no name has, write letters, digits and `_`")
    return text


def _check_length(text: str, where: str, characters: int, most: int) -> str:
    check_text(text, where)
    if len(text) > characters or len(text.encode()) > most:
        raise RequestError(f"`{where}` has {len(text)} characters, at most {characters} and {most} bytes")
    return text
