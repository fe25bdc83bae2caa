"""What may be sent as an entity, a relationship or a patch, and what is said of the rest."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from policy_service.assets.drafts import Draft, End, Patch, read_entity, read_patch, read_relationship
from policy_service.assets.members import LIMITS
from policy_service.errors import RequestError
from policy_service.policy.values import read_json

NAMED = {"_key": "k", "_type": "host", "_class": "Host"}
ENDS = {"_fromEntityKey": "a", "_toEntityId": "b"}


def test_an_entity_is_read() -> None:
    text = (
        '{"_key": "k", "_type": "acme_host", "_class": ["Host", "Device", "Host"], "displayName": "Web", "n": 1.50,'
        ' "on": true, "gone": null, "list": ["b", null, "a", "b"], "tag.env": "prod", "tag.none": null, "_scope": "eu",'
        ' "_rawData": [{"name": "x", "rawData": {}}, {}]}'
    )
    assert read_entity(read_json(text)) == Draft(
        "k",
        "acme_host",
        ("Device", "Host"),
        "Web",
        None,
        "eu",
        {"n": Decimal("1.5"), "on": True, "list": ["a", "b"]},
        {"env": "prod"},
        dropped=2,
        nulls=("gone", "tag.none"),
    )


def test_a_relationship_is_read() -> None:
    raw = {
        "_key": "r",
        "_type": "uses",
        "_class": ["USES"],
        "_fromEntityKey": "a",
        "_fromEntityScope": "",
        "_fromEntitySource": "hr",
        "_toEntityId": "b",
        "_toEntityType": "Team",
        "displayName": None,
    }
    assert read_relationship(raw) == Draft(
        "r", "uses", ("USES",), from_=End(key="a", source="hr", scope=""), to=End(id="b", type="Team")
    )


def test_a_patch_is_read() -> None:
    raw = {"a": 1, "b": None, "tag.x": None, "tag.y": "z", "_rawData": "anything"}
    assert read_patch(raw) == Patch({"a": 1, "b": None}, {"x": None, "y": "z"}, dropped=1)
    assert read_patch({"_class": "B"}).classes == ("B",)
    assert read_patch({"displayName": None}) == Patch(sets_display_name=True)
    assert read_patch({}) == Patch()


def test_what_a_read_shows_may_be_sent_back() -> None:
    shown = {"_id": "x", "_accountId": "acme", "_version": 7, "_createdOn": 1, "_beginOn": 2, "_endOn": None}
    shown |= {"_deleted": False, "_source": "hr", "_scope": "", "displayName": None}
    assert read_entity({**NAMED, **shown}) == Draft("k", "host", ("Host",), source="hr", scope="")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"_key": None}, "`_key` is missing"),
        ({"_key": ""}, "`_key` is missing"),
        ({"_key": 5}, "`_key` is missing or no text"),
        ({"_key": "x" * 1025}, "`_key` has 1025 characters, at most 1024"),
        ({"_key": "€" * 600}, "at most 1024 and 1600 bytes"),
        ({"_key": "a\0"}, "NUL"),
        ({"_type": None}, "`_type` is missing"),
        ({"_type": "x" * 201}, "`_type` is a name of 201 characters"),
        ({"_type": "a\nb"}, "holds a character that no name has"),
        ({"_type": "a\0"}, "holds a character that no name has"),
        ({"_type": " a"}, "holds a character that no name has"),
        ({"_type": "Group"}, "only the service makes what is of the type `Group`"),
        ({"_type": "Action"}, "only the service"),
        ({"_type": "PolicyService::Key"}, "only the service"),
        ({"_type": "Escaped_00"}, "only the service"),
        ({"_class": None}, "`_class` is missing"),
        ({"_class": []}, "`_class` is missing"),
        ({"_class": ["A", 1]}, "`_class` is missing or no text"),
        ({"_class": ["A", ""]}, "`_class` is missing or no text"),
        ({"_class": "x" * 201}, "`_class` is a name of 201"),
        ({"_class": [f"c{number}" for number in range(101)]}, "`_class` is a list of 101, at most 100"),
        ({"_scope": 5}, "`_scope` is no text"),
        ({"_scope": "x" * 201}, "`_scope` has 201 characters"),
        ({"displayName": 5}, "`displayName` is no text"),
        ({"displayName": "\0"}, "NUL"),
        ({"_mapping": {}}, "`_mapping` is no member that may be sent"),
        ({"_fromEntityKey": "a"}, "`_fromEntityKey` is no member"),
        ({"__entity": 1}, "`__entity` is no member"),
        ({"tag.__entity": 1}, "`tag.__entity` is a name that Cedar keeps"),
        ({"tag.": 1}, "names nothing"),
        ({"": 1}, "names nothing"),
        ({"x" * 201: 1}, "is a name of 201 characters, at most 200"),
        ({"a\0b": 1}, "NUL"),
        ({"a\ud800b": 1}, "half of a surrogate pair"),
        ({"a": "x\ud800"}, "half of a surrogate pair"),
        ({"a": ["x", "\0"]}, "NUL"),
        ({"a": {}}, "`a` is nested"),
        ({"a": {"__entity": {"type": "user", "id": "alice"}}}, "`a` is nested"),
        ({"a": [[1]]}, "`a` is nested"),
        ({"a": [{"b": 1}]}, "`a` is nested"),
        ({"tag.a": {}}, "`tag.a` is nested"),
        ({"a": [1, "x"]}, "`a` is a list of numbers and texts, write one kind only"),
        ({"a": [True, 1]}, "`a` is a list of booleans and numbers"),
        ({"a": list(range(10_001))}, "`a` is a list of 10001, at most 10000"),
        ({"a": "x" * 65_537}, "more than 65536 bytes"),
        ({"a": "€" * 21_846}, "more than 65536 bytes"),
        ({"a": 2**1025}, "`a` is a number beyond the range of a double"),
    ],
)
def test_what_can_not_be_stored_is_refused_in_one_line(sent, told) -> None:
    with pytest.raises(RequestError) as error:
        read_entity({**NAMED, **sent})
    sentence = str(error.value)
    assert told in sentence
    assert sentence.isprintable()
    assert len(sentence) < 400
    json.dumps(sentence, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"_class": ["A", "B"]}, "one `_class`"),
        ({"_fromEntityKey": None}, "`_fromEntityKey` is missing"),
        ({"_toEntityId": None}, "`_toEntityKey` is missing"),
        ({"_toEntityId": 5}, "`_toEntityId` is no text"),
        ({"_toEntityId": ""}, "`_toEntityId` is no text"),
        ({"_toEntityId": "\0"}, "NUL"),
        ({"_toEntityType": ["x"]}, "`_toEntityType` is no text"),
        ({"_fromEntityScope": 5}, "`_fromEntityScope` is no text"),
        ({"_fromEntityKey": "x" * 1025}, "`_fromEntityKey` has 1025"),
    ],
)
def test_what_is_no_relationship_is_refused(sent, told) -> None:
    with pytest.raises(RequestError, match=told):
        read_relationship({**NAMED, **ENDS, **sent})


@pytest.mark.parametrize("read", [read_entity, read_relationship, read_patch])
@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_what_is_no_object_is_refused(read, raw) -> None:
    with pytest.raises(RequestError, match="is a JSON object"):
        read(raw)


@pytest.mark.parametrize("name", ["_key", "_type", "_source", "_scope", "_id", "_version", "_fromEntityId"])
def test_a_patch_names_no_system_member_but_the_class(name) -> None:
    with pytest.raises(RequestError, match=f"`{name}` is no member"):
        read_patch({name: "x"})


def test_what_is_just_within_the_limits_is_read() -> None:
    raw = {**NAMED, "_key": "x" * LIMITS.key, "a": "x" * LIMITS.text_bytes, "b": list(range(LIMITS.list)), "x" * 200: 1}
    assert len(read_entity(raw).properties) == 3
