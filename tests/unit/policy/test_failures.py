"""Why a policy failed is told without any value."""

from __future__ import annotations

import pytest

from policy_service.model import Act, Effect, Engine, Failure, Policy, Request, Thing
from policy_service.policy.failures import UNTOLD, tell
from tests.property.files import answer, make_bundle

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("resource.n + 1 > 0", "integer overflow"),
        ("-(resource.n) - 2 > 0", "integer overflow"),
        ("ip(resource.text).isIpv4()", "`ipaddr` can't take the value"),
        ('decimal(resource.text).lessThan(decimal("1.0"))', "`decimal` can't take the value"),
        ('datetime(resource.date) < datetime("2026-01-01")', "`datetime` can't take the value"),
        ("resource.gone", "an entity does not have the attribute `gone`"),
        ("resource.part.gone", "record does not have the attribute `gone`"),
        ("resource.getTag(resource.text) == 1", "an entity does not have the tag"),
        ("resource.text < 1", "type error: expected long, got string"),
        ("resource.next.gone", "an entity does not exist"),
        ("resource.text", "type error: expected bool, got string"),
    ],
)
def test_cedar_tells_no_value(condition: str, told: str) -> None:
    files = {
        "a.cedar": f'@id("f") forbid(principal, action, resource) when {{ {condition} }};',
        "entities.json": f"""[{{"uid": {{"type": "doc", "id": "s3cret"}}, "attrs": {{
          "n": {LARGEST}, "text": "s3cret", "date": "2026-13-73", "part": {{"s3cret": 1}},
          "next": {{"__entity": {{"type": "user", "id": "s3cret"}}}}}}}}]""",
    }
    assert fail(files) == told


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('"$.gone": {"condition": "Eq", "value": 1}', "`$.gone` of the resource is not there"),
        ('"$.text": {"condition": "Gt", "value": 1}', "`$.text` of the resource is a string, and `Gt` takes a number"),
        ('"$.text": {"condition": "CIDR", "value": "10.0.0.0/8"}', "`CIDR` can't read `$.text` of the resource"),
    ],
)
def test_py_abac_tells_no_value(rule: str, told: str) -> None:
    abac = f'[{{"uid": "f", "effect": "deny", "targets": {{}}, "rules": {{"resource": {{{rule}}}}}}}]'
    entities = '[{"uid": {"type": "doc", "id": "s3cret"}, "attrs": {"text": "s3cret"}}]'
    assert fail({"a.abac.json": abac, "entities.json": entities}) == told


def test_a_sentence_that_nobody_knows_is_not_told() -> None:
    for engine in Engine:
        assert tell(Failure(Policy("f", Effect.FORBID, "x", 1, engine), "`s3cret` is odd")) == UNTOLD


def test_what_is_known_of_casbin() -> None:
    policy = Policy("f", Effect.FORBID, "x", 1, Engine.CASBIN)
    assert tell(Failure(policy, "`resource` has no attribute `x`")) == "`resource` has no attribute `x`"
    assert tell(Failure(policy, "'s3cret' does not appear to be an IPv4 or IPv6 address")) == UNTOLD


def fail(files: dict[str, str]) -> str:
    """What is told of the one policy that fails."""
    decision = answer(make_bundle(files), Request(Thing("user", "a"), Act("read"), Thing("doc", "s3cret")))
    (failure,) = decision.errors
    return tell(failure)
