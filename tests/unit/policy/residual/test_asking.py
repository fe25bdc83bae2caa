"""What of a policy asks for the row, and what it reads of the context."""

from __future__ import annotations

import pytest

from policy_service.policy.residual.asked import Unknown
from policy_service.policy.residual.asking import find_asking
from policy_service.policy.residual.source import write
from policy_service.policy.scope import Scope
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Call,
    Constant,
    Expression,
    Groups,
    Has,
    IdOf,
    If,
    Is,
    Like,
    OfKind,
    Opaque,
    Path,
    RecordOf,
    Rule,
    SetOf,
    TypeOf,
    Unary,
    Variable,
)

ROW, KNOWN, CONTEXT = Variable("resource"), Variable("principal"), Variable("context")
ENV, LEVEL = Attribute(ROW, "env"), Attribute(KNOWN, "level")


def asks(expression: Expression, unknown: Unknown = "resource") -> bool:
    return id(expression) in find_asking(Rule(Scope(), (expression,), {}), unknown).parts


@pytest.mark.parametrize(
    "part", [ROW, ENV, IdOf("resource"), TypeOf("resource"), Path("resource", ("a",)), Opaque("x")]
)
@pytest.mark.parametrize(
    "make",
    [
        lambda part: Attribute(part, "a"),
        lambda part: Has(part, ("a",)),
        lambda part: Unary("not", part),
        lambda part: Binary("and", KNOWN, part),
        lambda part: Binary("eq", part, KNOWN),
        lambda part: If(part, KNOWN, KNOWN),
        lambda part: If(KNOWN, part, KNOWN),
        lambda part: If(KNOWN, KNOWN, part),
        lambda part: Like(part, ("a",)),
        lambda part: Is(part, "T"),
        lambda part: Is(KNOWN, "T", part),
        lambda part: OfKind(part, ("text",)),
        lambda part: SetOf((KNOWN, part)),
        lambda part: RecordOf((("x", part),)),
        lambda part: Call(len, (KNOWN, part), "x"),
    ],
)
def test_what_has_a_part_that_asks_asks(make: object, part: Expression) -> None:
    whole = make(part)  # type: ignore[operator]
    assert asks(whole)
    assert not asks(make(KNOWN))  # type: ignore[operator]


@pytest.mark.parametrize(
    "expression", [KNOWN, LEVEL, CONTEXT, Constant(1), IdOf("principal"), TypeOf("action"), Groups()]
)
def test_what_is_known_does_not_ask(expression: Expression) -> None:
    assert not asks(expression)


@pytest.mark.parametrize("expression", [KNOWN, LEVEL, IdOf("principal"), Path("principal", ("a",)), Groups()])
def test_the_other_side_may_be_unknown(expression: Expression) -> None:
    assert asks(expression, "principal")
    assert not asks(ENV, "principal")


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (LEVEL, set()),
        (Attribute(CONTEXT, "a"), {"a"}),
        (Attribute(Attribute(CONTEXT, "a"), "b"), {"a"}),
        (Has(CONTEXT, ("a", "b")), {"a"}),
        (Path("context", ("a", "b")), {"a"}),
        (Binary("eq", Attribute(CONTEXT, "a"), Attribute(CONTEXT, "b")), {"a", "b"}),
        (Binary("eq", CONTEXT, Constant({})), None),
        (Attribute(If(Constant(True), CONTEXT, CONTEXT), "a"), None),
    ],
)
def test_what_is_read_of_the_context(expression: Expression, names: set[str] | None) -> None:
    assert find_asking(Rule(Scope(), (expression,), {}), "resource").context == names


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (Binary("and", Unary("not", ENV), Has(ROW, ("a", "b c"))), '(!resource.env && resource has a."b c")'),
        (Binary("contains_all", ENV, SetOf((Constant("x"), Constant(1)))), 'resource.env.containsAll(["x", 1])'),
        (Unary("ip", Attribute(ROW, "a b")), 'ip(resource["a b"])'),
        (Unary("is_ipv4", Unary("neg", ENV)), "-resource.env.isIpv4()"),
        (If(ENV, LEVEL, KNOWN), "(if resource.env then principal.level else principal)"),
        (Like(ENV, ("a", None, '"')), 'resource.env like "a*\\""'),
        (Is(ROW, "T", KNOWN), "resource is T in principal"),
        (RecordOf((("x", ENV),)), "{x: resource.env}"),
        (Binary("alike", Path("resource", ("a", "b")), IdOf("principal")), "(resource.a.b == the id of the principal)"),
        (Call(len, (ENV,), "why", "a source"), "a source"),
        (Opaque("why"), "…"),
    ],
)
def test_an_expression_is_written(expression: Expression, text: str) -> None:
    assert write(expression) == text


def test_what_is_long_is_cut() -> None:
    assert len(write(Constant("x" * 500))) == 200
    deep: Expression = ENV
    for _ in range(20):
        deep = Unary("not", deep)
    assert write(deep) == "!!!!!!!!…"
