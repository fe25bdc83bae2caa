"""One meaning for three engines, and batches whose items share no more than they may."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from policy_service.model import Act, Decision, Request, Thing
from policy_service.policy.bundle import Bundle
from policy_service.policy.decide import decide, decide_all
from policy_service.policy.engines import cedar
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import ask
from tests.property import spec
from tests.property.files import answer, gather, make_bundle, question

Write = Callable[[spec.Rule], dict[str, str]]


def in_cedar(rule: spec.Rule) -> dict[str, str]:
    return {f"{rule.id}.cedar": spec.render_cedar(rule)}


def in_abac(rule: spec.Rule) -> dict[str, str]:
    return {f"{rule.id}.abac.json": spec.render_abac(rule)}


def in_casbin(rule: spec.Rule) -> dict[str, str]:
    model, policy = spec.render_casbin(rule)
    return {f"{rule.id}.casbin/model.conf": model, f"{rule.id}.casbin/policy.csv": policy}


LANGUAGES = [in_cedar, in_abac, in_casbin]
PERMIT, FORBID = spec.Rule("permit", "permit"), spec.Rule("forbid", "forbid")
# `level` is never sent
FAILING_PERMIT = spec.Rule("failing-permit", "permit", attribute="level")
FAILING_FORBID = spec.Rule("failing-forbid", "forbid", attribute="level")
# `rank` is 1
OTHER_PERMIT = spec.Rule("other-permit", "permit", attribute="rank", constant=2)
OTHER_FORBID = spec.Rule("other-forbid", "forbid", attribute="rank", constant=2)


def decided(*rules: tuple[Write, spec.Rule]) -> tuple[bool, list[str], list[str], list[str]]:
    """What is decided, and the ids of reasons, errors and unsatisfied permits; a casbin line's is its folder."""
    files = {name: text for write, rule in rules for name, text in write(rule).items()}
    decision = answer(make_bundle(files), question(rank=1))

    def names(policies: Sequence[Any]) -> list[str]:
        return sorted(policy.id.removesuffix(".casbin:1") for policy in policies)

    errors = names([failure.policy for failure in decision.errors])
    return decision.allowed, names(decision.reasons), errors, names(decision.unsatisfied)


@pytest.mark.parametrize("permitting", LANGUAGES)
@pytest.mark.parametrize("other", LANGUAGES)
def test_four_rules_across_engines(permitting: Write, other: Write) -> None:
    permit = (permitting, PERMIT)
    assert decided(permit, (other, FORBID)) == (False, ["forbid"], [], [])
    assert decided(permit, (other, FAILING_FORBID)) == (False, [], ["failing-forbid"], [])
    assert decided(permit, (other, OTHER_FORBID)) == (True, ["permit"], [], [])
    assert decided(permit, (other, FAILING_PERMIT)) == (True, ["permit"], ["failing-permit"], [])
    assert decided((permitting, OTHER_PERMIT), (other, FAILING_PERMIT)) == (
        False,
        [],
        ["failing-permit"],
        ["other-permit"],
    )


@pytest.mark.parametrize("write", LANGUAGES)
def test_a_satisfied_forbid_is_the_reason_even_where_others_failed(write: Write) -> None:
    told = decided((write, FORBID), (in_cedar, FAILING_FORBID), (in_abac, PERMIT), (in_casbin, FAILING_PERMIT))
    assert told == (False, ["forbid"], ["failing-forbid", "failing-permit"], [])


def test_no_policy_at_all_denies() -> None:
    assert decided() == (False, [], [], [])
    assert decided((in_abac, OTHER_FORBID)) == (False, [], [], [])


def test_all_that_permitted_are_reasons_and_so_are_all_that_forbade() -> None:
    permits = [(write, spec.Rule(f"p{number}", "permit")) for number, write in enumerate(LANGUAGES)]
    forbids = [(write, spec.Rule(f"f{number}", "forbid")) for number, write in enumerate(LANGUAGES)]
    assert decided(*permits) == (True, ["p0", "p1", "p2"], [], [])
    assert decided(*permits, *forbids) == (False, ["f0", "f1", "f2"], [], [])


def test_unsatisfied_are_the_permits_that_could_have_matched() -> None:
    away = spec.Rule("away", "permit", subject="bob")
    told = decided(*((write, OTHER_PERMIT) for write in LANGUAGES[:1]), (in_abac, away), (in_casbin, OTHER_FORBID))
    assert told == (False, [], [], ["other-permit"])
    # the names of two engines' permits
    both = decided((in_cedar, OTHER_PERMIT), (in_casbin, spec.Rule("third", "permit", attribute="rank", constant=3)))
    assert both == (False, [], [], ["other-permit", "third"])


def test_where_cedar_can_t_decide_every_policy_failed() -> None:
    bundle = make_bundle({"p.cedar": '@id("p") permit(principal, action, resource);'})
    # half of a surrogate pair can't be handed over
    decision = answer(bundle, question("\ud800"))
    assert not decision.allowed
    assert [failure.policy.id for failure in decision.errors] == ["platform-nothing", "p"]


def test_a_decision_names_the_version_of_its_bundle() -> None:
    bundle = make_bundle({})
    assert answer(bundle, question()).version == bundle.version_text == "0" * 16


# batches

POLICIES = """
@id("one") permit(principal, action, resource) when { principal.level == 1 };
@id("in") permit(principal, action, resource) when { principal.levels.contains(1) };
@id("deep") permit(principal, action, resource) when { principal.about.level == 1 };
@id("softly") permit(principal, action, resource) when { action.soft == 1 };
"""


def decide_batch(bundle: Bundle, requests: Sequence[Request]) -> list[Decision]:
    entities = bundle.entities
    gatherer = Gatherer(bundle, lambda uids: {uid: entities[uid] for uid in uids if uid in entities}, lambda: 0, {})
    return decide_all(bundle, [gatherer.gather(ask(each)) for each in requests])


def batch(bundle: Bundle, requests: Sequence[Request]) -> list[bool]:
    return [decision.allowed for decision in decide_batch(bundle, requests)]


def alone(bundle: Bundle, requests: Sequence[Request]) -> list[bool]:
    return [answer(bundle, request).allowed for request in requests]


@pytest.mark.parametrize("make", [lambda v: {"level": v}, lambda v: {"levels": [v]}, lambda v: {"about": {"level": v}}])
@pytest.mark.parametrize("values", [(1, True), (True, 1), (0, False), (1, 1.0), (1, 2), (2, 1)])
def test_items_that_differ_as_true_and_one_do_are_not_merged(
    make: Callable[[Any], dict[str, Any]], values: tuple[Any, Any]
) -> None:
    bundle = make_bundle({"p.cedar": POLICIES})
    requests = [question(**make(value)) for value in values]
    assert batch(bundle, requests) == alone(bundle, requests)


def test_properties_of_an_action_are_not_merged_either() -> None:
    bundle = make_bundle({"p.cedar": POLICIES})
    requests = [Request(Thing("user", "u"), Act("read", {"soft": soft}), Thing("doc", "d")) for soft in (1, True, 1)]
    assert batch(bundle, requests) == [True, False, True]


def test_what_one_item_says_of_an_entity_another_does_not_see() -> None:
    """What is stored nowhere is nothing to the second item, whatever the first one sends of it."""
    bundle = make_bundle(
        {
            "p.cedar": "permit(principal, action, resource) when { resource.next.level == 1 };",
            "entities.json": json.dumps(
                [{"uid": {"type": "doc", "id": "d2"}, "attrs": {"next": {"__entity": {"type": "doc", "id": "d1"}}}}]
            ),
        }
    )
    first = question()._replace(resource=Thing("doc", "d1", {"level": 1}))
    for requests in ([first, question(resource="d2")], [question(resource="d2"), first]):
        assert batch(bundle, requests) == [False, False]


def test_what_one_item_sends_is_gone_in_the_next() -> None:
    bundle = make_bundle({"p.cedar": POLICIES})
    assert batch(bundle, [question(level=1), question(), question(level=1, x=1)]) == [True, False, True]


def test_items_that_say_the_same_share_one_text_of_entities(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    evaluate = cedar.evaluate_batch

    def count(cedar_set: cedar.CedarSet, entities: str, questions: Sequence[Any]) -> Any:
        sizes.append(len(questions))
        return evaluate(cedar_set, entities, questions)

    monkeypatch.setattr(cedar, "evaluate_batch", count)
    bundle = make_bundle({"p.cedar": POLICIES})
    asked = [question(level=1, resource=name) for name in "abc"]
    assert batch(bundle, [*asked, question(level=2), *asked]) == [True] * 3 + [False] + [True] * 3
    assert sorted(sizes) == [1, 6]


def test_what_is_shared_is_what_all_of_them_look_up() -> None:
    entities = [{"uid": {"type": "doc", "id": name}, "attrs": {"open": name != "c"}} for name in "abc"]
    files = {"p.cedar": "permit(principal, action, resource) when { resource.open };"}
    bundle = make_bundle(files | {"entities.json": json.dumps(entities)})
    assert batch(bundle, [question(resource=name) for name in "abcd"]) == [True, True, False, False]


def test_each_item_has_its_own_context() -> None:
    bundle = make_bundle({"p.cedar": "permit(principal, action, resource) when { context.level == 1 };"})
    requests = [question()._replace(context={"level": level}) for level in (1, 2, 1)]
    assert batch(bundle, requests) == [True, False, True]


@pytest.mark.parametrize("write", LANGUAGES)
def test_a_batch_is_answered_in_order_whatever_the_engine(write: Write) -> None:
    rules = [spec.Rule("own", "permit", subject="alice"), spec.Rule("not", "forbid", action="write")]
    bundle = make_bundle({name: text for rule in rules for name, text in write(rule).items()})
    requests = [question(who, act) for who in ("bob", "alice", "carol") for act in ("read", "write")]
    assert batch(bundle, requests) == [False, False, True, False, False, False]


def test_no_cedar_is_asked_where_no_policy_is_in_cedar() -> None:
    bundle = make_bundle(in_abac(PERMIT), platform=in_casbin(OTHER_FORBID))
    requests = [question(rank=1), question(rank=2)]
    assert batch(bundle, requests) == alone(bundle, requests) == [True, False]


def test_a_batch_tells_what_each_item_alone_would_tell() -> None:
    bundle = make_bundle(
        in_cedar(OTHER_PERMIT) | in_abac(FAILING_PERMIT) | in_casbin(spec.Rule("own", "permit", subject="alice"))
    )
    requests = [question("alice", rank=1), question("bob", rank=1), question("bob", rank=2), question("bob", level=0)]
    assert decide_batch(bundle, requests) == [answer(bundle, request) for request in requests]


def test_a_batch_of_one_is_a_decision_and_one_of_none_is_nothing() -> None:
    bundle = make_bundle(in_cedar(PERMIT))
    facts = gather(bundle, question())
    assert decide_all(bundle, [facts]) == [decide(bundle, facts)]
    assert decide_all(bundle, []) == []
