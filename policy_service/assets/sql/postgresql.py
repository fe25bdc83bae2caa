"""Conditions in the words of PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    FromClause,
    Numeric,
    Text,
    and_,
    any_,
    case,
    cast,
    column,
    func,
    literal,
)
from sqlalchemy.dialects.postgresql import JSONB

from policy_service.assets.sql.databases import Condition, Words, is_canonical, lower
from policy_service.policy.extensions import LARGEST, SMALLEST
from policy_service.policy.residual.filter import Kind

_TYPES: dict[Kind, str] = {
    "text": "string", "long": "number", "bool": "boolean", "set": "array", "record": "object",
}  # fmt: skip
# the keys of what is written as an object and is no record
_MARKS: dict[Kind, str] = {"decimal": "@dec", "number": "@num", "entity": "@"}
_LAST = 0x10FFFF


class Postgresql:
    """PostgreSQL, where a canonical value is a `jsonb`; what raises on a row of another kind is guarded by a CASE."""

    def has(self, document: Words, path: Sequence[str], kind: Kind) -> Condition:
        """There is a value of this kind."""
        value = self._follow(document, path)
        if kind == "any":
            return value.is_not(None)
        if kind in _MARKS:
            return self._follow(document, [*path, _MARKS[kind]]).is_not(None)
        is_kind: Condition = func.jsonb_typeof(value) == _TYPES[kind]
        for mark in _MARKS.values() if kind == "record" else ():
            is_kind &= self._follow(document, [*path, mark]).is_(None)
        return is_kind

    def read(self, document: Words, path: Sequence[str], kind: Kind) -> Words:
        """The value, NULL where there is none of this kind."""
        value = self._follow(document, path)
        if kind == "any":
            return value
        native = value
        if kind == "text":
            # a database sorts as its locale does, columns and Python do not
            native = self.sort(value.op("#>>", return_type=Text())(literal([], ARRAY(Text()))))
        elif kind == "long":
            native = cast(value, BigInteger())
        elif kind == "bool":
            native = cast(value, Boolean())
        elif kind == "decimal":
            native = cast(self._follow(document, [*path, _MARKS[kind]]), BigInteger())
        return case((self.has(document, path, kind), native))

    def quote(self, column: Words) -> Words:
        """A native value as a canonical one."""
        return func.to_jsonb(column, type_=JSONB())

    def make_set(self, text: Words) -> Words:
        """The set that has only this text in it, canonical."""
        return func.jsonb_build_array(text, type_=JSONB())

    def bind(self, text: str) -> Words:
        """A canonical value by its text."""
        return cast(literal(text, Text()), JSONB())

    def among(self, column: Words, values: Sequence[Any]) -> Condition:
        """The column is one of these: native values, or texts of canonical ones. Many go as one parameter."""
        if len(values) == 1:
            return column == (self.bind(values[0]) if is_canonical(column) else literal(values[0]))
        if is_canonical(column):
            return column == any_(cast(literal(list(values), ARRAY(Text())), ARRAY(JSONB())))
        kind: Any = {bool: Boolean(), int: BigInteger()}.get(type(values[0]), Text()) if values else Text()
        return column == any_(literal(list(values), ARRAY(kind)))

    def split(self, set_: Words) -> tuple[FromClause, Words]:
        """The elements of a canonical value, none where it is no set, as rows; and the column that has each."""
        array = case((func.jsonb_typeof(set_) == "array", set_), else_=self.bind("[]"))
        each = func.jsonb_array_elements(array).table_valued(column("value", JSONB()))
        return each, each.c.value

    def like(self, column: Words, pattern: tuple[str | None, ...]) -> Condition:
        """The text is made of these parts, byte for byte; `None` stands for any text."""
        start = pattern[0]
        if start is not None and pattern[1:] == (None,):
            # what LIKE is of an index no row security lets through
            end = _follower(start)
            text = self.sort(column)
            bounds = [text >= literal(start, Text())] + ([text < literal(end, Text())] if end else [])
            return and_(func.starts_with(column, literal(start, Text())), *bounds)
        parts = ("%" if part is None else "".join(f"\\{c}" if c in "%_\\" else c for c in part) for part in pattern)
        return column.like(literal("".join(parts), Text()), escape="\\")

    def starts(self, column: Words, text: str) -> Condition:
        """The text begins with this one, whatever the case of ASCII letters."""
        return func.starts_with(self._lower(column), literal(lower(text), Text()))

    def holds(self, column: Words, text: str) -> Condition:
        """The text has this one in it, whatever the case of ASCII letters."""
        return func.strpos(self._lower(column), literal(lower(text), Text())) > 0

    def total(self, op: str, left: Words, right: Words) -> Words:
        """`+`, `-` or `*` of two Longs, NULL where 64 bits don't hold it."""
        sum_ = cast(left, Numeric()).op(op, return_type=Numeric())(cast(right, Numeric()))
        return case((sum_.between(cast(literal(SMALLEST), Numeric()), cast(literal(LARGEST), Numeric())), sum_))

    def sort(self, text: Words) -> Words:
        """The text, in the order of its bytes."""
        return text.collate("C")

    def hide(self, column: Words) -> Words:
        """The column itself: which index has fewer rows PostgreSQL knows well."""
        return column

    def hex(self, text: Words) -> Words:
        """The bytes of a text in lower hex digits."""
        return func.encode(func.convert_to(text, "UTF8"), "hex")

    def _lower(self, text: Words) -> Words:
        # in this collation it knows ASCII letters and no others
        return func.lower(self.sort(text))

    def _follow(self, document: Words, path: Sequence[str]) -> Words:
        for key in path:
            document = document.op("->", return_type=JSONB())(literal(key, Text()))
        return document


def _follower(text: str) -> str:
    """The least text after all that begin with this one, empty where there is none."""
    while text:
        code = ord(text[-1]) + 1
        # half of a surrogate pair is in no text
        code = 0xE000 if code == 0xD800 else code
        if code <= _LAST:
            return text[:-1] + chr(code)
        text = text[:-1]
    return ""
