"""What the two databases say differently about JSON, texts and lists: the words that conditions are made of.

A value of a document is native where it is a text, a Long or a boolean; a decimal is its ten-thousandths; all else is
`Canonical`: two of them are equal where the values are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from sqlalchemy import JSON, ColumnElement, FromClause, Text

from policy_service.policy.residual.filter import Kind

Condition: TypeAlias = ColumnElement[bool]
# an expression of whatever type
Words: TypeAlias = ColumnElement[Any]


class Canonical(Text):
    """The type of an expression that is a value of any kind, in the one form that the database compares."""


class Database(Protocol):
    """One of the two; `document` is a JSON column, `path` the keys in it as they are stored."""

    def has(self, document: Words, path: Sequence[str], kind: Kind) -> Condition:
        """There is a value of this kind."""

    def read(self, document: Words, path: Sequence[str], kind: Kind) -> Words:
        """The value, NULL where there is none of this kind."""

    def quote(self, column: Words) -> Words:
        """A native value as a canonical one."""

    def make_set(self, text: Words) -> Words:
        """The set that has only this text in it, canonical."""

    def bind(self, text: str) -> Words:
        """A canonical value by its text."""

    def among(self, column: Words, values: Sequence[Any]) -> Condition:
        """The column is one of these: native values, or texts of canonical ones. Many go as one parameter."""

    def split(self, set_: Words) -> tuple[FromClause, Words]:
        """The elements of a canonical value, none where it is no set, as rows; and the column that has each."""

    def like(self, column: Words, pattern: tuple[str | None, ...]) -> Condition:
        """The text is made of these parts, byte for byte; `None` stands for any text."""

    def starts(self, column: Words, text: str) -> Condition:
        """The text begins with this one, whatever the case of ASCII letters."""

    def holds(self, column: Words, text: str) -> Condition:
        """The text has this one in it, whatever the case of ASCII letters."""

    def total(self, op: str, left: Words, right: Words) -> Words:
        """`+`, `-` or `*` of two Longs, NULL where 64 bits don't hold it."""

    def sort(self, text: Words) -> Words:
        """The text, in the order of its bytes."""

    def hide(self, column: Words) -> Words:
        """The column as something that no index has, where the database would else choose one without knowing rows."""

    def hex(self, text: Words) -> Words:
        """The bytes of a text in lower hex digits."""


def is_canonical(column: Words) -> bool:
    """Whether an expression is a value of any kind, and no native one."""
    return isinstance(column.type, Canonical | JSON)


_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def lower(text: str) -> str:
    """The text with its ASCII letters in lower case, and no others."""
    return text.translate(_LOWER)
