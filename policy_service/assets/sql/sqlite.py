"""Conditions in the words of SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, FromClause, Integer, Text, case, cast, func, literal, select
from sqlalchemy.sql.expression import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from policy_service.assets.sql.databases import Canonical, Condition, Words, lower
from policy_service.policy.residual.filter import Kind
from policy_service.policy.stored_values import write_json

_TYPES: dict[Kind, tuple[str, ...]] = {
    "text": ("text",),
    "long": ("integer",),
    "bool": ("true", "false"),
    "set": ("array",),
    "record": ("object",),
}
# the keys of what is written as an object and is no record
_MARKS: dict[Kind, str] = {"decimal": "@dec", "number": "@num", "entity": "@"}
_PLUS: Any = custom_op("+")
_NATIVE: dict[Kind, Any] = {"text": Text(), "long": BigInteger(), "bool": Integer(), "decimal": BigInteger()}


class Sqlite:
    """SQLite, which keeps documents as canonical text: what it takes out of one is canonical too."""

    def has(self, document: Words, path: Sequence[str], kind: Kind) -> Condition:
        """There is a value of this kind."""
        if kind == "any":
            return func.json_type(document, _path(path)).is_not(None)
        if kind in _MARKS:
            return func.json_type(document, _path([*path, _MARKS[kind]])).is_not(None)
        is_kind: Condition = func.json_type(document, _path(path)).in_(_TYPES[kind])
        for mark in _MARKS.values() if kind == "record" else ():
            is_kind &= func.json_type(document, _path([*path, mark])).is_(None)
        return is_kind

    def read(self, document: Words, path: Sequence[str], kind: Kind) -> Words:
        """The value, NULL where there is none of this kind."""
        inner = _path([*path, _MARKS[kind]] if kind == "decimal" else path)
        if kind in _NATIVE:
            value = document.op("->>", return_type=_NATIVE[kind])(inner)
        else:
            value = document.op("->", return_type=Canonical())(inner)
        return value if kind in ("any", "decimal") else case((self.has(document, path, kind), value))

    def quote(self, column: Words) -> Words:
        """A native value as a canonical one."""
        return func.json_quote(column, type_=Canonical())

    def make_set(self, text: Words) -> Words:
        """The set that has only this text in it, canonical."""
        return func.json_array(text, type_=Canonical())

    def bind(self, text: str) -> Words:
        """A canonical value by its text."""
        return literal(text, Canonical())

    def among(self, column: Words, values: Sequence[Any]) -> Condition:
        """The column is one of these: native values, or texts of canonical ones. Many go as one parameter."""
        if len(values) == 1:
            return column == literal(values[0], column.type)
        each = func.json_each(literal(write_json(list(values)), Text())).table_valued("value")
        return column.in_(select(each.c.value))

    def split(self, set_: Words) -> tuple[FromClause, Words]:
        """The elements of a canonical value, none where it is no set, as rows; and the column that has each."""
        array = case((func.json_type(set_) == "array", set_), else_="[]")
        each = func.json_each(array).table_valued("value", "type")
        value, type_ = each.c.value, each.c.type
        # what is an object or an array comes as its text, a boolean as a number
        canonical = case(
            (type_ == "text", func.json_quote(value)),
            (type_.in_(("true", "false")), type_),
            else_=cast(value, Text()),
        )
        return each, canonical.label(None)

    def like(self, column: Words, pattern: tuple[str | None, ...]) -> Condition:
        """The text is made of these parts, byte for byte; `None` stands for any text."""
        # LIKE would not tell `A` from `a`
        parts = ("*" if part is None else "".join(f"[{c}]" if c in "*?[" else c for c in part) for part in pattern)
        return column.op("GLOB", is_comparison=True)(literal("".join(parts), Text()))

    def starts(self, column: Words, text: str) -> Condition:
        """The text begins with this one, whatever the case of ASCII letters."""
        return func.substr(func.lower(column), 1, len(text)) == lower(text)

    def holds(self, column: Words, text: str) -> Condition:
        """The text has this one in it, whatever the case of ASCII letters."""
        return func.instr(func.lower(column), lower(text)) > 0

    def total(self, op: str, left: Words, right: Words) -> Words:
        """`+`, `-` or `*` of two Longs, NULL where 64 bits don't hold it."""
        sum_ = left.op(op, return_type=BigInteger())(right)
        # beyond 64 bits it is a floating point number, which has neighbours that it equals
        return case((func.typeof(sum_) == "integer", sum_))

    def sort(self, text: Words) -> Words:
        """The text, in the order of its bytes."""
        return text

    def hide(self, column: Words) -> Words:
        """The column as something that no index has: of which index has fewer rows SQLite knows nothing here."""
        return UnaryExpression(column, operator=_PLUS, type_=column.type)

    def hex(self, text: Words) -> Words:
        """The bytes of a text in lower hex digits."""
        return func.lower(func.hex(text))


def _path(keys: Sequence[str]) -> Words:
    return literal("$" + "".join(f'."{key}"' for key in keys), Text())
