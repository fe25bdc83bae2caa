"""A filter as a condition of SQL on the rows of a table, or of an alias of it.

What holds in both databases is here, their own words are in `sqlite` and `postgresql`. A column is NULL
where the row has nothing, or nothing of that kind, and a condition that is NULL drops the row. Nothing is put around
a condition that an index could serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import BigInteger, Boolean, Exists, Select, Text, and_, exists, false, literal, not_, or_, select, true

from policy_service.assets.elements import ancestor_name, write_element
from policy_service.assets.sql import sets
from policy_service.assets.sql.cells import ENDS, Cells
from policy_service.assets.sql.columns import Other
from policy_service.assets.sql.databases import Condition, Words, is_canonical
from policy_service.model import Uid
from policy_service.policy.names import ESCAPE, cedar_type, request_type
from policy_service.policy.residual.filter import (
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Leaf,
    Sum,
    Term,
    Test,
    find_fields,
    fold,
)
from policy_service.policy.residual.operators import BELOW, SETS, SUMS, TESTS
from policy_service.policy.stored_values import encode_name
from policy_service.store.tables import BlindRow, ElementRow

# SQLite takes expressions 1,000 levels deep, and a chain of n terms has n
_CHAIN = 200
# conditions kept for the next time, some 10 KB each; one of more values, longer ones or longer names is made each time
_KEPT, _VALUES, _LENGTH = 4_096, 16, 500

_PATTERNS = frozenset({"like", "starts", "holds"})
_EQUAL = frozenset({"eq", "in"})
_NATIVE = frozenset({"text", "long", "bool", "decimal", "entity"})
_TYPES: Mapping[type, Any] = {str: Text(), int: BigInteger(), bool: Boolean()}
ID_LENGTH = 36

# the digests of a value of a restricted property, by each version of the key
Digest = Callable[[str, str], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in a statement, of which filters are conditions: the `Dialect` of the operators of filters.

    A filter has been through `sayable`, and nothing in it is opaque.
    """

    cells: Cells
    digest: Digest

    def where(self, filter_: Filter) -> Condition:
        """The rows that the filter is true of."""
        return fold(filter_, self._leaf, _every, _some, _no)

    def _leaf(self, leaf: Leaf) -> Condition:
        if isinstance(leaf, End):
            return self._end(Other(leaf.side), leaf.part)
        fields = tuple(find_fields(leaf))
        if any(map(self.cells.shape.is_sealed, fields)) or not _is_short(leaf):
            return self.make(leaf)
        return _keep(replace(self.cells, shape=self.cells.shape.narrow(fields)), leaf)

    def make(self, leaf: Leaf) -> Condition:
        """A condition that was not made before; of what is at an end of a relationship there is none."""
        match leaf:
            case Test("has", Field() as field):
                return self.cells.has(field)
            case Test("has", term):
                return self._term(term).is_not(None)
            case Test(op, left, right):
                return self._test(op, left, right)
            case Each(op, field, other):
                return cast(Condition, SETS[op].sql(self, field, other))
            case Below(uids):
                return cast(Condition, BELOW.sql(self, None, uids))
        raise ValueError(f"what is opaque is no condition of SQL: {leaf}")

    def _test(self, op: str, left: Term, right: Any) -> Condition:
        operator = TESTS[op].sql
        if op in _PATTERNS:
            held = right if op == "like" else right.value
            return cast(Condition, operator(self, self._term(left), held))
        if isinstance(left, Field) and (isinstance(right, Constant) or op == "in"):
            if self.cells.shape.is_sealed(left):
                return self._sealed(left, right if op == "in" else (right,))
            if op in _EQUAL:
                return self._equal(op, left, right)
        return cast(Condition, operator(self, self._term(left), right if op == "in" else self._term(right)))

    def _equal(self, op: str, left: Field, right: Any) -> Condition:
        column = self.cells.read_indexed(left, right if op == "in" else (right,))
        bound = right if op == "in" else self._bind(right)
        if column is None:
            # no guard of a kind: one canonical value is another where all of it is
            column = self.cells.read_canonical(Field(left.path, "any"))
            bound = right if op == "in" else self.cells.database.bind(right.text)
        return cast(Condition, TESTS[op].sql(self, column, bound))

    def _term(self, term: Term) -> Words:
        match term:
            case Constant():
                return self._bind(term)
            case Sum(op, left, right):
                return cast(Words, SUMS[op].sql(self, self._term(left), self._term(right)))
        return self.cells.read(term)

    def _bind(self, constant: Constant) -> Words:
        value = read_native(constant)
        if value is None:
            return self.cells.database.bind(constant.text)
        return literal(value, _TYPES[type(value)])

    def _sealed(self, field: Field, values: Sequence[Constant]) -> Condition:
        """A restricted property is one of these, by its digest; rows of another day may have it where all can see."""
        sealed = self.cells.table.id.in_(self.select_sealed(field, values))
        if not self.cells.shape.find_kinds(field.path):
            return cast(Condition, sealed)
        plain = self.cells.read_canonical(Field(field.path, "any"))
        return or_(self.among(plain, values), sealed)

    def select_sealed(self, field: Field, values: Sequence[Constant]) -> Select[Any]:
        """A statement for the ids of those whose restricted property is one of these, by its digest."""
        name = self.cells.locate_property(field)
        digests = [digest for value in values for digest in self.digest(name, value.text)]
        mine = BlindRow.account_id == self.cells.account, BlindRow.name == encode_name(name)
        return select(BlindRow.id).where(*mine, BlindRow.digest.in_(digests))

    def _end(self, other: Other, part: Filter) -> Condition:
        """The entity at an end is stored, and the filter is true of it."""
        assert self.cells.shape.ends is not None, "only relationships have ends"  # noqa: S101
        entity = ENDS
        database, account = self.cells.database, self.cells.account
        type_, id_ = self.cells.end(other)
        there = entity.account_id == account, entity.id == id_, entity.deleted.is_(False)
        # the type is Cedar's here, and as requests name it there
        same = or_(type_ == entity.type, type_ == literal(ESCAPE, Text()) + database.hex(entity.type))
        rows = Rows(Cells(database, account, self.cells.shape.ends, entity, led=True), self.digest)
        return exists().where(*there, same, rows.where(part)).correlate(self.cells.table)

    def among(self, column: Words, values: Sequence[Constant]) -> Condition:
        """The column is one of these."""
        if is_canonical(column):
            return self.cells.database.among(column, [value.text for value in values])
        return self.cells.database.among(column, [read_native(value) for value in values])

    def like(self, column: Words, pattern: tuple[str | None, ...]) -> Condition:
        """The text is made of these parts; `None` stands for any text."""
        return self.cells.database.like(column, pattern)

    def starts(self, column: Words, text: str) -> Condition:
        """The text begins with this one, whatever the case of ASCII letters."""
        return self.cells.database.starts(column, text)

    def holds(self, column: Words, text: str) -> Condition:
        """The text has this one in it, whatever the case of ASCII letters."""
        return self.cells.database.holds(column, text)

    def any_element(self, field: Field, values: tuple[Constant, ...]) -> Condition:
        """Some element of the set is one of these."""
        return sets.any_element(self.cells, field, values)

    def all_elements(self, field: Field, values: tuple[Constant, ...]) -> Condition:
        """Every one of these is an element of the set."""
        return sets.all_elements(self.cells, field, values)

    def only_elements(self, field: Field, values: tuple[Constant, ...]) -> Condition:
        """The field is a set, and every element is one of these."""
        return sets.only_elements(self.cells, field, values)

    def has_element(self, field: Field, other: Field) -> Condition:
        """The value of the other field is an element of the set."""
        return sets.has_element(self.cells, field, other)

    def shares_element(self, field: Field, other: Field) -> Condition:
        """Both are sets, and some element of the one is one of the other."""
        return sets.shares_element(self.cells, field, other)

    def has_elements(self, field: Field, other: Field) -> Condition:
        """Both are sets, and every element of the other is one of the set."""
        return sets.has_elements(self.cells, field, other)

    def below(self, uids: Sequence[Uid]) -> Condition:
        """The row is one of these or has one of them as an ancestor."""
        table, shape, database = self.cells.table, self.cells.shape, self.cells.database
        same = [and_(table.type == type_, database.among(table.id, ids)) for type_, ids in group_ids(uids).items()]
        if shape.kind == "relationship":
            return or_(false(), *same)
        values: Any = ElementRow.value
        above = database.among(values, list(map(write_element, uids)))
        return or_(self.cells.has_element(ancestor_name(shape.generation), above), *same)

    def total(self, op: str, left: Words, right: Words) -> Words:
        """`+`, `-` or `*` of two Longs, NULL where 64 bits don't hold it."""
        return self.cells.database.total(op, left, right)


@lru_cache(_KEPT)
def _keep(cells: Cells, leaf: Leaf) -> Condition:
    """To make a condition takes longer than to look it up: the same of policies are in all that someone asks.

    It goes by nothing but these: of what is sealed, by keys that change, nothing is kept.
    """
    return Rows(cells, _refuse_digest).make(leaf)


def _refuse_digest(name: str, _text: str) -> Sequence[bytes]:
    raise ValueError(f"a condition on `{name}`, which is sealed, is not to be kept")


def _is_short(leaf: Leaf) -> bool:
    match leaf:
        case Test(_, left, right):
            parts: Sequence[object] = (left, *right) if isinstance(right, tuple) else (left, right)
        case Each(_, field, other):
            parts = (field, *other) if isinstance(other, tuple) else (field, other)
        case Below(parts):
            pass
        case _:
            return True
    return len(parts) <= _VALUES and sum(map(_measure, parts)) <= _LENGTH


def _measure(part: object) -> int:
    match part:
        case Constant(_, text) | str(text):
            return len(text)
        case Field(path):
            return sum(map(len, path))
        case Uid(type_, id_):
            return len(type_) + len(id_)
        case Sum(_, left, right):
            return _measure(left) + _measure(right)
    return 0


def read_native(constant: Constant) -> Any:
    """A constant as a native column has it, none where it is canonical."""
    value = constant.value if constant.kind in _NATIVE else None
    if isinstance(value, Decimal):
        return int(value.scaleb(4))
    return f'{value.type}::"{value.id}"' if isinstance(value, Uid) else value


def group_ids(uids: Sequence[Uid]) -> dict[str, list[str]]:
    """The ids of those that a row could be, by its type as a request names it: every id in a store is a UUID."""
    found: dict[str, list[str]] = {}
    for uid in uids:
        if len(uid.id) == ID_LENGTH and uid.id.isascii() and uid.id.isprintable():
            type_ = _read_type(uid.type)
            if type_ is not None:
                found.setdefault(type_, []).append(uid.id)
    return found


def _read_type(cedar: str) -> str | None:
    try:
        type_ = request_type(cedar)
    except ValueError:
        return None
    return type_ if type_.isprintable() and cedar_type(type_) == cedar else None


def _every(parts: Sequence[Condition]) -> Condition:
    return _chain(parts, lambda some: and_(true(), *some), "AND")


def _some(parts: Sequence[Condition]) -> Condition:
    return _chain(parts, lambda some: or_(false(), *some), "OR")


def _no(part: Condition) -> Condition:
    # what is never NULL can be a join that finds nothing
    return not_(part) if isinstance(part, Exists) else part.is_not(true())


def _chain(parts: Sequence[Condition], join: Callable[[Sequence[Condition]], Condition], word: str) -> Condition:
    """All parts, in brackets where they are many: else they would be one long chain."""
    if len(parts) <= _CHAIN:
        return join(parts)
    middle = len(parts) // 2
    left, right = (_chain(half, join, word).self_group() for half in (parts[:middle], parts[middle:]))
    return left.op(word, is_comparison=True)(right)
