"""A relationship that is a fact of an entity changes that entity: who draws it has to be allowed to."""

from __future__ import annotations

import pytest

from tests.unit.access.desks import Desk, entity, relationship

NOWHERE = "00000000-0000-5000-8000-000000000000"
DRAWN = """
relationships:
  owns: {attribute: {on: to, name: owner}}
  holds: {parent: from}
"""
# bob sees what is open, relates whatever he likes, and changes what is his
OWN = """
@id("sees") permit(principal == user::"bob", action == PolicyService::Action::"read", resource)
when { resource has open || resource.class.contains("OWNS") };
@id("relates") permit(
  principal == user::"bob",
  action in [PolicyService::Action::"create", PolicyService::Action::"delete"],
  resource
);
@id("changes") permit(principal == user::"bob", action == PolicyService::Action::"update", resource)
when { resource has mine };
"""


@pytest.fixture
def own(desk: Desk) -> Desk:
    desk.write_files({"relationships.yaml": DRAWN, "own.cedar": OWN})
    return desk


@pytest.mark.parametrize("kind", ["owns", "holds"])
def test_drawing_needs_update_on_what_it_changes(own: Desk, kind: str) -> None:
    mine, other = own.make("mine", open=True, mine=True), own.make("other", open=True)
    assert own.ask("bob", "POST", "/relationships", relationship("r", mine, other, kind)).status == 403
    if kind == "holds":
        assert own.ask("bob", "POST", "/relationships", relationship("r", other, mine, kind)).status == 403
        own.ask("ada", "PATCH", f"/entities/{other}", {"mine": True})
    made = own.ask("bob", "POST", "/relationships", relationship("r", other, mine, kind))
    assert made.status == 201
    if kind == "holds":
        own.ask("ada", "PATCH", f"/entities/{other}", {"mine": None})
        assert own.ask("bob", "DELETE", f"/relationships/{made.id}").status == 403
    own.ask("ada", "PATCH", f"/entities/{mine}", {"mine": None})
    assert own.ask("bob", "DELETE", f"/relationships/{made.id}").status == 403
    assert own.ask("bob", "DELETE", f"/entities/{other}").status == 403
    assert own.ask("ada", "GET", f"/relationships/{made.id}").status == 200
    own.ask("ada", "PATCH", f"/entities/{mine}", {"mine": True})
    assert own.ask("bob", "DELETE", f"/entities/{other}").status == 204
    assert own.ask("ada", "GET", f"/relationships/{made.id}").status == 404


def test_nobody_joins_what_others_keep(desk: Desk) -> None:
    """To update oneself and to draw relationships is not enough to be in a group that opens doors."""
    files = {
        "relationships.yaml": "relationships:\n  in_team: {parent: to}\n",
        "own.cedar": """
@id("self") permit(principal, action == PolicyService::Action::"update", resource) when { principal == resource };
@id("joins") permit(principal, action == PolicyService::Action::"create", resource is in_team);
@id("sees") permit(principal, action == PolicyService::Action::"read", resource) unless { resource is vault };
@id("door") permit(principal, action, resource is vault) when { principal has tenant && principal in team::"TEAM" };
""",
    }
    desk.write_files(files)
    team, person, vault = desk.make("t", "team"), desk.make("p", "person"), desk.make("v", "vault")
    desk.write_files({**files, "own.cedar": files["own.cedar"].replace("TEAM", team)})
    who = f"person:{person}"
    assert desk.ask(who, "POST", "/relationships", relationship("r", person, team, "in_team")).status == 403
    assert desk.ask(who, "GET", f"/entities/{vault}").status == 404
    desk.relate("r", person, team, "in_team")
    assert desk.ask(who, "GET", f"/entities/{vault}").status == 200


def test_a_relationship_that_draws_nothing_needs_no_update(own: Desk) -> None:
    one, two = own.make("one", open=True), own.make("two", open=True)
    made = own.ask("bob", "POST", "/relationships", relationship("r", one, two, "sees"))
    assert made.status == 201
    assert own.ask("bob", "DELETE", f"/relationships/{made.id}").status == 204


def test_what_it_changes_may_be_changed_after_it_too(desk: Desk) -> None:
    """Nobody gives away by a relationship what he could not give away by a property."""
    keep = """
@id("all") permit(principal == user::"bob", action, resource);
@id("keep") forbid(principal == user::"bob", action == PolicyService::Action::"update", resource)
when { resource has owner };
"""
    desk.write_files({"relationships.yaml": DRAWN, "own.cedar": keep})
    one, two = desk.make("one"), desk.make("two")
    assert desk.ask("bob", "POST", "/relationships", relationship("r", one, two)).status == 403
    assert desk.ask("ada", "GET", "/relationships").json["items"] == []


def test_nobody_draws_himself_what_lets_him_draw_it(desk: Desk) -> None:
    owners = """
@id("relates") permit(principal, action == PolicyService::Action::"create", resource is owns);
@id("sees") permit(principal, action == PolicyService::Action::"read", resource);
@id("owners") permit(principal, action == PolicyService::Action::"update", resource)
when { resource has owner && resource.owner.contains(principal) };
"""
    desk.write_files({"relationships.yaml": DRAWN, "own.cedar": owners})
    person, host = desk.make("p", "person"), desk.make("h")
    who = f"person:{person}"
    assert desk.ask(who, "POST", "/relationships", relationship("r", person, host)).status == 403
    desk.relate("r", person, host)
    other = desk.make("q", "person")
    assert desk.ask(who, "POST", "/relationships", relationship("s", other, host)).status == 201


def test_an_end_that_is_not_seen_is_answered_as_one_that_is_not_there(own: Desk) -> None:
    seen, hidden = own.make("seen", open=True, mine=True), own.make("hidden", mine=True)
    for first, second in ((seen, hidden), (hidden, seen), (hidden, hidden)):
        unseen = own.ask("bob", "POST", "/relationships", relationship("r", first, second), x_request_id="r")
        named = [NOWHERE if id_ == hidden else id_ for id_ in (first, second)]
        missing = own.ask("bob", "POST", "/relationships", relationship("r", *named), x_request_id="r")
        assert unseen.status == missing.status == 409
        assert unseen.json["detail"].replace(hidden, NOWHERE) == missing.json["detail"]
    by_key = {"_key": "r", "_type": "owns", "_class": "OWNS", "_fromEntityKey": "seen"}
    told = [
        own.ask("bob", "POST", "/relationships", {**by_key, "_toEntityKey": key}).json["detail"].replace(key, "…")
        for key in ("hidden", "nobody")
    ]
    assert told[0] == told[1]


def test_a_put_tells_nothing_of_another_end_either(own: Desk) -> None:
    one, two, hidden = own.make("one", open=True), own.make("two", open=True, mine=True), own.make("hidden")
    id_ = own.relate("r", one, two)
    told = [
        own.ask("bob", "PUT", f"/relationships/{id_}", relationship("r", one, other)).json["detail"].replace(other, "…")
        for other in (hidden, NOWHERE)
    ]
    assert told[0] == told[1]


def test_what_it_draws_decides_at_once(desk: Desk) -> None:
    """By the asset API and by the decision API alike."""
    policy = """
@id("owners") permit(principal, action, resource) when { resource has owner && resource.owner.contains(principal) };
@id("inside") permit(principal, action == PolicyService::Action::"read", resource) when { principal in resource };
"""
    desk.write_files({"relationships.yaml": DRAWN, "own.cedar": policy})
    person, host = desk.make("p", "person"), desk.make("h")
    who = f"person:{person}"
    assert desk.ask(who, "GET", f"/entities/{host}").status == 404
    owns = desk.relate("r", person, host)
    assert desk.ask(who, "GET", f"/entities/{host}").status == 200
    desk.ask("ada", "DELETE", f"/relationships/{owns}")
    assert desk.ask(who, "GET", f"/entities/{host}").status == 404
    desk.relate("h", host, person, "holds")
    assert desk.ask(who, "GET", f"/entities/{host}").status == 200
    assert desk.ask(who, "PATCH", f"/entities/{host}", {"a": 1}).status == 403


def test_an_entity_of_the_files_is_an_end_like_any(desk: Desk) -> None:
    files = {
        "relationships.yaml": DRAWN,
        "entities.json": '[{"uid": {"type": "team", "id": "red"}, "attrs": {"key": "red", "source": "", "scope": ""}}]',
        "own.cedar": OWN + '@id("teams") permit(principal, action, resource is team);',
    }
    desk.write_files(files)
    mine = desk.make("mine", open=True, mine=True)
    sent = {**relationship("r", "red", mine), "_fromEntityType": "team"}
    assert desk.ask("bob", "POST", "/relationships", sent).status == 201
    desk.write_files({**files, "own.cedar": OWN})
    assert desk.ask("bob", "POST", "/relationships", {**sent, "_key": "s"}).status == 409
    assert desk.ask("ada", "POST", "/entities", entity("x", "team")).status == 409
