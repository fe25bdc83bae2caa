"""A hidden property is as if it were not there, stays where it is, and nobody finds out that it exists."""

from __future__ import annotations

from typing import Any

import pytest

from policy_service.assets.members import LIMITS
from tests.unit.access.desks import Desk, Reply, entity, relationship

# bob does what he likes with hosts and what relates them, but for the properties that are hidden from him
OWN = """
@id("bob") permit(principal == user::"bob", action, resource);
@id("pay") @message("salaries are for ada") @hides("salary, tag.*")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource);
"""
SECRET = {"salary": 9_000, "tag.env": "prod"}
HIDDEN = {"salary": 1, "tag.env": "x", "tag.none": None}
SENTENCE = "the property `{}` is hidden from you, leave it out"


@pytest.fixture
def own(desk: Desk) -> Desk:
    desk.write_files({"own.cedar": OWN})
    return desk


def hide(desk: Desk, condition: str, names: str = "salary") -> None:
    """Let names be hidden from bob where the condition holds."""
    desk.write_files(
        {
            "own.cedar": OWN.split('@id("pay")')[0]
            + f"""
@id("pay") @hides("{names}")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource) {condition};
"""
        }
    )


def members(reply: Reply) -> dict[str, Any]:
    """What is shown, but for what counts changes."""
    return {name: value for name, value in reply.json.items() if name not in {"_version", "_beginOn"}}


def stored(desk: Desk, id_: str) -> dict[str, Any]:
    return dict(desk.ask("ada", "GET", f"/entities/{id_}").json)


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
    desk.write_files({"own.cedar": OWN.split('@id("pay")')[0] + rule})
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


def test_no_permit_is_needed_to_see_a_property(desk: Desk) -> None:
    desk.write_files(
        {"own.cedar": 'permit(principal == user::"bob", action == PolicyService::Action::"read", resource);'}
    )
    assert desk.ask("bob", "GET", f"/entities/{desk.make('web-1', **SECRET)}").json.items() >= SECRET.items()


def test_other_languages_hide_all(desk: Desk) -> None:
    abac = """[{"uid": "no-fields", "effect": "deny", "targets": {"action_id": "PolicyService::readProperty"},
      "rules": {"subject": {"$.id": {"condition": "Equals", "value": "bob"}}}}]"""
    desk.write_files({"own.cedar": OWN.split('@id("pay")')[0], "x.abac.json": abac})
    assert "a" not in desk.ask("bob", "GET", f"/entities/{desk.make('web-1', a=1)}").json


def test_a_property_that_policies_know_by_another_name_is_named_as_the_api_does(desk: Desk) -> None:
    hide(desk, "", "class, property.x")
    properties = {"class": "c", "property.x": "p", "x": 1}
    shown = desk.ask("bob", "GET", f"/entities/{desk.make('web-1', **properties)}").json
    assert {name for name in properties if name in shown} == {"x"}


def test_writes_leave_what_is_hidden_as_it_is(own: Desk) -> None:
    id_ = own.make("web-1", a=1, b=1, **SECRET)
    seen = own.ask("bob", "GET", f"/entities/{id_}").json
    assert own.ask("bob", "PUT", f"/entities/{id_}", {**seen, "b": 2}).status == 200
    assert own.ask("bob", "PUT", f"/entities/{id_}", entity("web-1", a=2)).status == 200
    assert stored(own, id_).items() >= {**SECRET, "a": 2}.items()
    assert own.ask("bob", "PATCH", f"/entities/{id_}", {"a": 3}).status == 200
    (item,) = own.ask("bob", "POST", "/entities:batch", {"entities": [entity("web-1", a=4)]}).json["items"]
    assert item["status"] == 200
    assert stored(own, id_).items() >= {**SECRET, "a": 4}.items()
    assert "b" not in stored(own, id_)


def test_a_hidden_display_name_stays_where_what_was_read_is_sent_back(desk: Desk) -> None:
    hide(desk, "", "displayName")
    id_ = desk.make("web-1", displayName="web", a=1)
    seen = desk.ask("bob", "GET", f"/entities/{id_}")
    assert seen.json["displayName"] is None
    assert desk.ask("bob", "PUT", f"/entities/{id_}", seen.json, if_match=seen.headers["etag"]).status == 200
    assert desk.ask("bob", "PUT", f"/entities/{id_}", {**seen.json, "a": 2}).status == 200
    assert desk.ask("bob", "PUT", f"/entities/{id_}", {**seen.json, "displayName": "x"}).status == 403
    assert stored(desk, id_).items() >= {"displayName": "web", "a": 2}.items()


@pytest.mark.parametrize("name", HIDDEN)
def test_naming_what_is_hidden_is_refused_whether_it_exists_or_not(own: Desk, name: str) -> None:
    sent = {name: HIDDEN[name]}
    full, bare = own.make("full", **SECRET), own.make("bare")
    wanted = (403, SENTENCE.format(name))
    for id_, key in ((full, "full"), (bare, "bare")):
        for method, body in (("PATCH", sent), ("PATCH", {name: None}), ("PUT", entity(key, **sent))):
            reply = own.ask("bob", method, f"/entities/{id_}", body)
            assert (reply.status, reply.json["detail"]) == wanted, (method, body)
    made = own.ask("bob", "POST", "/entities", entity("new", **sent))
    assert (made.status, made.json["detail"]) == wanted
    batch = {"entities": [entity(key, **sent) for key in ("full", "bare", "new")] + [entity("other")]}
    items = own.ask("bob", "POST", "/entities:batch", batch).json["items"]
    assert [(item["status"], item.get("detail")) for item in items] == [wanted] * 3 + [(201, None)]
    assert stored(own, full).items() >= SECRET.items()
    assert not SECRET.keys() & stored(own, bare).keys()


def test_a_key_that_is_taken_by_something_unseen_is_refused_in_the_same_words(own: Desk) -> None:
    """Who names what is hidden is told that, whatever has the key."""
    own.make("unseen", kind="vault", **SECRET)
    unseen = (
        '@id("unseen") forbid(principal == user::"bob", action == PolicyService::Action::"read", resource is vault);'
    )
    own.write_files({"own.cedar": OWN + unseen})
    for key in ("unseen", "new"):
        reply = own.ask("bob", "POST", "/entities", entity(key, "vault", salary=1))
        assert (reply.status, reply.json["detail"]) == (403, SENTENCE.format("salary"))


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


def test_the_tag_of_a_write_is_that_of_the_next_read(own: Desk) -> None:
    own.make("web-1", **SECRET)
    (item,) = own.ask("bob", "POST", "/entities:batch", {"entities": [entity("web-1", a=1)]}).json["items"]
    path = f"/entities/{item['_id']}"
    assert own.ask("bob", "GET", path).headers["etag"] == item["etag"]
    for method, body in (("PUT", entity("web-1", a=2)), ("PATCH", {"a": 3})):
        written = own.ask("bob", method, path, body)
        read = own.ask("bob", "GET", path)
        assert (written.headers["etag"], written.json) == (read.headers["etag"], read.json)
        assert not SECRET.keys() & written.json.keys()


def test_sizes_tell_nothing_of_what_is_hidden(own: Desk) -> None:
    full = entity("full", **{f"p{place}": 1 for place in range(LIMITS.properties)})
    id_ = own.make("full", **SECRET)
    assert own.ask("bob", "PUT", f"/entities/{id_}", full).status == 200
    assert own.ask("bob", "PATCH", f"/entities/{id_}", {"p0": 2}).status == 200
    for reply in (
        own.ask("bob", "PATCH", f"/entities/{id_}", {"more": 1}),
        own.ask("bob", "PUT", f"/entities/{id_}", {**full, "more": 1}),
    ):
        assert (reply.status, "1001 properties" in reply.json["detail"]) == (400, True)
    texts = {f"t{place}": "x" * 60_000 for place in range(4)}
    id_ = own.make("large", salary="y" * 60_000)
    assert own.ask("bob", "PATCH", f"/entities/{id_}", texts).status == 200
    assert own.ask("bob", "PUT", f"/entities/{id_}", entity("large", **texts)).status == 200


def test_it_is_judged_on_the_state_before_and_after(desk: Desk) -> None:
    hide(desk, "when { resource has locked && resource.locked }")
    open_, locked = desk.make("open", salary=1, locked=False), desk.make("locked", salary=1, locked=True)
    # nobody sets what he would not see afterwards, or did not see before
    both = {"salary": 2, "locked": True}
    assert desk.ask("bob", "PATCH", f"/entities/{open_}", both).status == 403
    assert desk.ask("bob", "PUT", f"/entities/{open_}", entity("open", **both)).status == 403
    assert desk.ask("bob", "POST", "/entities", entity("new", **both)).status == 403
    assert desk.ask("bob", "PATCH", f"/entities/{locked}", {**both, "locked": False}).status == 403
    assert desk.ask("bob", "PUT", f"/entities/{locked}", entity("locked", salary=2, locked=False)).status == 403
    # what is answered is what one sees then
    shut = desk.ask("bob", "PATCH", f"/entities/{open_}", {"locked": True})
    assert (shut.status, "salary" in shut.json) == (200, False)
    opened = desk.ask("bob", "PUT", f"/entities/{locked}", entity("locked", locked=False))
    assert (opened.status, opened.json["salary"]) == (200, 1)
    assert desk.ask("bob", "GET", f"/entities/{locked}").headers["etag"] == opened.headers["etag"]


def test_nobody_shows_himself_what_is_hidden_by_what_is_stored_of_him(desk: Desk) -> None:
    """Where the subject writes itself, what is stored of it counts beside what it writes."""
    rule = """
@id("all") permit(principal is person, action, resource);
@id("clerks") @hides("salary")
forbid(principal is person, action == PolicyService::Action::"readProperty", resource)
unless { principal has clerk && principal.clerk };
"""
    desk.write_files({"own.cedar": rule})
    id_ = desk.make("me", "person", salary=1)
    who = f"person:{id_}"
    reply = desk.ask(who, "PATCH", f"/entities/{id_}", {"clerk": True, "salary": 2})
    assert reply.status == 403
    reply = desk.ask(who, "PATCH", f"/entities/{id_}", {"clerk": True})
    assert "salary" not in reply.json


def test_what_an_item_of_a_batch_changes_of_the_subject_counts_for_the_next(desk: Desk) -> None:
    rule = """
@id("all") permit(principal is person, action, resource);
@id("left") @hides("salary") forbid(principal, action == PolicyService::Action::"readProperty", resource)
when { principal has left };
"""
    desk.write_files({"own.cedar": rule})
    who = f"person:{desk.make('me', 'person')}"
    items = [entity("a", salary=1), entity("me", "person", left=True), entity("b", salary=1)]
    reply = desk.ask(who, "POST", "/entities:batch", {"entities": items})
    assert [item["status"] for item in reply.json["items"]] == [201, 200, 403]


def test_the_sentence_names_what_the_caller_named(own: Desk) -> None:
    odd = "tag.a`b\nc"
    reply = own.ask("bob", "POST", "/entities", entity("new", **{odd: "x"}))
    assert reply.json["detail"] == SENTENCE.format("tag.a`b\\nc")


def test_relationships_are_made_without_what_is_hidden(own: Desk) -> None:
    one, two = own.make("one"), own.make("two")
    refused = own.ask("bob", "POST", "/relationships", {**relationship("r", one, two), "salary": 1})
    assert (refused.status, refused.json["detail"]) == (403, SENTENCE.format("salary"))
    assert own.ask("bob", "POST", "/relationships", relationship("r", one, two)).status == 201
