"""JSON turned into values, once, and values into what each engine takes.

Numbers count by value, not by spelling: within 64 bits a Long; else a `decimal` if four digits hold it
exactly; else a record of its canonical text, which can be compared for equality and nothing else.
`null` is as if it was not sent. Cedar's own escapes are refused from requests, because cedarpy would take
`{"__entity": …}` as a reference and a caller could forge `resource.owner == principal`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from policy_service.model import Extension, Uid, Value
from policy_service.policy.names import is_cedar_path
from policy_service.policy.scope import LIMITS

NUMBER = "__number"
ESCAPES = frozenset({"__entity", "__extn", "__expr", NUMBER})
EXTENSIONS = frozenset({"ip", "decimal", "datetime", "duration"})

_LONG = 2**63
_DECIMAL = re.compile(r"-?\d{1,15}\.\d{1,4}", re.ASCII)
# the largest double; I-JSON (RFC 7493 §2.2) asks senders to stay within it
_DOUBLE = Decimal("1.7976931348623157e308")
_TINY = -400
# what Python turns into an integer and back (sys.int_info.default_max_str_digits), and little enough to be fast
_DIGITS = 4_000


class NotJson(ValueError):
    """A text that is no I-JSON; the message is a sentence, `line` is known where it is `placed`."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line or 1
        self.placed = line > 0


def read_json(text: bytes | str) -> Any:
    """The value of a JSON text, strictly (RFC 7493): fractions as `Decimal`; anything else is `NotJson`."""
    try:
        decoded = text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"invalid UTF-8 at byte {error.start}", _line(text, error.start)) from None
    try:
        value = _DECODER.decode(decoded)
    except json.JSONDecodeError as error:
        raise NotJson(f"invalid JSON: {error.msg[:1].lower()}{error.msg[1:]}", error.lineno) from None
    except RecursionError:
        raise NotJson(f"nested deeper than {LIMITS.json_nesting} levels") from None
    except NotJson:
        raise
    except ValueError:  # a number of more digits than Python reads
        raise NotJson("a number beyond the range of a double") from None
    # surrogates can only come from an escape, so a text without one needs no second look
    if "\\u" in decoded and ("\\ud" in decoded or "\\uD" in decoded):
        _refuse_surrogates(value)
    if decoded.count("{") + decoded.count("[") > LIMITS.json_nesting:
        _refuse_depth(value, LIMITS.json_nesting - 1)
    return value


def _line(text: bytes | str, position: int) -> int:
    return text.count(b"\n", 0, position) + 1 if isinstance(text, bytes) else text.count("\n", 0, position) + 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise NotJson(f"the member `{twice}` stands twice in one object")
    return members


def _fraction(text: str) -> Decimal:
    if len(text) > _DIGITS:
        raise NotJson(f"a number of more than {_DIGITS} digits")
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise NotJson("a number beyond the range of a double") from None
    # arithmetic on a number with such an exponent as `1e9999999` raises, comparing does not
    if number.copy_abs() > _DOUBLE or (number and number.adjusted() < _TINY):
        raise NotJson("a number beyond the range of a double")
    return number


def _constant(text: str) -> Any:
    raise NotJson(f"`{text}` is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_fraction, parse_constant=_constant)


def _refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise NotJson("a string holds half of a surrogate pair") from None


def _refuse_depth(value: Any, left: int) -> None:
    if left < 0:
        raise NotJson(f"nested deeper than {LIMITS.json_nesting} levels")
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            if isinstance(part, dict | list):
                _refuse_depth(part, left - 1)


def read_value(raw: Any, *, trusted: bool = False, where: str = "") -> Value:
    """The canonical value of parsed JSON that is not `null`.

    With `trusted`, as in files, `{"__entity": {"type", "id"}}` is a reference and `{"__extn": {"fn", "arg"}}`
    an extension value; otherwise they are a `ValueError`, which names the place by `where`.
    """
    kind = type(raw)
    if kind is str or kind is bool:
        return raw  # type: ignore[no-any-return]
    if kind is int:
        if -_LONG <= raw < _LONG:
            return raw  # type: ignore[no-any-return]
        if raw.bit_length() > 1024:
            raise ValueError(f"`{where}` is a number beyond the range of a double")
        return read_number(Decimal(raw))
    if kind is Decimal:
        return read_number(raw)
    if kind is list:
        return read_set([read_value(part, trusted=trusted, where=where) for part in raw if part is not None])
    if kind is dict:
        if not ESCAPES.isdisjoint(raw):
            return _read_escape(raw, trusted, where)
        return read_record(raw, trusted=trusted, where=where)
    if kind is float:
        return read_number(Decimal(repr(raw)))
    raise ValueError(f"`{where}` holds a {kind.__name__}, which is no JSON value")


def read_set(parts: list[Value]) -> list[Value]:
    """An array is a set: one spelling for each, for engines that compare lists by order and count."""
    if len(parts) < 2:
        return parts
    unique = {orjson.dumps(part, _encode, orjson.OPT_SORT_KEYS): part for part in parts}
    return [unique[text] for text in sorted(unique)]


def read_record(raw: Mapping[str, Any], *, trusted: bool = False, where: str = "") -> dict[str, Value]:
    """The canonical record of a JSON object: `null` members are as if they were not sent."""
    return {
        name: part
        if type(part) is str
        else read_value(part, trusted=trusted, where=f"{where}.{name}" if where else name)
        for name, part in raw.items()
        if part is not None
    }


def read_number(number: Decimal) -> Value:
    """A number by its value: Long, else `Decimal` with at most four digits, else a record of its text."""
    if not number:  # whatever its exponent
        return 0
    digits, exponent = _digits(number)
    if exponent >= -4 and number.adjusted() < 20:
        scaled = digits * 10 ** (exponent + 4)
        whole, rest = divmod(scaled, 10_000)
        if rest == 0 and -_LONG <= whole < _LONG:
            return int(whole)
        if -_LONG <= scaled < _LONG:
            return Decimal(scaled).scaleb(-4).normalize()
    return {NUMBER: f"{digits}e{exponent}"}


def _digits(number: Decimal) -> tuple[int, int]:
    """The number as `digits * 10 ** exponent` without trailing zeros: one pair for each value, exactly."""
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    if not isinstance(exponent, int):
        return 0, 0
    stripped = text.rstrip("0")
    return int(stripped) * (-1 if sign else 1), exponent + len(text) - len(stripped)


def _read_escape(raw: dict[str, Any], trusted: bool, where: str) -> Value:
    name = next(name for name in raw if name in ESCAPES)
    place = f" in `{where}`" if where else ""
    if not trusted:
        raise ValueError(f"`{name}`{place} may not be sent, only files hold references and extension values")
    body = raw[name]
    if len(raw) == 1 and isinstance(body, dict) and all(isinstance(part, str) for part in body.values()):
        if name == "__entity" and body.keys() == {"type", "id"} and is_cedar_path(body["type"]):
            return Uid(body["type"], body["id"])
        if name == "__extn" and body.keys() == {"fn", "arg"} and body["fn"] in EXTENSIONS:
            # a decimal is one value however it is written, for each engine and in the log
            if body["fn"] == "decimal" and _is_decimal(body["arg"]):
                return Decimal(body["arg"])
            return Extension(body["fn"], body["arg"])
    raise ValueError(
        f'`{name}`{place} can\'t be read, write {{"__entity": {{"type", "id"}}}} or {{"__extn": {{"fn", "arg"}}}}'
    )


def _is_decimal(text: str) -> bool:
    return _DECIMAL.fullmatch(text) is not None and -_LONG <= int(Decimal(text).scaleb(4)) < _LONG


def dumps(value: Any) -> bytes:
    """The Cedar JSON of a value, or of a structure that holds values."""
    return orjson.dumps(value, _encode)


def _encode(value: Any) -> Any:
    if isinstance(value, Uid):
        return {"__entity": {"type": value.type, "id": value.id}}
    if isinstance(value, Extension):
        return {"__extn": {"fn": value.fn, "arg": value.arg}}
    if isinstance(value, Decimal):
        text = format(value, "f")
        return {"__extn": {"fn": "decimal", "arg": text if "." in text else f"{text}.0"}}
    raise TypeError(f"`{type(value).__name__}` is no value")


def plain(value: Value) -> Any:
    """A value as py-abac and casbin see it: a decimal as a float, a reference as `{"type", "id"}`."""
    kind = type(value)
    if kind is str or kind is int or kind is bool:
        return value
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Uid):
        return {"type": value.type, "id": value.id}
    return value.arg if isinstance(value, Extension) else value
