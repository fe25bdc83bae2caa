"""The operators of filters, each in one row: what it is of a row in Python, in SQL, by its UCAST name, and in words.

In Python a test holds two values of one kind, and an operator on sets the canonical texts of elements. In SQL both
sides of a test are columns or binds of one form, which is that of the left term's kind: `text`, `long` and `bool` are
native, a `decimal` is its ten-thousandths, all else (`any`, `number`, `set`, `record`, `entity`) is canonical text as
`Constant.text` has it; a bind is made by whoever is asked for columns. A column is NULL where there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from policy_service.model import Uid
from policy_service.policy.extensions import LARGEST, SMALLEST
from policy_service.policy.like import is_like
from policy_service.policy.residual.filter import Constant, Field


class Dialect(Protocol):
    """What SQL says otherwise on each database; `column` is an expression, and so is each answer."""

    def among(self, column: Any, values: tuple[Constant, ...]) -> Any:
        """The column is one of these, which are of its form."""

    def like(self, column: Any, pattern: tuple[str | None, ...]) -> Any:
        """The text is made of these parts, byte for byte; `None` stands for any text."""

    def starts(self, column: Any, text: Any) -> Any:
        """The text begins with this one, whatever the case of ASCII letters."""

    def holds(self, column: Any, text: Any) -> Any:
        """The text has this one in it, whatever the case of ASCII letters."""

    def any_element(self, field: Field, values: tuple[Constant, ...]) -> Any:
        """Some element of the set is one of these."""

    def all_elements(self, field: Field, values: tuple[Constant, ...]) -> Any:
        """Every one of these is an element of the set."""

    def only_elements(self, field: Field, values: tuple[Constant, ...]) -> Any:
        """The field is a set, and every element is one of these."""

    def has_element(self, field: Field, other: Field) -> Any:
        """The value of the other field, of any kind, is an element of the set."""

    def shares_element(self, field: Field, other: Field) -> Any:
        """Both are sets, and some element of the one is one of the other."""

    def has_elements(self, field: Field, other: Field) -> Any:
        """Both are sets, and every element of the other is one of the set."""

    def below(self, uids: tuple[Uid, ...]) -> Any:
        """The row is one of these or has one of them as an ancestor."""

    def total(self, op: str, left: Any, right: Any) -> Any:
        """`+`, `-` or `*` of two Longs, NULL where 64 bits don't hold it."""


class Operator(NamedTuple):
    """One operator; `words` has places for both sides."""

    row: Callable[[Any, Any], Any]
    sql: Callable[[Dialect, Any, Any], Any]
    ucast: str
    words: str


TESTS: Mapping[str, Operator] = {
    "has": Operator(lambda _v, _: True, lambda _d, c, _: c.is_not(None), "exists", "{} is there"),
    "eq": Operator(lambda v, w: v == w, lambda _d, c, w: c == w, "eq", "{} = {}"),
    "lt": Operator(lambda v, w: v < w, lambda _d, c, w: c < w, "lt", "{} < {}"),
    "le": Operator(lambda v, w: v <= w, lambda _d, c, w: c <= w, "lte", "{} <= {}"),
    "gt": Operator(lambda v, w: v > w, lambda _d, c, w: c > w, "gt", "{} > {}"),
    "ge": Operator(lambda v, w: v >= w, lambda _d, c, w: c >= w, "gte", "{} >= {}"),
    "in": Operator(lambda v, w: v in w, lambda d, c, w: d.among(c, w), "in", "{} is one of {}"),
    "like": Operator(lambda v, w: is_like(v, w), lambda d, c, w: d.like(c, w), "like", "{} is like {}"),
    "starts": Operator(
        lambda v, w: _fold(v).startswith(_fold(w)), lambda d, c, w: d.starts(c, w), "starts", "{} starts with {}"
    ),
    "holds": Operator(lambda v, w: _fold(w) in _fold(v), lambda d, c, w: d.holds(c, w), "holds", "{} contains {}"),
}

# a field that is no set has no elements that anything is true of
SETS: Mapping[str, Operator] = {
    "any": Operator(
        lambda s, w: not s.isdisjoint(w), lambda d, f, w: d.any_element(f, w), "some", "some of {} is one of {}"
    ),
    "all": Operator(lambda s, w: s >= w, lambda d, f, w: d.all_elements(f, w), "all", "{} contains all of {}"),
    "within": Operator(lambda s, w: s <= w, lambda d, f, w: d.only_elements(f, w), "within", "all of {} are among {}"),
    "has": Operator(lambda s, v: v in s, lambda d, f, g: d.has_element(f, g), "has", "{} contains {}"),
    "meets": Operator(
        lambda s, t: not s.isdisjoint(t),
        lambda d, f, g: d.shares_element(f, g),
        "meets",
        "{} shares an element with {}",
    ),
    "covers": Operator(lambda s, t: s >= t, lambda d, f, g: d.has_elements(f, g), "covers", "{} contains all of {}"),
}

SUMS: Mapping[str, Operator] = {
    "add": Operator(lambda v, w: _fit(v + w), lambda d, c, w: d.total("+", c, w), "add", "({} + {})"),
    "sub": Operator(lambda v, w: _fit(v - w), lambda d, c, w: d.total("-", c, w), "sub", "({} - {})"),
    "mul": Operator(lambda v, w: _fit(v * w), lambda d, c, w: d.total("*", c, w), "mul", "({} * {})"),
}

BELOW = Operator(
    lambda uids, wanted: not uids.isdisjoint(wanted), lambda d, _, w: d.below(w), "below", "{} is or is in {}"
)

_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def _fold(text: str) -> str:
    return text.translate(_LOWER)


def _fit(number: int) -> int | None:
    return number if SMALLEST <= number <= LARGEST else None
