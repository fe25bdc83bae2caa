"""Policies together as a filter."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from policy_service.model import Entity, Thing, Uid, Value
from policy_service.policy.residual import plan
from policy_service.policy.residual.filter import NONE, bound, find_opaque
from policy_service.policy.residual.plan import forbidding, residual, tell_policies
from policy_service.policy.residual.rows import matches
from policy_service.policy.residual.words import explain
from tests.unit.policy.residual.questions import ALICE, find, forbid, gather, make, permit

ROW = Uid("host", "h1")


def say(policies: str, **question: object) -> str:
    return explain(find(policies, **question))


# what follows from policies


def test_some_permit_has_to_be_satisfied() -> None:
    assert say(permit("resource.a == 1") + permit("resource.b == 2", "q")) == "(a = 1 or b = 2)"
    assert say("forbid(principal, action, resource) when { resource.a == 1 };") == "no row"


def test_a_forbid_that_fails_denies() -> None:
    assert say(forbid("resource.secret")) == "secret = false"
    assert say(forbid("resource has secret && resource.secret")) == "(not (secret is there) or secret = false)"


def test_every_forbid_has_to_be_false() -> None:
    policies = forbid("resource has a") + "forbid(principal, action, resource) when { resource has b };"
    assert say(policies) == "(not (a is there) and not (b is there))"


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("principal, action, resource", "every row"),
        ("principal, action, resource is host", 'type = "host"'),
        ('principal, action, resource in Folder::"f"', "the row is or is in Folder:f"),
        ('principal, action, resource is host in Folder::"f"', '(the row is or is in Folder:f and type = "host")'),
        ('principal, action, resource == host::"h"', '(type = "host" and id = "h")'),
        ('principal in Group::"staff", action == Action::"read", resource', "every row"),
        ('principal in Group::"other", action, resource', "no row"),
        ('principal == user::"bob", action, resource', "no row"),
        ('principal, action == Action::"write", resource', "no row"),
        ("principal is robot, action, resource", "no row"),
    ],
)
def test_scopes(scope: str, words: str) -> None:
    assert say(f"permit({scope});") == words


def test_principals_are_found_in_the_same_way() -> None:
    policies = permit('principal.team == resource.team && principal in Group::"staff"')
    known = Thing("user", "alice")
    assert say(policies, known=known, unknown="principal") == '(team = "red" and the row is or is in group:staff)'


def test_what_a_request_says_of_every_row_wins() -> None:
    assert say(permit('resource.env == "prod"'), overlay={"env": "prod"}) == "every row"
    assert say(permit('resource.env == "prod"'), overlay={"env": "dev"}) == "no row"
    assert say(permit("resource.owner == 1"), overlay={"owner": 1}) == "every row"


def test_what_relationships_draw_is_told_by_whoever_asks() -> None:
    bundle = make(permit("resource.owner.contains(principal)"))
    stale = gather(bundle)
    fresh = stale.__class__(**{name: getattr(stale, name) for name in stale.__slots__} | {"drawn": frozenset()})
    assert explain(residual(bundle, stale)) == "some of owner is one of user:alice"
    # a property of that name never holds an entity
    assert explain(residual(bundle, fresh)) == "no row"


def test_each_forbid_is_told_with_the_rows_that_it_spares() -> None:
    bundle = make(forbid("resource has a"), "forbid(principal, action, resource) when { false };")
    assert [(policy.id, explain(spared)) for policy, spared in forbidding(bundle, gather(bundle))] == [
        ("f", "not (a is there)")
    ]


# rows that are known otherwise too


def test_a_row_that_the_request_tells_of_by_name_is_decided_by_itself() -> None:
    stored = {ROW: Entity(ROW, {})}
    bundle = make(permit("resource has a"), forbid("resource has b"))
    asked = gather(bundle, Thing("host", "h1", {"a": 1}), stored=stored)
    filter_ = residual(bundle, asked)
    itself = 'type = "host" and id = "h1"'
    assert explain(bound(filter_, upper=False)) == f"(not (({itself})) and not (b is there))"
    assert explain(bound(filter_, upper=True)) == f"((not (({itself})) and not (b is there)) or ({itself}))"
    # what a forbid is of that row is not known either
    assert all(list(find_opaque(spared)) for _, spared in forbidding(bundle, asked))


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_what_is_said_of_every_row_is_said_of_the_known_side_where_that_is_a_row(effect: str) -> None:
    policies = (f'@id("p") {effect}(principal, action, resource) when {{ principal.level == 5 }};', permit("true", "q"))
    bundle = make(*policies[: 2 if effect == "forbid" else 1])
    asked = gather(bundle, Thing("host", "h1"), overlay={"level": 5}, stored={ROW: Entity(ROW, {"level": 1})})
    filter_ = residual(bundle, asked)
    # of other rows `principal.level` is 1
    other, itself = Entity(Uid("host", "h2"), {}), Entity(ROW, {})
    assert (
        matches(bound(filter_, upper=False), other)
        is matches(bound(filter_, upper=True), other)
        is (effect == "forbid")
    )
    assert not matches(bound(filter_, upper=False), itself)
    assert matches(bound(filter_, upper=True), itself)
    assert ("p" in {policy.id for policy, _ in forbidding(bundle, asked)}) is (effect == "forbid")


def test_a_plan_says_of_which_rows_it_says_nothing() -> None:
    stored = {ROW: Entity(ROW, {"a": 1})}
    bundle = make(permit("resource has a"))
    # the same facts, told by the store and by the request
    for properties in ({}, {"a": 1}):
        asked = gather(bundle, Thing("host", "h1", properties), stored=stored)
        assert bool(list(find_opaque(residual(bundle, asked)))) is bool(properties)
    without = make(forbid("resource has a").partition("\n")[2])
    assert residual(without, gather(without, Thing("host", "h1", {"a": 1}), stored=stored)) == NONE


def test_without_an_overlay_nothing_is_known_twice() -> None:
    stored = {ROW: Entity(ROW, {})}
    bundle = make(permit("resource has a"))
    assert gather(bundle, Thing("host", "h1"), stored=stored).twofold == frozenset()
    assert gather(bundle, Thing("host", "h1"), overlay={"a": 1}, stored=stored).twofold == {ROW}
    # an entity of a file is no row
    assert gather(bundle, ALICE._replace(properties={"a": 1})).twofold == frozenset()


# what is kept


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a plan was made."""
    count: list[int] = []
    make_plan = plan._make
    monkeypatch.setattr(plan, "_make", lambda *args: count.append(1) or make_plan(*args))
    return count


READS = permit(
    "principal.level == resource.level && context.size > resource.size && principal in resource.owner"
    " && principal.hasTag(resource.name)"
)
SELF = Uid("user", "alice")


def alice(parents: frozenset[Uid] = frozenset(), tags: Mapping[str, Value] | None = None) -> dict[Uid, Entity]:
    """Alice as the file has her, but for this."""
    filed = make("permit(principal, action, resource);").entities[SELF]
    return {SELF: Entity(SELF, filed.attributes, parents, filed.tags if tags is None else tags)}


@pytest.mark.parametrize(
    "other",
    [
        {"known": Thing("user", "bob")},
        {"known": Thing("user", "alice", {"level": 5})},
        {"context": {"size": 2}},
        {"overlay": {"size": 7}},
        {"unknown": "principal"},
        {"stored": alice(parents=frozenset([ROW]))},
        {"stored": alice(tags={"env": "dev", "other": 1})},
    ],
)
def test_a_plan_is_kept_by_what_was_read(made: list[int], other: dict[str, object]) -> None:
    bundle = make(READS)
    asked = {"context": {"size": 1}}
    first = residual(bundle, gather(bundle, **asked))  # type: ignore[arg-type]
    assert residual(bundle, gather(bundle, **asked)) == first  # type: ignore[arg-type]
    assert len(made) == 1
    found = residual(bundle, gather(bundle, **{**asked, **other}))  # type: ignore[arg-type]
    assert len(made) == 2
    assert found == residual(make(READS), gather(make(READS), **{**asked, **other}))  # type: ignore[arg-type]


def test_two_of_whom_the_same_is_known_have_plans_of_their_own() -> None:
    bundle = make(permit("resource.owner.contains(principal)"))
    for name in ("ghost", "ghoul"):
        asked = gather(bundle, Thing("user", name))
        assert explain(residual(bundle, asked)) == f"some of owner is one of user:{name}"


def test_what_no_policy_reads_makes_no_other_plan(made: list[int]) -> None:
    bundle = make(READS)
    residual(bundle, gather(bundle, context={"size": 1, "trace": "x"}))
    residual(bundle, gather(bundle, ALICE._replace(properties={"mood": "good"}), context={"size": 1, "trace": "y"}))
    assert len(made) == 1


def test_what_is_read_of_the_time_is_not_kept(made: list[int]) -> None:
    bundle = make(permit('context.now > datetime("2025-01-01") && resource has a'))
    for _ in range(2):
        assert explain(residual(bundle, gather(bundle))) == "a is there"
    assert len(made) == 2


def test_where_any_of_the_context_may_be_read_all_of_it_counts(made: list[int]) -> None:
    bundle = make(permit("context == {size: 1} && resource has a"))
    for size in (1, 2):
        residual(bundle, gather(bundle, context={"size": size}))
    assert len(made) == 2


# budgets


def test_policies_that_come_to_too_much_together_are_opaque(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LEAVES", 4)
    looked: list[str] = []
    tell = plan._tell
    monkeypatch.setattr(plan, "_tell", lambda *given: looked.append(given[-1]) or tell(*given))
    bundle = make(*(permit(f"resource has {name}", name) for name in "abcde"))
    told = {policy.id: truth for policy, truth in tell_policies(bundle, gather(bundle))}
    assert [name for name, truth in told.items() if list(find_opaque(truth.yes))] == ["c", "d", "e"]
    # the others, of which there may be thousands, are not looked at, and are one unknown
    assert looked[-3:] == ["a", "b", "c"]
    assert len(list(find_opaque(residual(bundle, gather(bundle))))) == 1


def test_the_three_languages_together() -> None:
    rule = {"uid": "a", "effect": "deny", "rules": {"resource": {"$.env": {"condition": "Equals", "value": "prod"}}}}
    files = {"x.abac.json": json.dumps({**rule, "targets": {}})}
    bundle = make(permit("resource has env"), **files)
    assert explain(residual(bundle, gather(bundle))) == '(env is a text and not (env = "prod"))'
