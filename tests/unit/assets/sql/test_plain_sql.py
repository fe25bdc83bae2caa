"""A filter on an application's own table is true of the rows that it is true of here."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from policy_service.assets.sql.plain_sql import narrow, write
from policy_service.model import Entity, Uid
from policy_service.policy.residual.filter import (
    Below,
    Each,
    Field,
    Filter,
    Opaque,
    Sum,
    all_of,
    any_of,
    bound,
    constant,
    find_opaque,
    none_of,
)
from policy_service.policy.residual.filter import Test as Compare
from policy_service.policy.residual.rows import matches

ENV, LEVEL = Field(("attribute", "env"), "text"), Field(("attribute", "level"), "long")
ON = Field(("attribute", "on"), "bool")
IS_ON = Compare("eq", ON, constant(True))
TAG = Field(("tag", "a.b"), "text")
AWKWARD = ["prod", "Prod", "a%b", "a_b", "a*b", "", "5", "true", "'\"; --", ":p_1", "é"]
ROWS: list[dict[str, Any]] = [
    {"env": env, "level": level, "on": on}
    for env, level, on in itertools.product([*AWKWARD, None], [None, -1, 0, 5, 2**63 - 1], [None, False, True])
]
FILTERS: list[Filter] = [
    *(Compare("eq", ENV, constant(text_)) for text_ in AWKWARD),
    *(
        Compare("like", ENV, pattern)
        for pattern in (("a%", None), ("a_b",), (None, "*", None), ("a*",), (None,), ("",))
    ),
    Compare("in", ENV, tuple(map(constant, AWKWARD[:3]))),
    Compare("has", Field(("attribute", "env"), "any")),
    *(Compare(op, LEVEL, constant(0)) for op in ("lt", "le", "gt", "ge", "eq")),
    Compare("gt", Sum("add", LEVEL, constant(1)), constant(0)),
    IS_ON,
    none_of(IS_ON),
    any_of(all_of(Compare("eq", ENV, constant("prod")), none_of(Compare("lt", LEVEL, constant(5)))), none_of(IS_ON)),
    all_of(),
    any_of(),
]


def test_it_means_the_same() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text('CREATE TABLE thing (number INTEGER, env TEXT, level INTEGER, "on" BOOLEAN)'))
        connection.execute(
            text("INSERT INTO thing VALUES (:number, :env, :level, :on)"),
            [{"number": number, **row} for number, row in enumerate(ROWS)],
        )
        for filter_ in FILTERS:
            sql, parameters = write(narrow(filter_), "sqlite")
            found = connection.scalars(text(f"SELECT number FROM thing WHERE {sql}").bindparams(**parameters))
            held = [number for number, row in enumerate(ROWS) if matches(filter_, _entity(row))]
            assert sorted(found) == held, filter_
    engine.dispose()


def _entity(row: dict[str, Any]) -> Entity:
    return Entity(Uid("thing", "1"), {name: value for name, value in row.items() if value is not None})


def test_it_can_be_put_into_a_statement_of_postgresql() -> None:
    for filter_ in FILTERS:
        sql, parameters = write(narrow(filter_), "postgresql")
        # a cast by colons would be taken for a parameter
        assert "::" not in sql
        assert set(text(sql)._bindparams) == set(parameters)


def test_a_name_can_be_no_part_of_a_statement() -> None:
    quoted = write(Compare("eq", TAG, constant("x")), "postgresql").text
    assert quoted == '("tag.a.b" = :allowed_1)'
    assert write(Compare("eq", TAG, constant("x")), "sqlite").text == "([tag.a.b] = :allowed_1)"
    for name in ('x" OR 1=1 --', "x] OR 1=1 --", "a:b", "a b", "", "é", "a\\", "a" * 64, "rowid", "XMIN"):
        assert isinstance(narrow(Compare("eq", Field(("attribute", name), "text"), constant("x"))), Opaque)


def test_a_column_that_is_not_there_is_an_error() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (number INTEGER)"))
        for path in (("attribute", "env"), ("attribute", "openTo"), ("tag", "open")):
            sql, _ = write(narrow(Compare("has", Field(path, "any"))), "sqlite")
            with pytest.raises(OperationalError, match="no such column"):
                connection.execute(text(f"SELECT number FROM thing WHERE {sql}"))
    engine.dispose()


@pytest.mark.parametrize(
    "leaf",
    [
        Below((Uid("team", "x"),)),
        Each("any", Field(("attribute", "s"), "set"), (constant("x"),)),
        Compare("eq", Field(("attribute", "a", "b"), "text"), constant("x")),
        Compare("eq", Field(("attribute", "d"), "any"), constant({"x": 1})),
        all_of(Compare("eq", ENV, constant("1")), Compare("eq", Field(("attribute", "env"), "long"), constant(1))),
        # the columns of two
        Compare("eq", Field(("attribute", "id"), "text"), constant("x")),
        Compare("eq", Field(("attribute", "Type"), "text"), constant("x")),
        Compare("eq", Field(("attribute", "tag.env"), "text"), constant("x")),
        all_of(Compare("eq", ENV, constant("1")), Compare("eq", Field(("attribute", "Env"), "text"), constant("1"))),
        Compare("eq", Field(("tag", "Env"), "text"), Field(("tag", "env"), "text")),
    ],
)
def test_what_a_plain_column_can_t_say_is_opaque(leaf: Filter) -> None:
    narrowed = narrow(all_of(IS_ON, leaf))
    assert list(find_opaque(narrowed))
    assert write(bound(narrowed, upper=False), "sqlite").text in ("(0 = 1)", "(false)")
    assert write(bound(narrowed, upper=True), "postgresql").text == '("on" = :allowed_1)'
