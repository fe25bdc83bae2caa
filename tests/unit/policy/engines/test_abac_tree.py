"""py-abac conditions as expressions: what is said in Cedar's operators, what in Python's, and what of rows can't be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policy_service.model import Extension, Uid
from policy_service.policy.engines.abac import evaluate
from policy_service.policy.evaluate import Failed, holds, world_of
from policy_service.policy.facts import Facts
from policy_service.policy.phrases import FAILING, FALSE, TRUE
from policy_service.policy.tree import (
    Binary,
    Call,
    Constant,
    Expression,
    Groups,
    Has,
    IdOf,
    If,
    Like,
    OfKind,
    Path,
    SetOf,
    TypeOf,
    Unary,
    Variable,
)
from tests.property.expression_runs import walk
from tests.unit.policy.engines.abac_facts import facts, load, policy

X = Path("principal", ("x",))


def cond(name: str, **members: Any) -> dict[str, Any]:
    return {"condition": name, **members}


def conditions(rules: Any, targets: Any = None) -> tuple[Expression, ...]:
    return load(policy(rules, targets))[0].rule.conditions


def texts(*values: str | int) -> SetOf:
    return SetOf(tuple(map(Constant, values)))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (cond("Eq", value=1), If(OfKind(X, ("long", "bool", "decimal")), Binary("alike", X, Constant(1)), FAILING)),
        (cond("Lt", value=1.5), Binary("before", X, Constant(Decimal("1.5")))),
        (cond("Gte", value=2), Unary("not", Binary("before", X, Constant(2)))),
        (cond("Gt", value=2), Binary("before", Constant(2), X)),
        (cond("Lte", value=2), Unary("not", Binary("before", Constant(2), X))),
        (cond("Equals", value="a*"), Like(X, ("a*",))),
        (cond("NotEquals", value="a"), Unary("not", Like(X, ("a",)))),
        (cond("Contains", value="a"), Like(X, (None, "a", None))),
        (cond("StartsWith", value="a"), Like(X, ("a", None))),
        (cond("EndsWith", value="a"), Like(X, (None, "a"))),
        (cond("EndsWith", value=""), Like(X, (None,))),
        (cond("Equals", value=""), Like(X, ("",))),
        (cond("IsIn", values=["a"]), Binary("eq", X, Constant("a"))),
        (cond("IsIn", values=["a", "b"]), Binary("contains", texts("a", "b"), X)),
        (cond("IsNotIn", values=[1, "a"]), Unary("not", Binary("contains_alike", texts("a", 1), X))),
        (cond("AnyIn", values=["a"]), Binary("contains_any", X, texts("a"))),
        (cond("AllIn", values=["a"]), Binary("contains_all", texts("a"), X)),
        (cond("AllNotIn", values=[7]), Unary("not", Binary("contains_all_alike", SetOf((Constant(7),)), X))),
        (cond("IsEmpty"), Unary("is_empty", X)),
        (cond("Exists"), Has(Variable("principal"), ("x",))),
        (cond("Any"), TRUE),
        (cond("EqualsAttribute", ace="resource", path="$.y"), Binary("alike", X, Path("resource", ("y",)))),
        (cond("IsInAttribute", ace="resource", path="$.y"), Binary("contains_alike", Path("resource", ("y",)), X)),
        (cond("AllInAttribute", ace="context", path="$.y"), Binary("contains_all_alike", Path("context", ("y",)), X)),
    ],
)
def test_conditions(condition: dict[str, Any], expected: Expression) -> None:
    assert conditions({"subject": {"$.x": condition}}) == (expected,)


@pytest.mark.parametrize(
    ("ace", "path", "expected"),
    [
        ("subject", "$.id", IdOf("principal")),
        ("subject", "$.type", TypeOf("principal")),
        ("subject", "$.name", Path("principal", ("name",))),
        ("resource", "$.groups", Path("resource", ("groups",))),
        ("action", "$.name", IdOf("action")),
        ("action", "$.id", Path("action", ("id",))),
        ("context", "$.a['b c']", Path("context", ("a", "b c"))),
    ],
)
def test_places(ace: str, path: str, expected: Expression) -> None:
    assert conditions({ace: {path: cond("StartsWith", value="a")}}) == (Like(expected, ("a", None)),)


def test_what_leads_nowhere_fails_and_can_be_asked_for() -> None:
    assert conditions({"subject": {"$.id.x": cond("Eq", value=1)}}) == (FAILING,)
    assert conditions({"subject": {"$.groups.x": cond("NotExists")}}) == (TRUE,)
    assert conditions({"subject": {"$.id.x": cond("Exists"), "$.id": cond("Exists")}}) == (FALSE, TRUE)


def test_groups_are_where_the_principal_is() -> None:
    staff = Binary("in", Variable("principal"), SetOf((Constant(Uid("Group", "staff")),)))
    assert conditions({"subject": {"$.groups": cond("AnyIn", values=["staff", 1])}}) == (staff,)
    assert conditions({"subject": {"$.groups": cond("AllIn", values=["staff"])}}) == (
        Binary("contains_all", texts("staff"), Groups()),
    )


def test_targets_come_first_in_order() -> None:
    found = conditions(
        {"context": {"$.x": cond("IsEmpty")}, "subject": {"$.x": cond("IsEmpty")}},
        {"action_id": "read", "resource_id": ["b*", "a"], "subject_id": "*x*y"},
    )
    assert found == (
        Like(IdOf("principal"), (None, "x", None, "y")),
        Binary("or", Binary("eq", IdOf("resource"), Constant("a")), Like(IdOf("resource"), ("b", None))),
        Binary("eq", IdOf("action"), Constant("read")),
        Unary("is_empty", X),
        Unary("is_empty", Path("context", ("x",))),
    )


@pytest.mark.parametrize(
    ("rules", "targets", "source"),
    [
        ({"subject": {"$.x": cond("RegexMatch", value="^a+")}}, {}, "^a+"),
        ({"subject": {"$.x": cond("CIDR", value="10.0.0.0/8")}}, {}, "10.0.0.0/8"),
        ({"subject": {"$.x": cond("Equals", value="Ab", case_insensitive=True)}}, {}, "Ab"),
        ({}, {"resource_id": "a?"}, "a?"),
    ],
)
def test_what_can_t_be_asked_of_rows_says_why(rules: Any, targets: Any, source: str) -> None:
    (call,) = [part for each in conditions(rules, targets) for part in walk(each) if isinstance(part, Call)]
    assert (call.source, bool(call.why)) == (source, True)


def judge(rules: Any, asked: Facts) -> bool | None:
    """What the tree says, held against the engine; none where it fails."""
    (only,) = load(policy(rules))
    outcome = evaluate((only,), asked)
    expected = None if outcome.failed else bool(outcome.satisfied)
    try:
        got = holds(only.rule, world_of(asked))
    except Failed:
        got = None  # type: ignore[assignment]
    assert got is expected
    return expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"subject": {"$.owner.id": cond("Equals", value="bob")}}, True),
        ({"subject": {"$.owner.name": cond("Exists")}}, False),
        ({"subject": {"$.owner.name.x": cond("NotExists")}}, True),
        ({"subject": {"$.owner.id.x": cond("NotExists")}}, True),
        ({"subject": {"$.owner": cond("IsIn", values=[{"type": "user", "id": "bob"}])}}, True),
        ({"subject": {"$.address": cond("Equals", value="10.0.0.1")}}, True),
        ({"subject": {"$.address": cond("CIDR", value="10.0.0.0/8")}}, True),
        ({"subject": {"$.whole": cond("Eq", value=1)}}, True),
        ({"subject": {"$.whole": cond("IsIn", values=[True])}}, True),
        ({"subject": {"$.whole": cond("Gt", value=0.12345)}}, True),
        ({"subject": {"$.near": cond("Eq", value=900_000_000_000_000)}}, True),
        ({"subject": {"$.near": cond("Gt", value=900_000_000_000_000)}}, False),
        ({"subject": {"$.list": cond("AnyIn", values=[1])}}, True),
        ({"subject": {"$.list": cond("AnyIn", values=["10.0.0.1"])}}, True),
        ({"subject": {"$.owner": cond("Eq", value=1)}}, None),
        ({"subject": {"$.owner": cond("EqualsObject", value={"id": "bob", "type": "user"})}}, True),
        ({"subject": {"$.address": cond("EqualsObject", value={})}}, None),
        ({"subject": {"$.groups": cond("EqualsAttribute", ace="subject", path="$.same")}}, True),
        ({"subject": {"$.big": cond("IsIn", values=[10**30])}}, True),
        ({"subject": {"$.big": cond("Gt", value=1)}}, None),
        ({"subject": {"$.big.x": cond("Exists")}}, False),
    ],
)
def test_values_of_files_are_seen_as_the_engine_sees_them(rules: Any, expected: bool | None) -> None:
    trusted = {
        "owner": Uid("user", "bob"),
        "address": Extension("ip", "10.0.0.1"),
        "whole": Decimal("1.0"),
        "near": Decimal("900000000000000.0001"),
        "list": [Decimal("1.0"), Extension("ip", "10.0.0.1"), {"a": 1}],
        "same": ["a!", "a"],
        "big": {"__number": "1e30"},
    }
    assert judge(rules, facts(trusted=trusted, groups=("a", "a!"))) is expected


def test_a_tree_is_made_once_and_no_deeper_than_it_must_be() -> None:
    parts = [cond("Equals", value=str(number)) for number in range(900)]
    (only,) = load(policy({"subject": {"$.x": cond("AnyOf", values=parts)}}))
    assert only.rule is only.rule
    (expression,) = only.rule.conditions
    depth = 0
    while isinstance(expression, Binary):
        expression, depth = expression.right, depth + 1
    assert depth == 10
