"""Awkward names, texts and numbers, and values made of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policy_service.model import Extension, Uid, Value
from policy_service.policy.values import NUMBER
from tests.property.filter_draws import Draws

# what SQL's patterns, JSON, escapes, numbers and sorting make of a text that is only a text
TEXTS = (
    "a", "b", "prod", "", "A", "abc", "ab", "a*c", "x_%?[]y", '{"@":"User::\\"a\\""}', '["a"]', '"a"', "1", "true",
    "q'\"\\", "a\nb", "e\u0301", "é", "É", "ı", "İ", "ß", "SS", "\\", "%", "_", "[", "]", "^", "[^a]", "\u2028", "\x7f",
    "\ufeff", "\U0010ffff", "é\U0001f600", " a", "a ", "0", "-1", "1.0", "1e2", str(2**63 - 1), "null", "{}", "[]",
    '{"@dec":1}', '{"@num":"1"}', "#", "#a", "~61", ":p0", "%s", "$1", "prod'--", "10.0.0.1", "127.0.0.1/8", "1.5",
    "2024-01-01", "1h", "x" * 300, "é" * 600, "y" * 1100,
)  # fmt: skip
# only requests and policies hold it: no store does
NUL_TEXTS = ("\0", "a\0b", "a\0")
LONGS = (
    0, 1, 2, -1, 5, 3, 10, 2**53, 2**53 + 1, -(2**53) - 1, 10**18, 4294967296, 2**62, 3037000500, 2**63 - 1, -(2**63),
)  # fmt: skip
DECIMALS = tuple(
    map(Decimal, ("1.5", "-0.5", "0.0001", "12.3456", "922337203685477.5807", "-922337203685477.5808", "0.1"))
)
# beyond what a Long and a decimal hold: equal to itself, and nothing else
OTHERS = tuple(map(Decimal, (str(2**63), "1e300", "0.00001", "-1e-7", str(-(2**63) - 1), "1.23456")))
IPS = (
    "10.0.0.1", "10.0.0.1/32", "10.0.0.0/8", "10.1.2.3/8", "127.0.0.1", "127.0.0.0/7", "::1", "::/0", "0.0.0.0/0",
    "ff02::1", "224.0.0.1/4", "1:2::/32", "255.255.255.255", "2001:db8::/31", "10.0.0.0/9", "::1/127",
)  # fmt: skip
FIXED = ("1.5", "1.50", "-0.5", "0.0", "922337203685477.5807", "12.3456", "-922337203685477.5808", "0.0001")
TIMES = (
    "2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01T05:00:00+0500", "1969-12-31T23:59:59.999Z", "0000-01-01",
    "2024-02-29T12:30:00.123Z", "1970-01-01", "9999-12-31T23:59:59.999Z", "1900-03-01T00:00:00-2359",
)  # fmt: skip
SPANS = ("1d", "24h", "-1ms", "0ms", "1h30m", "106751991167d", "-9223372036854775808ms", "500ms", "1ms", "-1d")
# what a value of a name mostly is: a text, a Long, a boolean, a decimal, a set, a record, another number, anything
NAMES: Mapping[str, str] = {
    "env": "text", "size": "long", "public": "bool", "cost": "decimal", "labels": "set", "spec": "record",
    "huge": "number", "misc": "any", "owner": "text", "name": "text", "status": "text", "active": "bool",
    "owners": "set", "rank": "long", "zone": "text",
}  # fmt: skip
# what stands for something in JSON paths, in stored values, in SQL and in what an asset is to policies
ODD_NAMES = (
    "lo", "f", "@", "@dec", "@num", "a.b", ":p0", 'we"ird', "q'x", "$", "é", "~40", "0", "[0]", "key", "type", "class",
    "source", "scope", "tenant", "groups", "property.env", "property.", "id", "uid", "a b", "\U0001f600", "E", "env.x",
    "properties", "tags", "%", "\\", "#", ".", "true", "in",
)  # fmt: skip
MEMBERS = ("lo", "hi", "env", "size", "@", "@ip", "@dec", "", "a.b", "x", 'we"ird', "é", "~40", "class", "__x")
TAGS = ("env", "k", "a.b", "@", 'j j"', "é", "0", "x", "lo", "~40", "cost")


def draw_scalar(draws: Draws, kind: str) -> Any:
    """JSON of a kind, as the asset API takes it."""
    match kind:
        case "text":
            # few texts meet often, and the others tell whether they are only texts
            return draws.pick(TEXTS[:4]) if draws.chance(50) else draws.pick(TEXTS)
        case "long":
            return draws.pick(LONGS[:7]) if draws.chance(50) else draws.pick(LONGS)
        case "bool":
            return draws.chance(50)
        case "decimal":
            return draws.pick(DECIMALS)
        case "number":
            return draws.pick(OTHERS)
    return draw_scalar(draws, draws.pick(("text", "long", "bool", "decimal", "number")))


def draw_property(draws: Draws, kind: str) -> Any:
    """What the asset API stores: a scalar, or a list of scalars of one kind."""
    if kind == "set" or (kind == "any" and draws.chance(30)):
        of = draws.pick(("text", "text", "long", "bool", "decimal", "number"))
        numbers = ("long", "decimal", "number")
        return [
            draw_scalar(draws, draws.pick(numbers) if of in numbers else of) for _ in range(draws.pick((1, 2, 3, 0)))
        ]
    return draw_scalar(draws, "any" if kind == "record" else kind)


def draw_nested(draws: Draws, depth: int = 2) -> Any:
    """What a store could hold beside that: sets and records of anything."""
    kind = draws.pick(("record", "set", "any", "text", "long")) if depth else "any"
    if kind == "record":
        return {name: draw_nested(draws, depth - 1) for name in draws.some(MEMBERS, 3)}
    if kind == "set":
        return [draw_nested(draws, depth - 1) for _ in range(draws.number(0, 3))]
    return draw_scalar(draws, kind)


def draw_extension(draws: Draws, kind: str) -> Extension:
    """An extension value that Cedar reads."""
    texts = {"ip": IPS, "decimal": FIXED, "datetime": TIMES, "duration": SPANS}[kind]
    return Extension(kind, draws.pick(texts))


def write_text(text: str) -> str:
    """A text as Cedar writes it."""
    return '"' + "".join(_ESCAPES.get(c) or (c if " " <= c != "\x7f" else f"\\u{{{ord(c):x}}}") for c in text) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}


def write_pattern(parts: list[str | None]) -> str:
    """A pattern of `like`, in which none stands for any text."""
    return '"' + "".join("*" if part is None else write_text(part)[1:-1].replace("*", "\\*") for part in parts) + '"'


def write_uid(uid: Uid) -> str:
    """An entity as Cedar names it."""
    return f"{uid.type}::{write_text(uid.id)}"


def write_value(value: Value) -> str:
    """A value as a Cedar expression."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if value >= 0 else f"({value})"
        case str():
            return write_text(value)
        case Decimal():
            return f'decimal("{value:f}")' if "." in f"{value:f}" else f'decimal("{value:f}.0")'
        case Extension(fn, arg):
            return f"{fn}({write_text(arg)})"
        case Uid():
            return write_uid(value)
        case list():
            return f"[{', '.join(map(write_value, value))}]"
        case dict():
            return "{" + ", ".join(f"{write_text(name)}: {write_value(part)}" for name, part in value.items()) + "}"
    raise TypeError(value)


def kind_of(value: Value) -> str:
    """What a value is to Cedar."""
    match value:
        case bool():
            return "bool"
        case int():
            return "long"
        case str():
            return "text"
        case Decimal():
            return "decimal"
        case Extension(fn, _):
            return fn
        case Uid():
            return "entity"
        case list():
            return "set"
        case dict():
            return "number" if value.keys() == {NUMBER} else "record"
    raise TypeError(value)
