"""Files of py-abac policies: what they become, what is wrong with them, and how they are evaluated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policy_service.model import Effect, Engine, Finding, Policy, Uid
from policy_service.policy.engines.abac import evaluate, parse
from policy_service.policy.scope import LIMITS, Needs, Scope
from tests.unit.policy.engines.abac_facts import facts, find, load, policy

FILE = """[
  {
    "effect": "deny",
    "rules": {"subject": {"$.x": {"condition": "EqualsObject", "value": {"uid": 1}}}},
    "targets": {},
    "uid": "first", "description": "no x"
  },

  {"uid"
     : "second", "effect": "allow", "rules": {}, "targets": {}}
]
"""


def exists(path: str = "$.x") -> dict[str, Any]:
    return {path: {"condition": "Exists"}}


def other(ace: str, path: str) -> dict[str, Any]:
    return {"condition": "IsInAttribute", "ace": ace, "path": path}


def equals(value: str, path: str = "$.x") -> dict[str, Any]:
    return {path: {"condition": "Equals", "value": value}}


def test_a_file_holds_policies_with_their_lines() -> None:
    policies, findings = parse("tenants/acme/a.abac.json", FILE)
    assert findings == []
    assert [each.policy for each in policies] == [
        Policy("first", Effect.FORBID, "tenants/acme/a.abac.json", 6, Engine.ABAC, "no x"),
        Policy("second", Effect.PERMIT, "tenants/acme/a.abac.json", 9, Engine.ABAC),
    ]


def test_a_file_may_hold_one_policy_or_none() -> None:
    policies, findings = parse("a", json.dumps(policy(), indent=1))
    assert ([each.policy.id for each in policies], [each.policy.line for each in policies], findings) == (
        ["p"],
        [2],
        [],
    )
    assert parse("a", "[]") == ((), [])


def test_findings_name_the_line_of_their_policy() -> None:
    text = FILE.replace('"allow"', '"permit"').replace("EqualsObject", "EqualObject")
    policies, findings = parse("a.abac.json", text)
    assert policies == ()
    assert [(finding.path, finding.line) for finding in findings] == [("a.abac.json", 6), ("a.abac.json", 9)]
    assert findings[1].sentence == "`effect` must be one of `allow`, `deny`"


def test_one_finding_refuses_the_whole_file() -> None:
    assert parse("a", json.dumps([policy(uid="good"), policy(effect="x")]))[0] == ()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "nonsense", "[" * 100_000, '{"a":' * 100_000, "NaN", "\ufeff[]", "1" * 5_000,
        '["\\ud800"]', "[1,]", "5", "[[]]", "[5]", '"x"', "null", "{}",
        '{"uid": 1}', '[{"uid": "a", "uid": "b"}]', '[{"uid": null}]', "[{},{}]",
        '"\ud800"', '[{"\\u0075id": "a"}]', '{"uid": {"uid": 1e999}}',
    ],
)  # fmt: skip
def test_whatever_a_file_holds_is_a_finding(text: str) -> None:
    assert find(text)


def test_a_duplicate_member_is_a_finding() -> None:
    rule = '{"condition": "Eq", "value": 1}'
    text = (
        f'{{"uid": "a", "effect": "deny", "targets": {{}}, "rules": {{"subject": {{"$.x": {rule}, "$.x": {rule}}}}}}}'
    )
    assert parse("a", text) == ((), [Finding("a", 1, "the member `$.x` stands twice in one object")])


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (policy(priority=1), "`priority` must be left out: a deny wins whatever the priority"),
        (policy(efect="deny"), "the policy has the unknown member `efect`"),
        (policy(uid=""), "`uid` must not be empty"),
        (policy(description=1), "`description` must be of type string"),
        (policy(effect="Deny"), "`effect` must be one of `allow`, `deny`"),
        (policy(effect="permit"), "`effect` must be one of `allow`, `deny`"),
        ({"uid": "a", "effect": "allow", "rules": {}}, "the policy lacks `targets`"),
        (policy({"subjects": {}}), "`rules` has the unknown member `subjects`"),
        (policy({"subject": []}), "`rules.subject` must not be empty"),
        (policy({"subject": [1]}), "`rules.subject.0` must be of type object"),
        (policy({"subject": "x"}), "`rules.subject` must be of type object or array"),
        (policy({"subject": {"$.x": 1}}), "the condition at `rules.subject.$.x` must be an object"),
        (policy(targets={"subject": "x"}), "`targets` has the unknown member `subject`"),
        (policy(targets={"subject_id": ""}), "`targets.subject_id` must not be empty"),
        (policy(targets={"subject_id": []}), "`targets.subject_id` must not be empty"),
        (policy(targets={"subject_id": ["a", 1]}), "`targets.subject_id.1` must be of type string"),
        (policy(targets={"context_id": "x"}), "`targets` has the unknown member `context_id`"),
    ],
)
def test_a_policy_that_is_wrong_is_a_finding(raw: dict[str, Any], why: str) -> None:
    assert any(sentence.startswith(why) for sentence in find(raw)), find(raw)


def test_a_finding_is_one_line() -> None:
    (sentence,) = find(policy(**{"x\nacme.cedar:1: all is well\u2028\x1b": 1}))
    assert "`x\\nacme.cedar:1: all is well\\u2028\\x1b`" in sentence
    assert len(find(policy(**{"x" * 10_000: 1}))[0]) == 500


def test_priority_0_is_the_default() -> None:
    assert find(policy(priority=0)) == []


def test_a_policy_has_limits() -> None:
    deep: dict[str, Any] = {"condition": "Exists"}
    for _ in range(20):
        deep = {"condition": "AllOf", "values": [deep]}
    assert find(policy({"subject": {"$.x": deep}})) == [f"nested deeper than {LIMITS.json_nesting} levels"]
    many = {f"$.x{index}": {"condition": "Exists"} for index in range(LIMITS.policy_operators + 1)}
    assert find(policy({"subject": many})) == [
        f"the policy has more than {LIMITS.policy_operators} conditions, split it"
    ]
    large = policy(description="x" * LIMITS.policy_bytes)
    assert find([policy(), large]) == [f"a policy is larger than {LIMITS.policy_bytes} bytes, split it"]
    assert find([1] * (LIMITS.policies + 1)) == [f"more than {LIMITS.policies} policies in one file"]


def outcome(raw: dict[str, Any], **more: Any) -> bool | str:
    satisfied, failed = evaluate(load(raw), facts(**more))
    return failed[0].why if failed else bool(satisfied)


def test_no_rules_and_no_targets_match_everyone() -> None:
    assert outcome(policy()) is True


def test_targets_are_asked_before_rules() -> None:
    rules = {"subject": equals("a")}
    assert outcome(policy(rules, {"resource_id": "other"}, "deny")) is False
    assert outcome(policy(rules, {"resource_id": "web-*"}, "deny")) == "`$.x` of the subject is not there"


@pytest.mark.parametrize("target", ["subject_id", "action_id", "resource_id"])
def test_each_target_counts(target: str) -> None:
    name = {"subject_id": "alice", "action_id": "read", "resource_id": "web-1"}[target]
    assert outcome(policy(targets={target: name})) is True
    assert outcome(policy(targets={target: ["nobody", f"{name[:2]}*"]})) is True
    assert outcome(policy(targets={target: "nobody"})) is False
    assert outcome(policy(targets={target: f"{name}?"})) is False


def test_ids_of_any_length_match() -> None:
    long = "x" * 5_000
    assert outcome(policy(targets={"subject_id": long}), ids=(long, "read", "r")) is True
    assert outcome(policy(targets={"resource_id": "x*"}), ids=("s", "read", long)) is True
    assert outcome(policy(targets={"action_id": f"{long}y"}), ids=("s", long, "r")) is False


def test_a_target_that_cannot_be_told_fails() -> None:
    why = outcome(policy(targets={"subject_id": "?" * 100 + "*x"}, effect="deny"), ids=("x" * 100_000, "read", "r"))
    assert isinstance(why, str)


def test_an_action_in_a_namespace_is_named_as_sent() -> None:
    raw = policy({"action": equals("Inventory::read", "$.name")}, {"action_id": "Inventory::read"})
    assert outcome(raw, ids=("alice", "Inventory::read", "web-1")) is True


def test_rules_are_asked_in_order_up_to_the_first_that_does_not_hold() -> None:
    held, not_held, broken = exists("$.id"), exists("$.nothing"), equals("a", "$.missing")
    name = exists("$.name")
    assert outcome(policy({"context": broken, "action": {"$.name": {"condition": "NotExists"}}})) is False
    assert outcome(policy({"subject": not_held, "resource": broken})) is False
    assert outcome(policy({"subject": held, "resource": broken})) == "`$.missing` of the resource is not there"
    assert outcome(policy({"resource": not_held, "action": broken})) is False
    assert outcome(policy({"action": name, "context": broken})) == "`$.missing` of the context is not there"
    assert outcome(policy({"subject": {**not_held, **broken}})) is False
    assert outcome(policy({"subject": {**broken, **not_held}})) == "`$.missing` of the subject is not there"


def test_a_list_of_rules_is_or() -> None:
    assert outcome(policy({"subject": [exists("$.nothing"), exists("$.id")]})) is True
    assert outcome(policy({"subject": [exists("$.nothing"), exists("$.none")]})) is False
    assert outcome(policy({"subject": [exists("$.id"), equals("a", "$.missing")]})) is True
    assert isinstance(outcome(policy({"subject": [equals("a", "$.missing"), exists("$.id")]})), str)


def test_one_policy_never_hides_another() -> None:
    loaded = load(
        policy({"subject": equals("a")}, effect="deny", uid="failing"),
        policy(uid="permits"),
        policy(uid="elsewhere", targets={"action_id": "write"}),
        policy(uid="forbids", effect="deny"),
    )
    satisfied, failed = evaluate(loaded, facts())
    assert [each.id for each in satisfied] == ["permits", "forbids"]
    assert [(each.policy.id, each.policy.effect) for each in failed] == [("failing", Effect.FORBID)]


def test_groups_are_plain_names() -> None:
    raw = policy({"subject": {"$.groups": {"condition": "AnyIn", "values": ["editors"]}}})
    assert outcome(raw, groups=("editors", "users")) is True
    assert outcome(raw, groups=("users",)) is False
    assert outcome(raw) is False


@pytest.mark.parametrize(
    ("targets", "scope"),
    [
        ({}, Scope()),
        ({"subject_id": "a"}, Scope(principal=frozenset({("id", "a")}))),
        ({"resource_id": ["a", "b"]}, Scope(resource=frozenset({("id", "a"), ("id", "b")}))),
        ({"action_id": "read"}, Scope(action=frozenset({("==", Uid("Action", "read"))}))),
        ({"action_id": "NS::read"}, Scope(action=frozenset({("==", Uid("NS::Action", "read"))}))),
        ({"subject_id": "a*"}, Scope()),
        ({"subject_id": ["a", "b*"]}, Scope()),
        ({"subject_id": ["a", "*"]}, Scope()),
        ({"resource_id": ["a", "b?"]}, Scope()),
        ({"action_id": "rea[d]"}, Scope()),
    ],
)
def test_scope(targets: dict[str, Any], scope: Scope) -> None:
    (loaded,) = load(policy(targets=targets))
    assert loaded.scope == scope


@pytest.mark.parametrize(
    ("rules", "needs"),
    [
        ({}, Needs()),
        ({"subject": exists("$.groups")}, Needs(hierarchy=True)),
        ({"subject": exists("$['groups']")}, Needs(hierarchy=True)),
        ({"resource": exists("$.groups")}, Needs()),
        ({"context": exists("$.now")}, Needs(now=True)),
        ({"context": [exists("$.x"), exists("$.caller.ip")]}, Needs(caller=True)),
        ({"subject": exists("$.now")}, Needs()),
        (
            {"resource": {"$.team": other("subject", "$.groups")}},
            Needs(hierarchy=True),
        ),
        (
            {"subject": {"$.a": {"condition": "Not", "value": other("context", "$.now")}}},
            Needs(now=True),
        ),
    ],
)  # fmt: skip
def test_needs(rules: dict[str, Any], needs: Needs) -> None:
    (loaded,) = load(policy(rules))
    assert loaded.needs == needs
