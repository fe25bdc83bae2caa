"""Hints why a forbid can fail to evaluate."""

import pytest

from policy_service.policy.engines import cedar
from tests.unit.policy.engines.cedar_facts import decide


def hazards(condition: str) -> tuple[str, ...]:
    (policy,), findings = cedar.parse("x.cedar", f"forbid(principal, action, resource) {condition};")
    assert not findings
    return cedar.may_fail(policy)


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "when { true }",
        "when { resource has secret && resource.secret == true }",
        "when { !(resource has secret) || resource.secret == true }",
        "when { resource has secret } when { resource.secret == true }",
        "unless { !(resource has secret) } when { resource.secret == true }",
        "unless { resource has secret && resource.secret == true }",
        "when { if resource has secret then resource.secret == 1 else false }",
        "when { resource has a.b && resource.a.b == 1 }",
        'when { resource has "x y" && resource["x y"] == 1 }',
        'when { resource.hasTag("env") && resource.getTag("env") == 1 }',
        'when { context has a && context.a == principal && ip("10.0.0.1").isLoopback() }',
        "when { principal.tenant != resource.tenant }",
        'when { context.now > datetime("2026-01-01") }',
        'when { principal in Group::"x" && principal is User }',
        "when { [1, 2].contains(3) && {a: 1}.a < 2 }",
    ],
)
def test_what_can_not_fail_says_nothing(condition):
    assert [h for h in hazards(condition) if "not a number" not in h] == []


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (
            "when { resource.secret == 1 }",
            "errors on a resource without `secret`, so that lists lose each such row; write `resource has secret && …`",
        ),
        (
            "when { resource.secret == 1 && resource has secret }",
            "errors on a resource without `secret`, so that lists lose each such row; write `resource has secret && …`",
        ),
        (
            "when { resource has secret || resource.secret == 1 }",
            "errors on a resource without `secret`, so that lists lose each such row; write `resource has secret && …`",
        ),
        ("when { context.mfa == 1 }", "errors in a context without `mfa`; write `context has mfa && …`"),
        (
            "when { principal has boss && principal.boss.level == 1 }",
            "errors where `principal.boss` has no `level`; write `principal.boss has level && …`",
        ),
        (
            'when { User::"bob".level == 1 }',
            'errors where `User::"bob"` has no `level`; write `User::"bob" has level && …`',
        ),
        (
            'when { resource.getTag("env") == 1 }',
            'errors where `resource` has no tag `"env"`, so that lists lose each such row; '
            'write `resource.hasTag("env") && …`',
        ),
        (
            "when { resource has x && resource.x }",
            "errors where `resource.x` is not a boolean; write `resource.x == true`",
        ),
        (
            "when { resource has x && !resource.x }",
            "errors where `resource.x` is not a boolean; write `resource.x == true`",
        ),
        ("when { resource has x && resource.x < 3 }", "errors where `resource.x` is not a number"),
        ("when { resource has x && resource.x.contains(3) }", "errors where `resource.x` is not a set"),
        ("when { resource has x && resource.x in resource }", "errors where `resource.x` is not an entity"),
        ("when { resource has x && resource.x + 1 == 3 }", "errors where `…` leaves 64 bits"),
        ('when { ip("nonsense").isLoopback() }', "always errors when it is reached: `nonsense` is no ip address"),
        ('when { decimal("1.23456") == context }', "always errors when it is reached: `1.23456` is no decimal"),
        ("when { context has a && ip(context.a).isLoopback() }", "errors where `context.a` is no ip address"),
    ],
)
def test_what_can_fail_is_told(condition, sentence):
    assert sentence in hazards(condition)


def test_a_fact_about_one_unnamed_value_is_not_one_about_another():
    some, other = "(if context has a then principal else resource)", "(if true then principal else resource)"
    told = hazards(f"when {{ {some} has x && {other}.x == 1 }}")
    assert any("has no `x`" in sentence for sentence in told)


def test_the_two_forbids_of_the_reference_that_fail_open_in_cedar_itself():
    outcome = decide('forbid(principal, action, resource) when { ip("nonsense").isLoopback() };')
    assert outcome.failed
    assert not outcome.satisfied
    assert decide("forbid(principal, action, resource) when { principal.tenant != resource.tenant };").failed
