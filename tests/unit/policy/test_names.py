"""Names of requests and files as Cedar's."""

from __future__ import annotations

import cedarpy
import pytest

from policy_service.errors import RequestError
from policy_service.model import Uid
from policy_service.policy.names import action_name, action_uid, cedar_type, entity_text, entity_uid, request_type


@pytest.mark.parametrize("name", ["user", "Inventory::Host", "_x1", "Group2", "actions"])
def test_a_type_that_cedar_accepts_is_used_as_it_is(name):
    assert cedar_type(name) == name


@pytest.mark.parametrize(
    "name",
    ["Group", "Action", "App::Action", "PolicyService", "PolicyService::Operator", "Escaped_61", "Escaped_x::y",
     "", "a b", "é", "if", "a::in::b", "__cedar::x", "1a", "a:b", "user\n", "a::", "\x00"],
)  # fmt: skip
def test_reserved_and_impossible_types_are_escaped_so_that_cedar_takes_them(name):
    escaped = cedar_type(name)
    assert escaped.startswith("Escaped_")
    assert request_type(escaped) == name
    policies = "permit(principal, action, resource);"
    request = {"principal": {"type": escaped, "id": "x"}, "action": 'Action::"a"', "resource": 'a::"b"', "context": {}}
    entities = [{"uid": {"type": escaped, "id": "x"}, "attrs": {}, "parents": []}]
    assert cedarpy.is_authorized(request, policies, entities).allowed


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("read", Uid("Action", "read")),
        ("PolicyService::read", Uid("PolicyService::Action", "read")),
        ("a::b::c", Uid("a::b::Action", "c")),
        ("GET /x::y", Uid("Action", "GET /x::y")),
        ("::read", Uid("Action", "::read")),
        ("", Uid("Action", "")),
    ],
)
def test_actions(name, uid):
    assert action_uid(name) == uid
    assert action_name(uid) == name


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        ("user:alice", Uid("user", "alice")),
        ("group:editors", Uid("Group", "editors")),
        ("Inventory.Host:web-1", Uid("Inventory::Host", "web-1")),
        ("Inventory::Host:web-1", Uid("Inventory::Host", "web-1")),
        ("route:/todos/{id}", Uid("route", "/todos/{id}")),
        ("urn:a:b", Uid("urn", "a:b")),
        ("A::B:c::d", Uid("A::B", "c::d")),
        ("A::B::C:d", Uid("A::B::C", "d")),
    ],
)
def test_entities_in_files(text, uid):
    assert entity_uid(text) == uid
    assert entity_uid(entity_text(uid)) == uid


@pytest.mark.parametrize("text", ["alice", ":alice", "user:", "", "user", "A::b", "::", "::::a", ":a:b"])
def test_an_entity_without_type_or_id_is_refused(text):
    with pytest.raises(RequestError, match="names no entity, write `type:id`"):
        entity_uid(text)


def test_the_group_type_is_never_a_request_s():
    assert entity_uid("Group:x").type.startswith("Escaped_")
