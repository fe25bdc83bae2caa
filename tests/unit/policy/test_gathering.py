"""Gathering facts: overlay, tenant, ancestors, references, and no more than the slice reads."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from policy_service.model import Act, Entity, Extension, Request, Thing, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.facts import Facts
from policy_service.policy.gathering import Gatherer, references
from policy_service.policy.groups import Groups
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY, Asked, Unknown
from tests.property.files import answer, gather, make_bundle, question

ALICE, BOB, CAROL, DOC = Uid("user", "alice"), Uid("user", "bob"), Uid("user", "carol"), Uid("doc", "d1")
NOW = Extension("datetime", "2026-01-01T12:00:00Z")
ANYONE = "permit(principal, action, resource)"


def group(name: str) -> Uid:
    return Uid("Group", name)


def to(uid: Uid) -> dict[str, Any]:
    """A reference as files write it."""
    return {"__entity": {"type": uid.type, "id": uid.id}}


def stored(uid: Uid, parents: Collection[Uid] = (), **attributes: Any) -> dict[str, Any]:
    """An entity as `entities.json` writes it."""
    return {
        "uid": {"type": uid.type, "id": uid.id},
        "attrs": attributes,
        "parents": [{"type": parent.type, "id": parent.id} for parent in parents],
    }


def make(condition: str = "true", *entities: dict[str, Any], groups: str = "", tenant: str = "acme") -> Bundle:
    """A bundle of one policy that holds where the condition does."""
    files = {"p.cedar": f"{ANYONE} when {{ {condition} }};", "entities.json": json.dumps(entities)}
    return make_bundle(files | ({"groups.csv": groups} if groups else {}), tenant)


class Store:
    """A store that remembers what it was asked for."""

    def __init__(self, bundle: Bundle) -> None:
        self.entities = bundle.entities
        self.asked: list[Uid] = []

    def fetch(self, uids: Collection[Uid]) -> Mapping[Uid, Entity]:
        self.asked += uids
        return {uid: self.entities[uid] for uid in uids if uid in self.entities}


# overlay


def test_what_is_sent_wins_by_attribute_and_removes_none() -> None:
    bundle = make("true", stored(ALICE, team="red", level=1))
    assert gather(bundle, question(level=2, new="x")).principal.attributes == {
        "tenant": "acme",
        "team": "red",
        "level": 2,
        "new": "x",
    }
    assert gather(bundle, question(team=None)).principal.attributes["team"] == "red"


def test_the_overlay_is_never_deep() -> None:
    bundle = make("true", stored(ALICE, address={"city": "Bern", "zip": 3000}))
    assert gather(bundle, question(address={"city": "Rome"})).principal.attributes["address"] == {"city": "Rome"}


def test_the_resource_is_overlaid_too_and_the_stored_entities_stay_as_they_are() -> None:
    bundle = make("true", stored(DOC, level=1))
    request = question()._replace(resource=Thing("doc", "d1", {"level": 2}))
    assert gather(bundle, request).resource.attributes == {"tenant": "acme", "level": 2}
    assert bundle.entities[DOC].attributes == {"level": 1}


def test_subject_and_resource_may_be_one_entity() -> None:
    bundle = make("principal == resource", stored(ALICE, team="red"))
    request = Request(Thing("user", "alice", {"a": 1}), Act("read"), Thing("user", "alice", {"b": 2}))
    facts = gather(bundle, request)
    assert facts.principal is facts.resource
    assert facts.principal.attributes == {"tenant": "acme", "team": "red", "a": 1, "b": 2}


def test_an_overlay_is_gone_with_its_question() -> None:
    bundle = make("true", stored(ALICE, level=1))
    gatherer = Gatherer(bundle, Store(bundle).fetch, lambda: NOW, {})
    levels = [gatherer.gather(ask(asked)).principal.attributes["level"] for asked in (question(level=2), question())]
    assert levels == [2, 1]
    again = gatherer.gather(ask(question(level=3)))
    assert again.principal.attributes["level"] == 3


# tenant


@pytest.mark.parametrize("entities", [[], [stored(ALICE, a=1), stored(DOC, a=1), stored(BOB)]])
def test_the_tenant_is_asserted_of_every_entity(entities: list[dict[str, Any]]) -> None:
    facts = gather(make('user::"bob".a == 1', *entities, tenant="citadel"), question())
    known = [entity for uid, entity in facts.entities.items() if entity and uid != facts.question.action]
    assert len(known) >= 2
    assert {entity.attributes["tenant"] for entity in known} == {"citadel"}


# ancestors


def test_ancestors_are_those_of_parents_of_groups_and_of_the_groups_of_parents() -> None:
    folder, drive = Uid("folder", "f"), Uid("drive", "d")
    bundle = make(
        "true",
        stored(DOC, [folder]),
        stored(folder, [drive]),
        groups="g, doc:d1, group:a, acme\ng, group:a, group:b, acme\n"
        "g, folder:f, group:c, acme\ng, drive:d, group:d, acme\ng, group:d, group:e, acme\n",
    )
    facts = gather(bundle, question())
    assert facts.resource.parents == {folder, drive, *(group(name) for name in "abcde")}
    assert facts.principal.parents == frozenset()


def test_a_parent_that_is_not_stored_is_still_an_ancestor() -> None:
    bundle = make("true", stored(ALICE, [Uid("team", "gone")]), groups="g, team:gone, group:a, acme\n")
    assert gather(bundle, question()).principal.parents == {Uid("team", "gone"), group("a")}


def test_parents_in_a_circle_end() -> None:
    """No file may hold one, but a case's entities and the tenant's may make one together."""
    folder = Uid("folder", "f")
    circle = {DOC: Entity(DOC, {}, frozenset({folder})), folder: Entity(folder, {}, frozenset({DOC}))}
    facts = Gatherer(make(), lambda uids: {uid: circle[uid] for uid in uids if uid in circle}, lambda: NOW, {}).gather(
        ask(question())
    )
    assert facts.resource.parents == {DOC, folder}


def test_membership_needs_no_stored_entity() -> None:
    bundle = make(groups="g, user:alice, group:a, acme\ng, group:a, group:b, acme\n")
    assert gather(bundle, question()).groups == ("a", "b")
    assert gather(bundle, question("bob")).groups == ()


def test_other_groups_may_be_given_instead() -> None:
    bundle = make(groups="g, user:alice, group:a, acme\n")
    groups = Groups({ALICE: frozenset({group("b")})})
    for given, told in ((groups, ("b",)), (Groups(), ()), (None, ("a",))):
        facts = Gatherer(bundle, Store(bundle).fetch, lambda: NOW, {}, given).gather(ask(question()))
        assert facts.groups == told


def test_an_entity_that_was_overlaid_keeps_its_ancestors_and_tags() -> None:
    bundle = make("true", {**stored(ALICE, [Uid("team", "x")]), "tags": {"env": "prod"}})
    principal = gather(bundle, question(level=1)).principal
    assert principal.parents == {Uid("team", "x")}
    assert principal.tags == {"env": "prod"}


def test_an_action_has_what_was_sent_and_the_groups_of_the_schema() -> None:
    schema = "entity user, doc; action viewing; action read in [viewing] appliesTo {principal: user, resource: doc};"
    bundle = make_bundle({"p.cedar": f"{ANYONE};", "schema.cedarschema": schema})
    request = question()._replace(action=Act("read", {"soft": True}))
    action = gather(bundle, request).action
    assert action == Entity(Uid("Action", "read"), {"soft": True}, frozenset({Uid("Action", "viewing")}))


# references


def chain(condition: str) -> Facts:
    """The facts about alice, whose manager is bob, whose manager is carol, whose manager is dave, who is not stored."""
    bundle = make(
        condition,
        stored(ALICE, manager=to(BOB), level=1),
        stored(BOB, manager=to(CAROL), level=2),
        stored(CAROL, manager=to(Uid("user", "dave")), level=3),
    )
    return gather(bundle, question())


def names(facts: Facts) -> set[str]:
    return {uid.id for uid in facts.entities} - {"alice", "d1", "read"}


def test_references_are_followed_as_deep_as_policies_read() -> None:
    assert names(chain("principal.level == 1")) == set()
    assert names(chain("principal.manager.level == 2")) == {"bob"}
    assert names(chain("principal.manager.manager.level == 3")) == {"bob", "carol"}


def test_what_is_not_there_is_known_to_be_absent() -> None:
    facts = chain("principal.manager.manager.manager.level == 3")
    assert names(facts) == {"bob", "carol", "dave"}
    assert facts.entities[Uid("user", "dave")] is None


def test_references_lead_on_from_the_resource_and_from_what_the_overlay_says() -> None:
    bundle = make("resource.owner.level == 1", stored(DOC, owner=to(BOB), others=[to(CAROL)]))
    assert names(gather(bundle, question())) == {"bob", "carol"}
    # no request can send a reference, so that what it sends takes one away
    request = question()._replace(resource=Thing("doc", "d1", {"owner": "bob", "others": []}))
    assert names(gather(bundle, request)) == set()


def test_a_reference_back_to_what_is_overlaid_shows_the_overlay() -> None:
    bundle = make("resource.owner.level == 1", stored(DOC, owner=to(ALICE)), stored(ALICE, level=1))
    facts = gather(bundle, question(level=5))
    entity = facts.entities[ALICE]
    assert entity
    assert entity.attributes["level"] == 5


def test_what_a_reference_leads_to_has_its_ancestors() -> None:
    folder = Uid("folder", "f")
    bundle = make(
        'resource.owner in Group::"staff"',
        stored(DOC, owner=to(BOB)),
        stored(BOB, [folder]),
        groups="g, folder:f, group:staff, acme\ng, user:carol, group:staff, acme\n",
    )
    assert gather(bundle, question()).ancestors(BOB) == {folder, group("staff")}


def test_roots_are_looked_up_and_followed() -> None:
    entities = [stored(BOB, manager=to(CAROL), level=1), stored(CAROL, level=2)]
    assert names(gather(make('user::"bob".level == 1', *entities), question())) == {"bob"}
    assert names(gather(make('user::"bob".manager.level == 1', *entities), question())) == {"bob", "carol"}


def test_a_group_that_is_named_exists_with_the_groups_it_is_in() -> None:
    bundle = make('Group::"a" in Group::"b" || user::"bob" in Group::"b"', groups="g, group:a, group:b, acme\n")
    facts = gather(bundle, question())
    assert facts.entities[group("a")] == Entity(group("a"), {"tenant": "acme"}, frozenset({group("b")}))
    assert facts.entities[BOB] is None


def test_references_are_found_in_sets_and_records_and_tags() -> None:
    bundle = make(
        "resource.a.b.level == 1 && context has x",
        {**stored(DOC, a={"b": to(BOB)}, c=[[to(CAROL)]]), "tags": {"t": to(Uid("user", "dave"))}},
    )
    assert names(gather(bundle, question())) == {"bob", "carol", "dave"}
    assert references({"a": "user", "b": 1, "c": {"d": [ALICE, {"e": BOB}]}}, {"t": DOC}) == {ALICE, BOB, DOC}


# what is asked for


def test_what_is_stored_is_fetched_once_for_all_questions() -> None:
    folder = Uid("folder", "f")
    bundle = make("resource.owner.level == 1", stored(DOC, [folder], owner=to(BOB)), stored(folder))
    store = Store(bundle)
    gatherer = Gatherer(bundle, store.fetch, lambda: NOW, {})
    for asked in (question(), question(), question(level=1), question("bob")):
        gatherer.gather(ask(asked))
    assert sorted(store.asked) == sorted([ALICE, DOC, folder, BOB])


def test_a_parent_is_fetched_once_for_all_its_children() -> None:
    folder, other = Uid("folder", "f"), Uid("doc", "d2")
    bundle = make("true", stored(DOC, [folder]), stored(other, [folder]), stored(folder))
    store = Store(bundle)
    gatherer = Gatherer(bundle, store.fetch, lambda: NOW, {})
    above = [gatherer.gather(ask(question(resource=name))).resource.parents for name in ("d1", "d2")]
    assert above == [{folder}, {folder}]
    assert store.asked.count(folder) == 1


def test_an_entity_that_nobody_overlays_is_made_once() -> None:
    bundle = make("true", stored(DOC, level=1))
    gatherer = Gatherer(bundle, Store(bundle).fetch, lambda: NOW, {})
    first, second = (gatherer.gather(ask(asked)) for asked in (question(), question(level=1)))
    # by which a batch is told apart fast
    assert first.resource is second.resource
    assert first.principal is not second.principal


def test_now_and_caller_are_there_only_where_they_are_read() -> None:
    caller = {"key": "k", "ip": Extension("ip", "10.0.0.1")}
    sent = question()._replace(context={"a": 1})

    def context(condition: str) -> dict[str, Any]:
        return gather(make(condition), sent, caller).context

    assert context("context.a == 1") == {"a": 1}
    assert context('context.now > datetime("2020-01-01")') == {"a": 1, "now": NOW}
    assert context('context.caller.key == "k"') == {"a": 1, "caller": caller}
    both = context('context has now && context.caller.key == "k"')
    assert both == {"a": 1, "now": NOW, "caller": caller}


def test_the_clock_is_asked_only_where_it_is_read() -> None:
    def fail() -> Any:
        raise AssertionError

    bundle = make("context.a == 1")
    assert Gatherer(bundle, Store(bundle).fetch, fail, {}).gather(ask(question())).context == {}


def test_what_was_asked_is_not_changed() -> None:
    bundle = make("context has now && context has caller")
    asked = ask(question()._replace(context={"a": 1}))
    Gatherer(bundle, Store(bundle).fetch, lambda: NOW, {"key": "k"}).gather(asked)
    assert asked.context == {"a": 1}


# actions that policies name, or attributes refer to


@pytest.mark.parametrize("effect", ["permit", "forbid"])
@pytest.mark.parametrize(
    "condition",
    ['Action::"write" in Action::"changing"', 'resource.needs in Action::"changing"', "action in resource.all"],
)
def test_an_action_is_in_its_groups_whoever_names_it(effect, condition):
    needs = stored(DOC, needs=to(Uid("Action", "write")), all=[to(Uid("Action", "viewing"))])
    files = {
        "schema.cedarschema": "action changing, viewing; action write in [changing]; action read in [viewing];",
        "entities.json": json.dumps([needs]),
    }
    # validation would want a type for `needs`; in life it stands in a tenant without a schema for its entities
    bundle = make_bundle({**files})
    with_policy = make_bundle({"p.cedar": f"{effect}(principal, action, resource) when {{ {condition} }};"})
    bundle = replace(with_policy, actions=bundle.actions, layer=replace(with_policy.layer, entities=bundle.entities))
    reasons = [policy.effect for policy in answer(bundle, question()).reasons]
    assert reasons == [effect]


def test_the_action_that_is_asked_for_keeps_what_was_sent_where_a_policy_names_it() -> None:
    bundle = make('Action::"read" in Action::"viewing" || action.soft')
    assert answer(bundle, question()._replace(action=Act("read", {"soft": True}))).allowed


# one side unknown


def gather_open(bundle: Bundle, known: Thing, unknown: Unknown = "resource", **parts: Any) -> Asked:
    """The facts of a question about any row; `overlay` is what it says of each."""
    row = ANY._replace(properties=parts.get("overlay", {}))
    sides = (known, row) if unknown == "resource" else (row, known)
    request = Request(sides[0], Act("read"), sides[1], parts.get("context", {}))
    gatherer = Gatherer(bundle, Store(bundle).fetch, lambda: NOW, {"key": "k"})
    return gatherer.gather_open(ask(request), unknown, parts.get("drawn"))


def test_the_known_side_is_as_a_decision_sees_it() -> None:
    bundle = make("principal in resource", stored(ALICE, [DOC], level=1), groups="g, user:alice, group:x, acme\n")
    for unknown in ("resource", "principal"):
        asked = gather_open(bundle, Thing("user", "alice", {"mood": "good"}), unknown)
        assert asked.known.uid == ALICE
        assert asked.known.attributes == {"tenant": "acme", "level": 1, "mood": "good"}
        assert asked.known.parents == {DOC, group("x")}
        assert asked.entities.keys() == {ALICE, Uid("Action", "read")}


def test_what_is_said_of_every_row_stays_apart() -> None:
    bundle = make("resource.level == 1", stored(ALICE, level=1))
    asked = gather_open(bundle, Thing("user", "alice"), overlay={"level": 2})
    assert asked.overlay == {"level": 2}
    assert asked.known.attributes["level"] == 1


def test_references_of_the_known_side_are_followed() -> None:
    bundle = make("principal.boss.level == 1", stored(ALICE, boss=to(BOB)), stored(BOB, level=1))
    asked = gather_open(bundle, Thing("user", "alice"))
    bob = asked.entities[BOB]
    assert bob is not None
    assert bob.attributes["level"] == 1


def test_the_context_has_what_is_read() -> None:
    assert gather_open(make("context.now == context.now"), Thing("user", "alice")).context == {"now": NOW}
    assert gather_open(make('context.caller.key == "k"'), Thing("user", "alice")).context == {"caller": {"key": "k"}}
    assert gather_open(make("context.a == 1"), Thing("user", "alice"), context={"a": 1}).context == {"a": 1}


def test_what_relationships_draw_is_the_store_s_to_say() -> None:
    files = {"relationships.yaml": "relationships:\n  owns: {attribute: {on: to, name: owner}}\n"}
    bundle = make_bundle(files)
    assert gather_open(bundle, Thing("user", "alice")).drawn == {"owner"}
    assert gather_open(bundle, Thing("user", "alice"), drawn=["team"]).drawn == {"team"}
