"""What is hidden from who writes stays as it is, and nobody finds out by a write that it exists."""

from __future__ import annotations

from typing import Any

import pytest

from policy_service.assets.members import LIMITS
from tests.unit.access.desks import Desk, entity, relationship
from tests.unit.access.veils import BOB, PAY, SECRET, hide, stored

HIDDEN: dict[str, Any] = {"salary": 1, "tag.env": "x", "tag.none": None}
SENTENCE = "the property `{}` is hidden from you, leave it out"


@pytest.fixture
def own(desk: Desk) -> Desk:
    desk.write_files({"own.cedar": BOB + PAY})
    return desk


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
    own.write_files({"own.cedar": BOB + PAY + unseen})
    for key in ("unseen", "new"):
        reply = own.ask("bob", "POST", "/entities", entity(key, "vault", salary=1))
        assert (reply.status, reply.json["detail"]) == (403, SENTENCE.format("salary"))


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
    many: dict[str, Any] = {f"p{place}": 1 for place in range(LIMITS.properties)}
    full = entity("full", **many)
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
    both: dict[str, Any] = {"salary": 2, "locked": True}
    assert desk.ask("bob", "PATCH", f"/entities/{open_}", both).status == 403
    assert desk.ask("bob", "PUT", f"/entities/{open_}", entity("open", **both)).status == 403
    assert desk.ask("bob", "POST", "/entities", entity("new", **both)).status == 403
    assert desk.ask("bob", "PATCH", f"/entities/{locked}", {**both, "locked": False}).status == 403
    assert desk.ask("bob", "PUT", f"/entities/{locked}", entity("locked", salary=2, locked=False)).status == 403
    batch = [entity("locked", salary=2, locked=False), entity("open", **both)]
    items = desk.ask("bob", "POST", "/entities:batch", {"entities": batch}).json["items"]
    assert [item["status"] for item in items] == [403, 403]
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


def test_an_entity_that_policies_name_is_judged_as_it_will_be(desk: Desk) -> None:
    desk.write_files({})
    switch = desk.make("switch", salary=1, locked=False)
    hide(desk, f'when {{ host::"{switch}".locked }}')
    assert desk.ask("bob", "PATCH", f"/entities/{switch}", {"salary": 2}).status == 200
    assert desk.ask("bob", "PATCH", f"/entities/{switch}", {"salary": 3, "locked": True}).status == 403
    assert "salary" not in desk.ask("bob", "PATCH", f"/entities/{switch}", {"locked": True}).json
    other = entity("other", salary=1)
    assert desk.ask("bob", "POST", "/entities", other).status == 403
