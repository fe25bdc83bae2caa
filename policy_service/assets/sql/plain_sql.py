"""A filter as the text of a condition on an application's own table, which has a column for each attribute.

The columns are `"id"`, `"type"`, `"<attribute>"`, `"tag.<name>"`, typed as the attributes are and NULL where a row has
none. What a plain column can't hold (sets, members of records, ancestors) can't be said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from sqlalchemy import BigInteger, Boolean, Text, and_, column, false, literal, or_, quoted_name, true
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from policy_service.assets.sql.conditions import read_native
from policy_service.assets.sql.databases import Condition, Database, Words
from policy_service.assets.sql.postgresql import Postgresql
from policy_service.assets.sql.sqlite import Sqlite
from policy_service.policy.residual.filter import (
    All,
    Constant,
    Field,
    Filter,
    Leaf,
    Not,
    Opaque,
    Some,
    Sum,
    Term,
    Test,
    find_fields,
    fold,
)
from policy_service.policy.residual.operators import SUMS, TESTS

Dialect: TypeAlias = Literal["postgresql", "sqlite"]


class _Sqlite(SQLiteDialect):
    """What is in double quotes and no column SQLite takes for a text, which is always there; in brackets it is an
    error."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        preparer: Any = self.identifier_preparer
        preparer.initial_quote, preparer.final_quote = "[", "]"


_SQLITE: Any = _Sqlite
_POSTGRESQL: Any = PGDialect_psycopg2  # which casts no parameter by `::`, in which some would see another one
_DIALECTS: Mapping[str, tuple[Database, Any]] = {
    "postgresql": (Postgresql(), _POSTGRESQL(paramstyle="named")),
    "sqlite": (Sqlite(), _SQLITE(paramstyle="named")),
}
DIALECTS: tuple[Dialect, ...] = ("postgresql", "sqlite")
_TYPES: Mapping[str, Any] = {"text": Text(), "long": BigInteger(), "bool": Boolean()}
_UNSAID = "a plain column holds a text, a whole number or a boolean"
_MIXED = "a column has one type, and policies compare it with values of two"
_SHARED = "its column would be that of another attribute: they differ in case alone"
_PARAMETER = re.compile(r":(\w+)", re.ASCII)
# what a name of a column may be, so that no statement it is put into reads it as anything else
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
# PostgreSQL cuts off what is longer, and columns that every table has, whatever its own are, are no attributes
_LENGTH = 63
# columns of something else
_TAG, _OWN = "tag.", frozenset({"id", "type"})
_ALWAYS = frozenset({"rowid", "oid", "_rowid_", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


class Statement(NamedTuple):
    """The text of a condition, and its parameters by their names (`:allowed_1` in the text)."""

    text: str
    parameters: Mapping[str, Any]


def narrow(filter_: Filter) -> Filter:
    """The filter, true of the same rows, in which all that plain columns can't say is opaque."""
    kinds: dict[str, set[str]] = {}
    # what is in a record is in no column
    for field in (field for field in find_fields(filter_) if len(field.path) < 3):
        kinds.setdefault(_name(field.path), set()).add(field.kind)
    mixed = frozenset(name for name, held in kinds.items() if len(held - {"any"}) > 1)
    written = Counter(name.lower() for name in kinds)
    shared = frozenset(name for name in kinds if written[name.lower()] > 1)
    return fold(
        filter_, lambda leaf: _narrow(leaf, mixed, shared), lambda all_: All((*all_,)), lambda some: Some((*some,)), Not
    )


def _narrow(leaf: Leaf, mixed: frozenset[str], shared: frozenset[str]) -> Filter:
    if isinstance(leaf, Opaque):
        return leaf
    if not isinstance(leaf, Test) or not _is_plain(leaf.left) or not _is_plain_side(leaf.right):
        return Opaque(_UNSAID)
    # two columns of two types a database may take for one
    fields = list(find_fields(leaf))
    if any(_name(field.path) in mixed or (field.kind == "any" and leaf.op != "has") for field in fields):
        return Opaque(_MIXED)
    # SQLite takes no account of case, and neither do many who make tables
    if any(_name(field.path) in shared for field in fields):
        return Opaque(_SHARED)
    return leaf


def _is_plain(term: object) -> bool:
    match term:
        case Field((("id" | "type"),), kind):
            return kind == "text"
        case Field((("attribute" | "tag") as root, name) as path, kind):
            is_free = root == "tag" or not (name.lower() in _OWN or name.lower().startswith(_TAG))
            return kind in (*_TYPES, "any") and name != "" and is_free and _is_column(_name(path))
        case Constant(kind):
            return kind in _TYPES
        case Sum(_, left, right):
            return _is_plain(left) and _is_plain(right)
    return False


def _is_column(name: str) -> bool:
    return _NAME.issuperset(name) and len(name) <= _LENGTH and name.lower() not in _ALWAYS


def _name(path: tuple[str, ...]) -> str:
    return _TAG + path[-1] if path[0] == "tag" else path[-1]


def _is_plain_side(right: object) -> bool:
    if isinstance(right, tuple):
        return all(part is None or isinstance(part, str) or _is_plain(part) for part in right)
    return right is None or _is_plain(right)


def write(filter_: Filter, dialect: Dialect) -> Statement:
    """The condition of a filter that was narrowed and holds nothing opaque."""
    database, made = _DIALECTS[dialect]
    condition: Condition = fold(
        filter_, lambda leaf: _say(leaf, database), _every, _some, lambda part: part.is_not(true())
    )
    compiled = condition.compile(dialect=made, compile_kwargs={"render_postcompile": True})
    # names that no statement has which this becomes a part of; a colon begins nothing else here
    names = {name: f"allowed_{number}" for number, name in enumerate(compiled.params, 1)}
    text = _PARAMETER.sub(lambda found: f":{names[found[1]]}", str(compiled))
    # in brackets, or an OR in it would be one of whatever it is joined to
    return Statement(f"({text})", {names[name]: value for name, value in compiled.params.items()})


def _every(parts: Sequence[Condition]) -> Condition:
    return and_(true(), *parts)


def _some(parts: Sequence[Condition]) -> Condition:
    return or_(false(), *parts)


def _say(leaf: Leaf, database: Database) -> Condition:
    if not isinstance(leaf, Test):
        raise ValueError(f"no condition on plain columns: {leaf}")
    left, right = _term(leaf.left, database), cast(Any, leaf.right)
    if leaf.op == "in":
        return left.in_([read_native(part) for part in right])
    if leaf.op in ("starts", "holds"):
        right = right.value
    elif right is not None and leaf.op != "like":
        right = _term(right, database)
    return cast(Condition, TESTS[leaf.op].sql(cast(Any, database), left, right))


def _term(term: Term, database: Database) -> Words:
    match term:
        case Field(path, kind):
            return column(quoted_name(_name(path), quote=True), _TYPES.get(kind))
        case Constant(kind):
            return literal(read_native(term), _TYPES[kind])
        case Sum(op, left, right):
            return cast(Words, SUMS[op].sql(cast(Any, database), _term(left, database), _term(right, database)))
