"""Cedar by cedarpy: parsing, and each line of what is known about evaluating it."""

import json
import os
import signal
import threading
from decimal import Decimal
from types import SimpleNamespace

import cedarpy
import pytest

from policy_service.model import Effect, Engine, Entity, Extension, Policy, Uid
from policy_service.policy.engines import cedar
from policy_service.policy.facts import write_entities
from policy_service.policy.scope import Needs
from policy_service.policy.slices import compile_slice
from tests.unit.policy.engines.cedar_facts import (
    ALICE,
    GROUP,
    HOST,
    READ,
    compiled,
    decide,
    facts,
    failed,
    parsed,
    question,
    satisfied,
)

ANY = "permit(principal, action, resource);"


def refuse(text: str) -> list[str]:
    _, findings = cedar.parse("tenants/acme/x.cedar", text)
    return [str(finding).removeprefix("tenants/acme/x.cedar:") for finding in findings]


def test_a_policy_knows_who_it_is():
    text = '// c\n\n@id("a")\n@message("say \\"why\\"")\nforbid(principal, action, resource);\n'
    text += f'{ANY}\n@description("d"){ANY}'
    policies, findings = cedar.parse("tenants/acme/x.cedar", text)
    assert not findings
    file, engine = "tenants/acme/x.cedar", Engine.CEDAR
    assert [policy.policy for policy in policies] == [
        Policy("a", Effect.FORBID, file, 3, engine, 'say "why"'),
        Policy("x.cedar#2", Effect.PERMIT, file, 6, engine),
        Policy("x.cedar#3", Effect.PERMIT, file, 7, engine, "d"),
    ]
    assert policies[1].text == ANY


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (f'@id("a") {ANY}\n\n@id("a") {ANY}', "3: the policy id `a` is taken by line 1, give it another `@id`"),
        (f'@id("a") {ANY} @id("a") {ANY}', "1: the policy id `a` is taken by line 1, give it another `@id`"),
        (f'@id("x.cedar#2") {ANY}\n{ANY}', "2: the policy id `x.cedar#2` is taken by line 1, give it another `@id`"),
        (f'\n@id("") {ANY}', "2: the `@id` is empty, give it a text or leave it out"),
        (f'@id("a\\nb") {ANY}', "1: the `@id` holds a character that can't be printed"),
        (f"@id {ANY}", "1: the `@id` is empty, give it a text or leave it out"),
        (
            "\npermit(principal == ?principal, action, resource);",
            "2: a template is never linked here, name an entity instead of `?principal` or `?resource`",
        ),
        ("permit(principal, action, resource)\nwhen {\n 1 +\n};", "4: invalid Cedar: unexpected token `}`"),
        (f"permit(principal, action, resource)\n{ANY}", "2: invalid Cedar: unexpected token `(`"),
        ("permit(principal, action, resource)\nwhen {\n foo };", "3: invalid Cedar: invalid variable: foo"),
        (
            "permit(principal, action, resource)\nwhen {\n foo(1) };",
            "3: invalid Cedar: `foo` is not a valid function",
        ),
        ("permit(principal, action, resource)\nwhen { 1 <\n 2 < 3};", "1: invalid Cedar: multiple relational"),
        (f"{ANY}\n;", "2: invalid Cedar: unexpected token `;`"),
        ("allow(principal, action, resource);", "1: invalid Cedar: "),
        ("permit(principal,\n action is A, resource);", "2: invalid Cedar: `is` cannot appear in the action scope"),
        ('@id("a")\n@id("b")' + ANY, "1: invalid Cedar: duplicate annotation: @id"),
        (
            f"\npermit(principal, action, resource) when {{ {' && '.join(['true'] * 150)} }};",
            "2: the policy nests expressions deeper than 100 levels, split it, or write `[…].contains(…)`",
        ),
    ],
)
def test_a_broken_policy_is_a_finding_at_its_line(text, finding):
    (found,) = refuse(text)
    assert found.startswith(finding)


def test_each_broken_policy_of_a_file_is_told():
    assert [line.split(":")[0] for line in refuse(f"permit(a);\n{ANY}\npermit(b);\npermit(c);")] == ["1", "3", "4"]


def test_nothing_that_cedarpy_raises_gets_past_parse(monkeypatch):
    class PanicException(BaseException):
        pass

    def panic(text):
        raise PanicException("called `Option::unwrap()`")

    monkeypatch.setattr(cedarpy, "policies_to_pst", panic)
    assert refuse(ANY) == ["1: invalid Cedar: called `Option::unwrap()`"]


def test_parsing_is_never_done_in_the_callers_thread(monkeypatch):
    threads = []

    def spy(real):
        def call(text):
            threads.append(threading.current_thread().name)
            return real(text)

        return call

    real_set = cedarpy.PolicySet.from_str
    monkeypatch.setattr(cedarpy, "policies_to_pst", spy(cedarpy.policies_to_pst))
    monkeypatch.setattr(cedarpy, "PolicySet", SimpleNamespace(from_str=spy(real_set)))
    compiled(ANY)
    assert threads == ["large-stack"] * 2
    assert threading.stack_size() == 0


def test_a_forked_child_parses_too():
    compiled(ANY)
    child = os.fork()
    if not child:
        signal.alarm(30)
        code = 1
        try:
            code = 0 if satisfied(decide(ANY)) else 1
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_what_cedar_quotes_is_one_line_of_bearable_length():
    (told,) = refuse('permit(principal, action, resource) when { 1 "' + "a\n\nb" * 5_000 + '" };')
    assert "\n" not in told
    assert len(told) < 400


def test_the_parsing_thread_goes_on_after_an_error():
    with pytest.raises(ZeroDivisionError):
        cedar.on_large_stack(lambda: 1 // 0)
    assert cedar.on_large_stack(lambda: cedar.on_large_stack(lambda: 7)) == 7


def test_diagnostics_are_positions_and_are_mapped_back_past_ten():
    text = "".join(f'@id("p{n}") permit(principal, action, resource) when {{ context.n == {n} }};' for n in range(23))
    for n in (0, 1, 9, 10, 22):
        assert satisfied(decide(text, context={"n": n})) == [f"p{n}"]
    assert failed(decide(text))[22][0] == "p22"


def test_a_satisfied_forbid_hides_the_permits_and_a_failure_is_always_told():
    text = f'@id("p") {ANY} @id("f") forbid(principal, action, resource) when {{ context has x }};'
    text += '@id("e") forbid(principal, action, resource) when { context.y };'
    assert satisfied(decide(text)) == ["p"]
    outcome = decide(text, context={"x": 1})
    assert satisfied(outcome) == ["f"]
    assert failed(outcome) == [("e", "record does not have the attribute `y`")]


def test_only_attributes_that_are_read_are_sent():
    text = "permit(principal, action, resource) when { principal has a && principal.b.c == 1 };"
    alice = Entity(ALICE, {"a": 1, "b": {"c": 1}, "c": 2, "d": 3})
    (policy,) = parsed(text)
    assert policy.needs.attributes == {"a", "b", "c"}
    sent = write_entities({ALICE: alice}, policy.needs)
    assert [*json.loads(sent)[0]["attrs"]] == ["a", "b", "c"]
    assert satisfied(decide(text, alice)) == ["x.cedar#1"]


def test_an_error_is_a_sentence_without_the_engines_own_name_for_the_policy():
    outcome = decide('@id("e") permit(principal, action, resource) when { principal.a };', Entity(ALICE, {"b": 1}))
    assert failed(outcome) == [("e", '`user::"alice"` does not have the attribute `a`')]


def test_an_error_that_imitates_another_policys_error_is_not_taken_for_it():
    attribute = "x`: error while evaluating policy `policy1`: "
    text = f'@id("a") permit(principal, action, resource) when {{ principal["{attribute}"] }}; @id("b") {ANY}'
    outcome = decide(text, Entity(ALICE, {"b": 1}))
    assert [policy for policy, _ in failed(outcome)] == ["a"]
    assert satisfied(outcome) == ["b"]


@pytest.mark.parametrize(
    "condition",
    [
        "principal.missing == 1",
        "principal.name < 3",
        'ip("nonsense").isLoopback()',
        "context.big + 1 > 0",
        "principal.name && true",
        'principal.getTag("no") == 1',
    ],
)
def test_what_failed_means(condition):
    text = f'@id("f") forbid(principal, action, resource) when {{ {condition} }};'
    outcome = decide(text, Entity(ALICE, {"name": "a"}), context={"big": 2**63 - 1})
    assert [policy for policy, _ in failed(outcome)] == ["f"]


def test_short_circuits_are_not_failures():
    text = '@id("f") forbid(principal, action, resource) when { principal has a && principal.a == 1 };'
    assert decide(text) == ((), ())


@pytest.mark.parametrize(
    ("context", "attributes"),
    [
        ({"a": 2**63}, {}),
        ({"a": 1.5}, {}),
        ({"a": None}, {}),
        ({"a": "\ud800"}, {}),
        ({}, {"a": 1.5}),
        ({}, {"a": None}),
        ({}, {"a": {"__extn": {"fn": "nope", "arg": ""}}}),
    ],
)
def test_no_decision_fails_every_policy(context, attributes):
    text = f'@id("p") {ANY} @id("f") forbid(principal, action, resource) when {{ principal has a && false }};'
    outcome = decide(text, Entity(ALICE, attributes), context=context)
    assert [policy for policy, _ in failed(outcome)] == ["p", "f"]
    assert not outcome.satisfied
    assert all(why.startswith("cedar could not decide: ") for _, why in failed(outcome))


def test_no_decision_does_not_repeat_the_facts():
    outcome = decide(
        ANY.replace(";", " when { principal.secret == principal.a };"), Entity(ALICE, {"secret": "hunter2", "a": 1.5})
    )
    assert "hunter2" not in failed(outcome)[0][1]


def test_deep_values_and_types_that_are_no_identifier_are_no_decision():
    deep: list = []
    for _ in range(126):
        deep = [deep]
    assert failed(decide(ANY, context={"a": deep}))
    assert failed(decide(ANY, principal=Uid("a b", "x")))
    assert failed(decide(ANY, Entity(ALICE, {}, frozenset({ALICE})), context={})) == []
    text = 'permit(principal, action, resource) when { principal in Group::"admins" };'
    assert failed(decide(text, Entity(ALICE, {}, frozenset({ALICE})))), "a cycle"


def test_references_and_extension_values_come_from_files():
    text = """permit(principal, action, resource) when {
        resource.owner == principal && resource.price == decimal("1.5") &&
        resource.net.isInRange(ip("10.0.0.0/8")) };"""
    attributes = {"owner": ALICE, "price": Decimal("1.5"), "net": Extension("ip", "10.1.2.3")}
    assert satisfied(decide(text, Entity(HOST, attributes))) == ["x.cedar#1"]


def test_in_is_reflexive():
    text = 'permit(principal in Group::"admins", action, resource);'
    assert satisfied(decide(text, principal=GROUP)) == ["x.cedar#1"]


def test_ancestors_are_sent_flat_and_only_where_they_are_asked_for():
    alice = Entity(ALICE, {"a": 1}, frozenset({GROUP, Uid("Group", "all")}))
    assert satisfied(decide('permit(principal, action, resource) when { principal in Group::"all" };', alice)) == [
        "x.cedar#1"
    ]
    assert '"parents":[]' in write_entities({ALICE: alice}, Needs(hierarchy=False))
    assert write_entities({ALICE: alice}, Needs(hierarchy=True)).count('"Group"') == 2


def test_an_action_is_sent_with_its_ancestors_or_in_is_silently_false():
    text = 'permit(principal, action in Action::"view", resource);'
    read = Entity(READ, {}, frozenset({Uid("Action", "view")}))
    assert satisfied(decide(text)) == []
    assert satisfied(decide(text, read)) == ["x.cedar#1"]
    own = Uid("PolicyService::Action", "read")
    text = 'permit(principal, action in PolicyService::Action::"view", resource);'
    above = frozenset({Uid("PolicyService::Action", "view")})
    assert satisfied(decide(text, Entity(own, {}, above), action=own)) == ["x.cedar#1"]


def test_an_actions_properties_are_its_attributes():
    text = "permit(principal, action, resource) when { action has soft && action.soft };"
    assert satisfied(decide(text, Entity(READ, {"soft": True}))) == ["x.cedar#1"]
    assert decide(text) == ((), ())


def test_tags():
    text = 'permit(principal, action, resource) when { resource.hasTag("env") && resource.getTag("env") == "prod" };'
    assert satisfied(decide(text, Entity(HOST, {}, frozenset(), {"env": "prod"}))) == ["x.cedar#1"]
    assert decide(text, Entity(HOST, {"env": "prod"})) == ((), ())


def test_an_entity_that_says_nothing_is_not_sent_and_means_the_same():
    empty = [Entity(uid, {}) for uid in (ALICE, READ, HOST)]
    assert write_entities({entity.uid: entity for entity in empty}, Needs(hierarchy=True)) == "[]"
    sent = '[{"uid":{"type":"%s","id":"%s"},"attrs":{},"parents":[]}]'
    for condition in (
        "true",
        "VAR has a",
        'VAR in Group::"g"',
        "VAR == VAR",
        "VAR in VAR",
        'VAR.hasTag("a")',
        'VAR.getTag("a") == 1',
        "VAR.a == 1",
        "VAR is user",
    ):
        for name, uid in (("principal", ALICE), ("action", READ), ("resource", HOST)):
            if name == "action" and "Tag" in condition:
                continue
            text = f"permit(principal, action, resource) when {{ {condition.replace('VAR', name)} }};"
            policies = compiled(text)
            questions = [(question(), {})]
            without, with_it = (
                cedar.evaluate_batch(policies, entities, questions)[0] for entities in ("[]", sent % uid)
            )
            assert without.satisfied == with_it.satisfied
            assert len(without.failed) == len(with_it.failed)


def test_a_batch_answers_each_question_with_its_own_context():
    policies = compiled('@id("a") permit(principal, action, resource) when { context.n == principal.n };')
    entities = write_entities({ALICE: Entity(ALICE, {"n": 1})}, Needs(hierarchy=False))
    asked = [(question(), {"n": 1}), (question(), {"n": 2}), (question(principal=Uid("user", "bob")), {"n": 1})]
    outcomes = cedar.evaluate_batch(policies, entities, asked)
    assert [satisfied(outcome) for outcome in outcomes] == [["a"], [], []]
    assert [len(outcome.failed) for outcome in outcomes] == [0, 0, 1]
    broken = cedar.evaluate_batch(policies, '[{"uid":1}]', asked)
    assert [len(outcome.failed) for outcome in broken] == [1, 1, 1]
    one_bad = cedar.evaluate_batch(policies, entities, [(question(), {"n": 1.5}), asked[0]])
    assert [len(outcome.failed) for outcome in one_bad] == [1, 0]
    surrogate = cedar.evaluate_batch(policies, entities, [(question(principal=Uid("user", "\ud800")), {}), asked[0]])
    assert all(outcome.failed for outcome in surrogate)


def test_a_slice_joins_what_its_policies_need():
    policies = parsed('permit(principal is A in Group::"g", action, resource) when { context has now };' + ANY)
    assert compile_slice(policies).needs == Needs(hierarchy=True, now=True, attributes=frozenset())


def test_an_error_that_nobody_knows_denies_everything(monkeypatch):
    real = cedarpy.is_authorized_batch

    def strange(*arguments):
        results = real(*arguments)
        for result in results:
            result.diagnostics.errors.append("something new")
        return results

    monkeypatch.setattr(cedarpy, "is_authorized_batch", strange)
    outcome = cedar.evaluate(compiled(ANY), facts())
    assert not outcome.satisfied
    assert failed(outcome) == [("x.cedar#1", "cedar could not decide: something new")]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("permit(principal, action, resource);", ";"),
        (
            'permit (principal == a::"(", action in [Action::"a)", Action::"b"], resource is T) when { true };',
            " when { true };",
        ),
        ('@permit("forbid(") forbid(principal /* */, action, resource);', None),
        (
            '@permit("forbid(")\n// permit(\nforbid(principal,\naction, resource)\nunless { (1) == 2 };',
            "\nunless { (1) == 2 };",
        ),
        ('@forbid permit(principal in G::"g", action, resource);', ";"),
        ('permit(principal is T in G::"g", action, resource);', None),
        ('permit(principal, action, resource is T in G::"g");', None),
    ],
)
def test_where_the_scope_of_a_policy_ends(text, body):
    policies, findings = cedar.parse("x.cedar", text)
    if findings:  # Cedar has no such comment
        assert body is None
        return
    (policy,) = policies
    assert (text[policy.scope_end :] if policy.scope_end else None) == body


def test_conditions_alone_are_asked_where_the_scope_is_known_to_match():
    text = '@id("in") permit(principal in Group::"g", action, resource) when { principal.a };'
    text += '@id("is") permit(principal is T in Group::"g", action, resource) when { principal.a };'
    chosen = compile_slice(parsed(text))
    outcome = cedar.evaluate(chosen.cedar, facts(Entity(ALICE, {"a": True}), needs=chosen.needs))
    assert satisfied(outcome) == ["in"]


def test_reasons_and_errors_are_in_the_order_of_the_policies():
    satisfied_text = "".join(f'@id("s{n}") permit(principal, action, resource);' for n in range(30))
    assert satisfied(decide(satisfied_text)) == [f"s{n}" for n in range(30)]
    failing = "".join(f'@id("f{n}") forbid(principal, action, resource) when {{ principal.x }};' for n in range(30))
    assert [name for name, _ in failed(decide(failing))] == [f"f{n}" for n in range(30)]


def test_who_knows_that_a_forbid_fails_closed_is_not_warned():
    text = '@fails("closed") forbid(principal, action, resource) when { principal.a };'
    assert cedar.may_fail(parsed(text)[0]) == ()
    assert cedar.may_fail(parsed(text.replace('@fails("closed")', ""))[0])
    _, findings = cedar.parse("x.cedar", text.replace("closed", "open"))
    assert "all there is to say" in findings[0].sentence
