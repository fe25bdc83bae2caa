"""Which parts of a policy can't be said of rows, whoever asks."""

from __future__ import annotations

import pytest

from policy_service.authoring.opacity import find_doubts
from tests.property.files import make_bundle

SEALED = "the property `ssn` is restricted, and PostgreSQL can say no more of it than `==`"
IP = ("`ip` of a text that the row has", "ip(resource.addr)")


def doubts(condition: str, effect: str = "permit", clause: str = "when") -> list[tuple[str, str]]:
    text = f"{effect}(principal, action, resource) {clause} {{ {condition} }};"
    bundle = make_bundle({"p.cedar": text, "tenant.yaml": "name: x\nrestricted: [ssn]\n"})
    return [(doubt.why, doubt.source) for doubt in find_doubts(bundle, bundle.layer.policies[0])]


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        "ip(principal.addr).isLoopback()",
        'resource has n && resource.n < 3 && resource.name like "a*"',
        "resource.n < principal.level",
        "resource.hasTag(principal.kind)",
        "principal.names.contains(resource.name)",
        "resource.ssn == principal.ssn",
        '["1", "2"].contains(resource.ssn)',
        "resource has ssn",
    ],
)
@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_what_can_be_said_of_rows_is_no_doubt(condition: str, effect: str) -> None:
    assert doubts(condition, effect) == []


@pytest.mark.parametrize(
    "condition",
    [
        "ip(resource.addr).isLoopback()",
        "principal.level > 3 && ip(resource.addr).isLoopback()",
        'principal in Group::"x" || !ip(resource.addr).isLoopback()',
        "1 == 2 && ip(resource.addr).isLoopback()",
        "if principal.admin then ip(resource.addr).isLoopback() else false",
        "ip(resource.addr) == principal.addr",
        "ip(resource.addr).isInRange(ip(principal.addr))",
    ],
)
def test_no_answer_of_another_part_hides_what_can_t(condition: str) -> None:
    assert doubts(condition) == [IP]


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("resource.hasTag(resource.kind)", "a tag whose name is computed"),
        ("[resource.a, principal.b] == resource.c", "a set made of what the row has"),
        ("resource in resource.owner", "whether the row is in entities that relationships draw"),
    ],
)
def test_the_reason_is_that_of_a_list(condition: str, why: str) -> None:
    text = f"permit(principal, action, resource) when {{ {condition} }};"
    files = {"p.cedar": text, "relationships.yaml": "relationships:\n  owns: {attribute: {on: to, name: owner}}\n"}
    bundle = make_bundle(files)
    assert [doubt.why for doubt in find_doubts(bundle, bundle.layer.policies[0])] == [why]


def test_what_has_too_many_values_is_one() -> None:
    total = " + ".join(f"(if resource.a{n} == 1 then {n} else 2)" for n in range(7))
    ((why, source),) = doubts(f"{total} < 9")
    assert why == "it has more than 64 possible values"
    assert source.startswith("(")


@pytest.mark.parametrize(
    "part",
    [
        'resource.ssn like "1*"',
        "(resource.ssn < 3)",
        "(resource.ssn < principal.level)",
        "(resource.ssn == resource.b)",
    ],
)
def test_a_restricted_property_can_be_held_against_a_value_and_no_more(part: str) -> None:
    assert doubts(f"principal.x == 1 && {part}") == [(SEALED, part)]
    assert doubts(f"!({part})", "forbid", "unless") == [(SEALED, part)]


@pytest.mark.parametrize(
    ("effect", "is_negated", "found"), [("allow", 0, 0), ("allow", 1, 1), ("deny", 0, 1), ("deny", 1, 0)]
)
def test_only_what_is_asked_counts(effect: str, is_negated: int, found: int) -> None:
    """Whether a text is one is asked of a restricted property only where a condition has to be false for sure."""
    condition = '{"condition": "Equals", "value": "12"}'
    if is_negated:
        condition = f'{{"condition": "Not", "value": {condition}}}'
    policy = f'{{"uid": "p", "effect": "{effect}", "targets": {{}}, "rules": {{"resource": {{"$.ssn": {condition}}}}}}}'
    bundle = make_bundle({"p.abac.json": f"[{policy}]", "tenant.yaml": "name: x\nrestricted: [ssn]\n"})
    assert len(find_doubts(bundle, bundle.layer.policies[0])) == found


def test_ids_that_are_read_in_two_ways_are_no_doubt_where_no_row_s_is_asked_for() -> None:
    model = (
        "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act, eft\n"
        "[role_definition]\ng = _, _\n[policy_effect]\n"
        "e = some(where (p.eft == allow)) && !some(where (p.eft == deny))\n"
        "[matchers]\nm = g(r.sub, p.sub) && r.act == p.act && keyMatch(r.obj.key, p.obj)\n"
    )
    files = {"x.casbin/model.conf": model, "x.casbin/policy.csv": "p, boss, /a/*, read, allow\ng, user:a, boss\n"}
    bundle = make_bundle(files)
    assert find_doubts(bundle, bundle.layer.policies[0]) == []
