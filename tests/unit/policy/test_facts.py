"""What engines and the log are told: no more than the slice reads, and enough to decide again."""

from __future__ import annotations

import json
from typing import Any

from policy_service.model import Entity, Extension, Uid
from policy_service.policy.facts import Facts, write_entities
from policy_service.policy.request import Question
from policy_service.policy.scope import Needs

ALICE, DOC, READ = Uid("user", "alice"), Uid("doc", "d1"), Uid("Action", "read")
STAFF, FOLDER, BOB = Uid("Group", "staff"), Uid("folder", "f1"), Uid("user", "bob")
QUESTION = Question(ALICE, READ, DOC, "user", "doc", "read", {}, {}, {})


def make(needs: Needs, *entities: Entity) -> Facts:
    known: dict[Uid, Entity | None] = {uid: Entity(uid, {"tenant": "acme"}) for uid in (ALICE, DOC)}
    known[READ] = Entity(READ, {})
    return Facts(QUESTION, needs, known | {entity.uid: entity for entity in entities} | {BOB: None}, {})


def write(needs: Needs, *entities: Entity | None) -> dict[str, Any]:
    """What is written of each entity, by its id."""
    known = {entity.uid if entity else BOB: entity for entity in entities}
    return {told["uid"]["id"]: told for told in json.loads(write_entities(known, needs))}


def test_only_attributes_that_are_read_are_written() -> None:
    alice = Entity(ALICE, {"team": "red", "ssn": "123"})
    assert write(Needs(attributes=frozenset({"team", "age"})), alice)["alice"]["attrs"] == {"team": "red"}
    assert write(Needs(attributes=frozenset({"team", "ssn"})), alice)["alice"]["attrs"] == {"team": "red", "ssn": "123"}
    assert write(Needs(attributes=None), alice)["alice"]["attrs"] == {"team": "red", "ssn": "123"}


def test_ancestors_are_written_where_they_are_asked_for() -> None:
    alice = Entity(ALICE, {"a": 1}, frozenset({STAFF}))
    assert write(Needs(hierarchy=True), alice)["alice"]["parents"] == [{"type": "Group", "id": "staff"}]
    assert write(Needs(hierarchy=False), alice)["alice"]["parents"] == []


def test_the_ancestors_of_an_action_always_are() -> None:
    for kind in ("Action", "Todo::Action"):
        above = write(Needs(), Entity(Uid(kind, "read"), {}, frozenset({Uid(kind, "viewing")})))
        assert above["read"]["parents"] == [{"type": kind, "id": "viewing"}]
    assert write(Needs(), Entity(Uid("Reaction", "read"), {}, frozenset({FOLDER}))) == {}


def test_what_says_nothing_is_left_out() -> None:
    assert write(Needs(hierarchy=True), None, Entity(ALICE, {})) == {}
    assert write(Needs(), Entity(ALICE, {}, frozenset({STAFF}))) == {}
    # to Cedar an entity that lost its attributes may be away, but to a reader of the log it was there
    assert write(Needs(attributes=frozenset()), Entity(ALICE, {"a": 1}))["alice"]["attrs"] == {}


def test_tags_are_written() -> None:
    assert write(Needs(), Entity(DOC, {}, tags={"env": "prod"}))["d1"]["tags"] == {"env": "prod"}
    assert "tags" not in write(Needs(), Entity(DOC, {"a": 1}))["d1"]


def test_references_and_extension_values_are_written_as_cedar_has_them() -> None:
    told = write(Needs(), Entity(DOC, {"owner": ALICE, "ip": Extension("ip", "10.0.0.1")}))
    assert told["d1"]["uid"] == {"type": "doc", "id": "d1"}
    assert told["d1"]["attrs"] == {
        "owner": {"__entity": {"type": "user", "id": "alice"}},
        "ip": {"__extn": {"fn": "ip", "arg": "10.0.0.1"}},
    }


def test_the_text_is_written_once_for_the_engine_and_the_log() -> None:
    facts = make(Needs())
    assert facts.recorded_json is facts.cedar_json


def test_ancestors_that_chose_the_slice_are_recorded_even_where_cedar_is_not_told() -> None:
    for uid, above in ((ALICE, STAFF), (DOC, FOLDER)):
        facts = make(Needs(hierarchy=False), Entity(uid, {"tenant": "acme"}, frozenset({above})))
        assert above.id not in facts.cedar_json
        assert above.id in facts.recorded_json
    asked = make(Needs(hierarchy=True), Entity(ALICE, {"tenant": "acme"}, frozenset({STAFF})))
    assert asked.recorded_json is asked.cedar_json


def test_the_entities_of_the_question_are_known() -> None:
    facts = make(Needs(), Entity(ALICE, {"a": 1}), Entity(DOC, {"b": 2}), Entity(READ, {"soft": True}))
    assert facts.principal.attributes == {"a": 1}
    assert facts.resource.attributes == {"b": 2}
    assert facts.action.attributes == {"soft": True}


def test_groups_are_the_principal_s_by_name_sorted() -> None:
    above = frozenset({Uid("Group", "b"), Uid("Group", "a"), Uid("team", "c")})
    facts = make(Needs(), Entity(ALICE, {}, above), Entity(DOC, {}, frozenset({Uid("Group", "z")})))
    assert facts.groups == ("a", "b")


def test_ancestors_of_what_is_absent_or_was_not_looked_up_are_none() -> None:
    facts = make(Needs(), Entity(ALICE, {}, frozenset({STAFF})))
    assert facts.ancestors(ALICE) == {STAFF}
    assert facts.ancestors(BOB) == facts.ancestors(FOLDER) == frozenset()
