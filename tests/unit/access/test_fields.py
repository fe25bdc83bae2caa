"""A hidden property is as if it were not there, and nobody finds out that it exists."""

from __future__ import annotations

from typing import Any

import pytest

from policy_service.access import reading
from policy_service.access.enforce import Asker
from policy_service.access.fields import Veil
from policy_service.model import Caller, Thing
from tests.unit.access.desks import Desk, Reply
from tests.unit.access.veils import BOB, PAY, SECRET, hide, stored

_PROPERTY = 'action == PolicyService::Action::"readProperty"'


@pytest.fixture
def own(desk: Desk) -> Desk:
    desk.write_files({"own.cedar": BOB + PAY})
    return desk


def members(reply: Reply) -> dict[str, Any]:
    """What is shown, but for what counts changes."""
    return {name: value for name, value in reply.json.items() if name not in {"_version", "_beginOn"}}


def test_what_is_hidden_is_as_if_it_were_not_there(own: Desk) -> None:
    id_, twin = own.make("web-1", a=1, **SECRET), own.make("web-2", a=1)
    seen, without = own.ask("bob", "GET", f"/entities/{id_}"), own.ask("bob", "GET", f"/entities/{twin}")
    assert seen.json.keys() == without.json.keys()
    assert seen.json["a"] == 1
    assert stored(own, id_).items() >= SECRET.items()


def test_a_relationship_has_hidden_properties_too(own: Desk) -> None:
    id_ = own.relate("r", own.make("one"), own.make("two"))
    own.ask("ada", "PATCH", f"/relationships/{id_}", {"salary": 1, "a": 1})
    assert "salary" not in own.ask("bob", "GET", f"/relationships/{id_}").json
    assert own.ask("bob", "PATCH", f"/relationships/{id_}", {"salary": 2}).status == 403
    assert own.ask("bob", "PATCH", f"/relationships/{id_}", {"a": 2}).status == 200
    assert own.ask("ada", "GET", f"/relationships/{id_}").json["salary"] == 1


def test_without_names_all_is_hidden_and_what_the_service_says_stays(desk: Desk) -> None:
    rule = 'forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource);'
    desk.write_files({"own.cedar": BOB + rule})
    id_ = desk.make("web-1", displayName="web", a=1, **SECRET)
    shown = desk.ask("bob", "GET", f"/entities/{id_}").json
    assert shown.keys() == stored(desk, desk.make("bare")).keys()
    assert shown["displayName"] is None
    assert shown["_key"] == "web-1"
    assert desk.ask("bob", "PATCH", f"/entities/{id_}", {"displayName": "x"}).status == 403
    assert desk.ask("bob", "PATCH", f"/entities/{id_}", {"displayName": None}).status == 403
    assert desk.ask("bob", "PATCH", f"/entities/{id_}", {"_class": "Gate"}).status == 200
    assert stored(desk, id_)["displayName"] == "web"


def test_a_forbid_that_fails_hides(desk: Desk) -> None:
    hide(desk, "when { resource.secret }")
    id_, open_ = desk.make("web-1", salary=1), desk.make("web-2", salary=1, secret=False)
    assert "salary" not in desk.ask("bob", "GET", f"/entities/{id_}").json
    assert desk.ask("bob", "GET", f"/entities/{open_}").json["salary"] == 1


def test_a_forbid_of_whatever_is_done_hides_nothing_of_what_it_lets_be_read(desk: Desk) -> None:
    secret = 'forbid(principal == user::"bob", action, resource) when { resource has secret && resource.secret };\n'
    desk.write_files({"own.cedar": BOB + secret})
    desk.make("web-1", displayName="b", secret=True)
    desk.make("web-2", displayName="a", secret=False)
    listed = desk.ask("bob", "GET", "/entities", query="sort=displayName").json["items"]
    assert [(item["_key"], item["displayName"], item["secret"]) for item in listed] == [("web-2", "a", False)]


@pytest.mark.parametrize(
    ("action", "condition"),
    [
        ("action", f"when {{ {_PROPERTY} }}"),
        ("action", f"when {{ resource.size == 1 || {_PROPERTY} }}"),
        # what is opaque may be another thing of each action
        (
            "action",
            f'when {{ ip(resource.address).isInRange(ip(if {_PROPERTY} then "127.0.0.0/8" else "10.0.0.0/8")) }}',
        ),
        (_PROPERTY, "when { resource.size == 2 }"),
    ],
)
def test_a_forbid_that_spares_others_of_being_read_hides(desk: Desk, action: str, condition: str) -> None:
    desk.write_files({"own.cedar": f'{BOB}forbid(principal == user::"bob", {action}, resource) {condition};'})
    id_ = desk.make("web-1", displayName="b", size=2, address="127.0.0.1")
    (item,) = desk.ask("bob", "GET", "/entities").json["items"]
    assert (item["_id"], item["displayName"]) == (id_, None)
    assert "size" not in desk.ask("bob", "GET", f"/entities/{id_}").json
    assert desk.ask("bob", "GET", "/entities", query="sort=displayName").status == 403


@pytest.mark.parametrize("rule", [PAY.replace("resource);", 'resource is host) when { team::"x".locked };'), ""])
def test_where_a_type_is_in_files_and_store_what_decisions_deny_is_hidden(desk: Desk, rule: str) -> None:
    """With a policy, and without any: what looks at the contested type is denied, so all of it is hidden."""
    rule = rule or 'permit(principal, action == PolicyService::Action::"readProperty", resource in team::"x");'
    desk.write_files({"own.cedar": BOB + rule})
    id_ = desk.make("web-1", salary=1, displayName="web")
    desk.make("t", kind="team")
    filed = {"entities.json": '[{"uid": {"type": "team", "id": "x"}, "attrs": {"locked": false}, "parents": []}]'}
    desk.write_files({"own.cedar": BOB + rule, **filed})
    contested = "locked" in rule
    for shown in (
        desk.ask("bob", "GET", f"/entities/{id_}").json,
        *desk.ask("bob", "GET", "/entities", query="type=host").json["items"],
        *desk.ask("bob", "POST", "/entities:search", {"type": "host"}).json["items"],
    ):
        assert ("salary" in shown) is not contested
        assert (shown["displayName"] is None) is contested
    assert desk.ask("bob", "PATCH", f"/entities/{id_}", {"salary": 2}).status == (403 if contested else 200)
    assert desk.ask("bob", "GET", "/entities", query="sort=displayName").status == 403
    found = desk.ask("bob", "POST", "/entities:search", {"where": {"property": "salary", "op": "exists"}}).json
    assert len(found["items"]) == (0 if contested else 1)


def test_no_permit_is_needed_to_see_a_property(desk: Desk) -> None:
    desk.write_files(
        {"own.cedar": 'permit(principal == user::"bob", action == PolicyService::Action::"read", resource);'}
    )
    assert desk.ask("bob", "GET", f"/entities/{desk.make('web-1', **SECRET)}").json.items() >= SECRET.items()


def test_other_languages_hide_all(desk: Desk) -> None:
    abac = """[{"uid": "no-fields", "effect": "deny", "targets": {"action_id": "PolicyService::readProperty"},
      "rules": {"subject": {"$.id": {"condition": "Equals", "value": "bob"}}}}]"""
    desk.write_files({"own.cedar": BOB, "x.abac.json": abac})
    assert "a" not in desk.ask("bob", "GET", f"/entities/{desk.make('web-1', a=1)}").json


def test_a_property_that_policies_know_by_another_name_is_named_as_the_api_does(desk: Desk) -> None:
    hide(desk, "", "class, property.x")
    properties: dict[str, Any] = {"class": "c", "property.x": "p", "x": 1}
    shown = desk.ask("bob", "GET", f"/entities/{desk.make('web-1', **properties)}").json
    assert {name for name in properties if name in shown} == {"x"}


def test_a_change_of_what_is_hidden_is_no_change_to_who_does_not_see_it(own: Desk) -> None:
    id_ = own.make("web-1", a=1, **SECRET)
    path = f"/entities/{id_}"
    seen, whole = own.ask("bob", "GET", path), own.ask("ada", "GET", path)
    own.ask("ada", "PATCH", path, {"salary": 10_000, "tag.env": None, "tag.new": "x"})
    again = own.ask("bob", "GET", path)
    assert again.headers["etag"] == seen.headers["etag"]
    assert members(again) == members(seen)
    # which is documented: it counts all changes
    assert again.json["_version"] == seen.json["_version"] + 1
    assert own.ask("bob", "GET", path, if_none_match=seen.headers["etag"]).status == 304
    assert own.ask("ada", "GET", path, if_none_match=whole.headers["etag"]).status == 200
    assert own.ask("ada", "PATCH", path, {"a": 2}, if_match=whole.headers["etag"]).status == 412
    assert own.ask("bob", "PATCH", path, {"a": 2}, if_match=seen.headers["etag"]).status == 200
    assert own.ask("bob", "DELETE", path, if_match=seen.headers["etag"]).status == 412


def test_what_can_not_be_said_of_rows_is_decided(desk: Desk) -> None:
    hide(desk, "when { ip(resource.addr).isLoopback() }")
    addresses = {"one": "127.0.0.1", "two": "10.0.0.1", "odd": "nonsense"}
    ids = {key: desk.make(key, salary=1, addr=address) for key, address in addresses.items()}
    ids["none"] = desk.make("none", salary=1)
    assert [key for key, id_ in ids.items() if "salary" in desk.ask("bob", "GET", f"/entities/{id_}").json] == ["two"]
    assert desk.ask("bob", "PATCH", f"/entities/{ids['two']}", {"addr": "127.0.0.2", "salary": 2}).status == 403
    assert "salary" not in desk.ask("bob", "PATCH", f"/entities/{ids['two']}", {"addr": "127.0.0.2"}).json


def test_what_is_above_counts(desk: Desk) -> None:
    drawn = {"relationships.yaml": "relationships:\n  holds: {parent: from, attribute: {on: to, name: place}}\n"}
    desk.write_files(drawn)
    safe, host = desk.make("safe", "place"), desk.make("web-1", salary=1)
    hides = (
        '@hides("salary") forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource)'
    )
    for condition in (
        f'resource in place::"{safe}"',
        f'resource has place && resource.place.contains(place::"{safe}")',
    ):
        desk.write_files({**drawn, "own.cedar": BOB + f"{hides} when {{ {condition} }};"})
        assert desk.ask("bob", "GET", f"/entities/{host}").json["salary"] == 1
        between = desk.relate("r", safe, host, "holds")
        assert "salary" not in desk.ask("bob", "GET", f"/entities/{host}").json
        assert desk.ask("bob", "PATCH", f"/entities/{host}", {"salary": 2}).status == 403
        assert desk.ask("ada", "DELETE", f"/relationships/{between}").status == 204


def test_no_row_is_looked_at_where_nothing_can_be_hidden(own: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*_: Any, **__: Any) -> Any:
        raise AssertionError("a row was looked at")

    monkeypatch.setattr(Veil, "_find", find)
    id_ = own.make("web-1", **SECRET)
    assert own.ask("ada", "GET", f"/entities/{id_}").json.items() >= SECRET.items()
    assert own.ask("ada", "PATCH", f"/entities/{id_}", {"salary": 1}).status == 200
    # and none where it is the same of all
    assert "salary" not in own.ask("bob", "GET", f"/entities/{id_}").json
    hide(own, "when { resource has locked }")
    with pytest.raises(AssertionError, match="a row was looked at"):
        reading.read(own.service, Asker(Caller("acme", "k", subject=Thing("user", "bob")), "r"), "entity", id_)


def test_the_log_says_which_policies_hid_something(own: Desk) -> None:
    id_ = own.make("web-1", **SECRET)
    for who, hidden_by in (("bob", ["pay"]), ("ada", None)):
        own.log.records.clear()
        own.ask(who, "GET", f"/entities/{id_}")
        (told,) = own.log.records
        assert (told["action"]["name"], told.get("hidden_by")) == ("PolicyService::read", hidden_by)
