"""Values as they are stored: JSON, one text for each value, by one writer.

A reference is `{"@": 'Type::"id"'}`, a decimal `{"@dec": n}` of n/10,000, a number beyond both `{"@num": "…"}`: keys
that no attribute name is encoded to, so that no policy can name them. A key that is no identifier is `~` and the hex
of its UTF-8. Sets are sorted and unique. NUL and half of a surrogate pair are refused: PostgreSQL can't store them,
and SQLite's GLOB stops at NUL. Extension values are those of files, and not stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from policy_service.model import Uid, Value
from policy_service.policy.names import is_cedar_path
from policy_service.policy.values import NUMBER, read_set

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_REFERENCE, _DECIMAL, _OPAQUE = "@", "@dec", "@num"


def encode(value: Value) -> Any:
    """The stored form of a value, for `write_json` or a JSON column; `ValueError` where a text can't be stored."""
    kind = type(value)
    if kind is bool or kind is int:
        return value
    if isinstance(value, str):
        return _check(value)
    if isinstance(value, Decimal):
        return {_DECIMAL: int(value.scaleb(4))}
    if isinstance(value, Uid):
        # unambiguous without escapes: a type holds no quote
        return {_REFERENCE: f'{value.type}::"{_check(value.id)}"'}
    if isinstance(value, list):
        unique = {write_json(stored): stored for stored in map(encode, value)}
        return [unique[text] for text in sorted(unique)]
    if isinstance(value, dict):
        if value.keys() == {NUMBER}:
            return {_OPAQUE: value[NUMBER]}
        return encode_record(value)
    raise ValueError(f"a {kind.__name__} is no value")


def encode_record(record: Mapping[str, Value]) -> dict[str, Any]:
    """The stored form of a record, of properties or of tags."""
    return {encode_name(name): encode(value) for name, value in record.items()}


def encode_name(name: str) -> str:
    """A name as a key of stored JSON: as it is, or `~` and hex, which SQLite can address whatever is in it."""
    return name if _NAME.fullmatch(name) else f"~{_check(name).encode().hex()}"


def decode_name(stored: str) -> str:
    """The inverse of `encode_name`."""
    return bytes.fromhex(stored[1:]).decode() if stored.startswith("~") else stored


def decode(stored: Any) -> Value:
    """The value of a stored form: the inverse of `encode`."""
    kind = type(stored)
    if kind is str or kind is int or kind is bool:
        return stored  # type: ignore[no-any-return]
    if kind is list:
        parts = [decode(part) for part in stored]
        # texts are in their order already; what is escaped differently in the engines' JSON is not
        return parts if all(type(part) is str for part in parts) else read_set(parts)
    if kind is dict:
        if len(stored) == 1:
            name, body = next(iter(stored.items()))
            if name.startswith("@"):
                return _decode_marked(name, body)
        return decode_record(stored)
    raise ValueError(f"a {kind.__name__} is no stored value")


def decode_record(stored: Mapping[str, Any]) -> dict[str, Value]:
    """The inverse of `encode_record`."""
    return {decode_name(name): decode(value) for name, value in stored.items()}


def _decode_marked(name: str, body: Any) -> Value:
    if name == _DECIMAL:
        return Decimal(body).scaleb(-4).normalize()
    if name == _OPAQUE:
        return {NUMBER: body}
    kind, separator, rest = str(body).partition('::"')
    if name != _REFERENCE or not separator or not rest.endswith('"') or not is_cedar_path(kind):
        raise ValueError(f"`{name}` marks no stored value")
    return Uid(kind, rest[:-1])


def _check(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text holds a NUL character, which can't be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("a text holds half of a surrogate pair, which can't be stored") from None
    return text


def show(value: Value) -> Any:
    """A value as JSON shows it: any number as `int` or `Decimal`, exactly what was sent."""
    if isinstance(value, dict) and value.keys() == {NUMBER}:
        return Decimal(value[NUMBER])
    if isinstance(value, list):
        return [show(part) for part in value]
    if isinstance(value, dict):
        return {name: show(part) for name, part in value.items()}
    return value


def write_json(value: Any) -> str:
    """Canonical JSON, by the one writer: sorted keys, no spaces, no escapes of letters, `Decimal` as a number."""
    return orjson.dumps(value, _write_number, orjson.OPT_SORT_KEYS).decode()


def _write_number(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"a `{type(value).__name__}` is no JSON")
