"""Filters as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policy_service.model import Uid
from policy_service.policy.residual.filter import (
    EVERY,
    Below,
    Each,
    End,
    Field,
    Filter,
    Opaque,
    Sum,
    all_of,
    any_of,
    constant,
    none_of,
)
from policy_service.policy.residual.filter import Test as Compare
from policy_service.policy.residual.ucast import to_tree, to_ucast

ENV, SIZE = Field(("attribute", "env"), "text"), Field(("attribute", "size"), "long")
TAGS, ID = Field(("attribute", "tags"), "set"), Field(("id",), "text")
PROD = Compare("eq", ENV, constant("prod"))


def field(operator: str, name: str, value: Any) -> dict[str, Any]:
    return {"type": "field", "operator": operator, "field": name, "value": value}


def document(operator: str, value: Any) -> dict[str, Any]:
    return {"type": "document", "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (EVERY, {"type": "compound", "operator": "and", "value": []}),
        (PROD, field("eq", "properties.env", "prod")),
        (Compare("has", ENV), field("exists", "properties.env", True)),
        (Compare("le", SIZE, constant(1)), field("lte", "properties.size", 1)),
        (Compare("eq", ID, constant("x")), field("eq", "id", "x")),
        (Compare("eq", Field(("tag", "a.b\\"), "any"), constant(1)), field("eq", "tags.a\\.b\\\\", 1)),
        (
            Compare("eq", Field(("attribute", "r", "m"), "any"), SIZE),
            field("eq", "properties.r.m", {"field": "properties.size"}),
        ),
        (Compare("in", ENV, (constant("a"), constant("b"))), field("in", "properties.env", ["a", "b"])),
        (Compare("like", ENV, ("a*", None)), field("like", "properties.env", "a\\**")),
        (Compare("eq", SIZE, constant({"__number": "1e30"})), field("eq", "properties.size", Decimal("1e30"))),
        (
            Each("any", TAGS, (constant(Uid("Escaped_61", "x")),)),
            field("some", "properties.tags", [{"type": "a", "id": "x"}]),
        ),
        (Each("covers", TAGS, TAGS), field("covers", "properties.tags", {"field": "properties.tags"})),
        (
            Compare("lt", Sum("add", SIZE, constant(1)), constant(5)),
            document("lt", [{"add": [{"field": "properties.size"}, 1]}, 5]),
        ),
        (
            Compare("has", Sum("add", SIZE, constant(1))),
            document("exists", [{"add": [{"field": "properties.size"}, 1]}]),
        ),
        (Below((Uid("Folder", "f"),)), document("below", [{"type": "Folder", "id": "f"}])),
        (End("to", PROD), document("to", field("eq", "properties.env", "prod"))),
        (Opaque("it is", "p", "x like y"), document("opaque", {"why": "it is", "policy": "p", "source": "x like y"})),
        (
            any_of(PROD, none_of(Compare("has", SIZE))),
            {
                "type": "compound",
                "operator": "or",
                "value": [
                    field("eq", "properties.env", "prod"),
                    {"type": "compound", "operator": "not", "value": [field("exists", "properties.size", True)]},
                ],
            },
        ),
    ],
    ids=str,
)
def test_ucast(filter_: Filter, expected: dict[str, Any]) -> None:
    assert to_ucast(filter_) == expected


def test_the_tree() -> None:
    env = {"field": ["properties", "env"], "kind": "text"}
    size = {"field": ["properties", "size"], "kind": "long"}
    tags = {"field": ["properties", "tags"], "kind": "set"}
    filter_ = all_of(
        any_of(PROD, Compare("has", ENV), Compare("like", ENV, ("a", None))),
        none_of(Compare("lt", Sum("mul", SIZE, constant(2)), constant(5))),
        Each("within", TAGS, (constant([1]),)),
        Below((Uid("Folder", "f"),)),
        End("from", EVERY),
        Opaque("it is", "p"),
    )
    assert to_tree(filter_) == {
        "op": "and",
        "parts": [
            {
                "op": "or",
                "parts": [
                    {"op": "eq", "left": env, "right": {"value": "prod", "kind": "text"}},
                    {"op": "has", "left": env},
                    {"op": "like", "left": env, "pattern": ["a", None]},
                ],
            },
            {
                "op": "not",
                "parts": [
                    {
                        "op": "lt",
                        "left": {"op": "mul", "left": size, "right": {"value": 2, "kind": "long"}},
                        "right": {"value": 5, "kind": "long"},
                    }
                ],
            },
            {"op": "elements within", "left": tags, "right": [{"value": [1], "kind": "set"}]},
            {"op": "below", "entities": [{"type": "Folder", "id": "f"}]},
            {"op": "end", "side": "from", "part": {"op": "and", "parts": []}},
            {"op": "opaque", "why": "it is", "policy": "p"},
        ],
    }
