"""What a filter is of one row."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policy_service.model import Entity, Uid, Value
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Below,
    Each,
    End,
    Field,
    Filter,
    Kind,
    Opaque,
    Sum,
    constant,
    none_of,
)
from policy_service.policy.residual.filter import Test as Compare
from policy_service.policy.residual.rows import OpaqueFilter, Row, matches

BOB, TEAM = Uid("user", "bob"), Uid("Team", "red")
HOST = Entity(
    Uid("Escaped_776520697264", "h1"),
    {
        "env": "prod",
        "n": 3,
        "big": 2**63 - 1,
        "yes": True,
        "cost": Decimal("1.5"),
        "huge": {"__number": "1e30"},
        "tags": ["a", 1],
        "few": ["a"],
        "none": [],
        "spec": {"lo": 1, "r": {"x": "y"}},
        "owner": [BOB],
        "two": "a",
    },
    frozenset([TEAM]),
    {"k": "v"},
)


def at(name: str, kind: Kind = "any", *members: str) -> Field:
    return Field(("attribute", name, *members), kind)


def c(value: Value) -> object:
    return constant(value)


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (EVERY, True),
        (NONE, False),
        (Compare("has", at("env")), True),
        (Compare("has", at("env", "text")), True),
        (Compare("has", at("env", "long")), False),
        (Compare("has", at("nothing")), False),
        (Compare("has", at("spec", "any", "lo")), True),
        (Compare("has", at("env", "any", "lo")), False),
        (Compare("has", at("huge", "record")), False),
        (Compare("has", at("huge", "number")), True),
        (Compare("has", Field(("tag", "k"), "text")), True),
        (Compare("eq", Field(("id",), "text"), c("h1")), True),
        (Compare("eq", Field(("type",), "text"), c("we ird")), True),
        (Compare("eq", at("env", "text"), c("prod")), True),
        (Compare("eq", at("n", "long"), c(3)), True),
        (Compare("eq", at("yes", "bool"), c(True)), True),
        (Compare("eq", at("yes", "long"), c(1)), False),
        (Compare("eq", at("cost", "decimal"), c(Decimal("1.5"))), True),
        (Compare("eq", at("huge", "number"), c({"__number": "1e30"})), True),
        (Compare("eq", at("none", "set"), c([])), True),
        (Compare("eq", at("spec", "record"), c({"r": {"x": "y"}, "lo": 1})), True),
        (Compare("eq", at("env"), at("two")), False),
        (Compare("eq", at("nothing"), at("nothing")), False),
        (Compare("in", at("n"), (c("prod"), c(3))), True),
        (Compare("in", at("yes"), (c(1),)), False),
        (Compare("in", at("n", "long"), ()), False),
        (Compare("lt", at("n", "long"), c(4)), True),
        (Compare("le", at("n", "long"), c(3)), True),
        (Compare("gt", at("n", "long"), c(3)), False),
        (Compare("ge", at("cost", "decimal"), c(Decimal("1.5"))), True),
        (Compare("lt", Sum("add", at("n", "long"), c(1)), c(5)), True),
        (Compare("has", Sum("add", at("big", "long"), c(1))), False),
        (Compare("has", Sum("mul", at("n", "long"), at("env", "long"))), False),
        (Compare("eq", Sum("sub", c(0), at("n", "long")), c(-3)), True),
        (Compare("like", at("env", "text"), ("p", None, "d")), True),
        (Compare("like", at("n", "text"), (None,)), False),
        (Compare("starts", at("env", "text"), c("PR")), True),
        (Compare("holds", at("env", "text"), c("RO")), True),
        (Compare("holds", at("env", "text"), c("ö")), False),
        (Each("any", at("tags", "set"), (c("a"), c("z"))), True),
        (Each("any", at("tags", "set"), (c("1"),)), False),
        (Each("all", at("tags", "set"), (c("a"), c(1))), True),
        (Each("all", at("env", "set"), ()), False),
        (Each("within", at("tags", "set"), (c("a"),)), False),
        (Each("within", at("none", "set"), ()), True),
        (Each("within", at("env", "set"), ()), False),
        (Each("has", at("tags", "set"), at("two")), True),
        (Each("has", at("tags", "set"), at("nothing")), False),
        (Each("meets", at("tags", "set"), at("few", "set")), True),
        (Each("meets", at("tags", "set"), at("none", "set")), False),
        (Each("covers", at("tags", "set"), at("few", "set")), True),
        (Each("covers", at("few", "set"), at("tags", "set")), False),
        (Each("covers", at("tags", "set"), at("env", "set")), False),
        (Each("any", at("owner", "set"), (c(BOB),)), True),
        (Below((TEAM,)), True),
        (Below((HOST.uid,)), True),
        (Below((BOB,)), False),
        (End("to", EVERY), False),
    ],
    ids=str,
)
def test_each_operator(filter_: Filter, expected: bool) -> None:
    assert matches(filter_, HOST) is expected
    assert matches(none_of(filter_), HOST) is not expected


def test_what_only_the_store_knows_comes_beside_the_entity() -> None:
    row = Row(HOST, {("system", "_version"): 2, ("from",): BOB}, {"to": Entity(TEAM, {"env": "dev"})})
    assert matches(Compare("gt", Field(("system", "_version"), "long"), constant(1)), row)
    assert matches(Compare("eq", Field(("from",), "entity"), constant(BOB)), row)
    assert matches(End("to", Compare("eq", at("env", "text"), constant("dev"))), row)
    assert not matches(End("from", EVERY), row)


def test_what_is_opaque_can_not_be_told() -> None:
    with pytest.raises(OpaqueFilter, match="a reason"):
        matches(Opaque("a reason"), HOST)
