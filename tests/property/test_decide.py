"""What a decision is, whatever the policies: every engine against the model, and the laws of combination."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policy_service.model import Act, Request, Thing
from tests.property import spec
from tests.property.files import answer, make_bundle

SUBJECTS, ACTIONS, RESOURCES = ("alice", "bob", "d1"), ("read", "write"), ("d1", "d2")
# `level` may be sent as a text: then an order fails in each language; whether `==` does is not common to them
ATTRIBUTES = ("level", "rank", "team")
CONSTANTS = {"level": st.integers(-3, 3), "rank": st.integers(-3, 3), "team": st.sampled_from(["red", "blue", ""])}
OPERATORS = {"level": ("<", "<=", ">", ">="), "rank": ("==", "!=", "<", "<=", ">", ">="), "team": ("==", "!=")}

attributes = st.fixed_dictionaries(
    {},
    optional={
        "level": st.one_of(st.integers(-3, 3), st.sampled_from(["red"])),
        "rank": st.integers(-3, 3),
        "team": st.sampled_from(["red", "blue", ""]),
    },
)
asks = st.builds(spec.Ask, st.sampled_from(SUBJECTS), st.sampled_from(ACTIONS), st.sampled_from(RESOURCES), attributes)


@st.composite
def rules(draw: st.DrawFn, least: int = 0) -> list[spec.Rule]:
    made = []
    for number in range(draw(st.integers(least, 6))):
        attribute = draw(st.none() | st.sampled_from(ATTRIBUTES))
        made.append(
            spec.Rule(
                id=f"rule-{number}",
                effect=draw(st.sampled_from(["permit", "permit", "forbid"])),
                subject=draw(st.none() | st.sampled_from(SUBJECTS)),
                action=draw(st.none() | st.sampled_from(ACTIONS)),
                resource=draw(st.none() | st.sampled_from(RESOURCES)),
                attribute=attribute,
                operator=draw(st.sampled_from(OPERATORS[attribute])) if attribute else "==",
                constant=draw(CONSTANTS[attribute]) if attribute else 0,
            )
        )
    return made


def in_cedar(chosen: list[spec.Rule]) -> dict[str, str]:
    return {"rules.cedar": "".join(map(spec.render_cedar, chosen))} if chosen else {}


def in_abac(chosen: list[spec.Rule]) -> dict[str, str]:
    return {"rules.abac.json": "[" + ",".join(map(spec.render_abac, chosen)) + "]"} if chosen else {}


def in_casbin(chosen: list[spec.Rule]) -> dict[str, str]:
    files = {}
    for rule in chosen:
        model, policy = spec.render_casbin(rule)
        files |= {f"{rule.id}.casbin/model.conf": model, f"{rule.id}.casbin/policy.csv": policy}
    return files


def to_request(ask: spec.Ask) -> Request:
    return Request(Thing("user", ask.subject, ask.attributes), Act(ask.action), Thing("doc", ask.resource))


@settings(max_examples=150, deadline=None)
@given(rules(), st.lists(asks, min_size=1, max_size=4), st.sampled_from([in_cedar, in_abac, in_casbin]))
def test_each_engine_agrees_with_the_model(chosen, questions, render):
    bundle = make_bundle(render(chosen))
    for ask in questions:
        decision = answer(bundle, to_request(ask))
        allowed, reasons, failed = spec.decide(chosen, ask)
        assert decision.allowed is allowed
        # a casbin line's id is its folder and line
        assert {policy.id.removesuffix(".casbin:1") for policy in decision.reasons} == reasons
        assert {failure.policy.id.removesuffix(".casbin:1") for failure in decision.errors} == failed


@settings(max_examples=80, deadline=None)
@given(rules(), rules(), rules(), asks)
def test_three_languages_together_decide_as_one(first, second, third, ask):
    first = [replace(rule, id=f"a-{rule.id}") for rule in first]
    second = [replace(rule, id=f"b-{rule.id}") for rule in second]
    third = [replace(rule, id=f"c-{rule.id}") for rule in third]
    bundle = make_bundle(in_cedar(first) | in_abac(second) | in_casbin(third))
    decision = answer(bundle, to_request(ask))
    assert decision.allowed is spec.decide(first + second + third, ask)[0]


@settings(max_examples=60, deadline=None)
@given(rules(), asks)
def test_no_permit_no_allow(chosen, ask):
    forbids = [rule for rule in chosen if rule.effect == "forbid"]
    assert not answer(make_bundle(in_cedar(forbids)), to_request(ask)).allowed


@settings(max_examples=60, deadline=None)
@given(rules(least=1), asks, st.sampled_from([in_cedar, in_abac, in_casbin]))
def test_forbid_beats_permit(chosen, ask, render):
    allowing = spec.Rule("allow-all", "permit")
    bundle = make_bundle(render([allowing, *chosen]))
    denied = any(spec.judge(rule, ask) in (spec.SATISFIED, spec.FAILED) for rule in chosen if rule.effect == "forbid")
    assert answer(bundle, to_request(ask)).allowed is not denied


@settings(max_examples=60, deadline=None)
@given(rules(), asks, st.randoms(use_true_random=False))
def test_order_and_duplicates_never_matter(chosen, ask, random):
    again = [replace(rule, id=f"{rule.id}-again") for rule in chosen]
    shuffled = chosen + again
    random.shuffle(shuffled)
    first = answer(make_bundle(in_cedar(chosen)), to_request(ask))
    second = answer(make_bundle(in_cedar(shuffled)), to_request(ask))
    assert first.allowed is second.allowed
    assert {p.id for p in first.reasons} == {p.id.removesuffix("-again") for p in second.reasons}
