"""What the policies do not allow is not done, not shown, and not told of."""

from __future__ import annotations

from typing import Any

import pytest

from policy_service.errors import StoreFailed
from tests.unit.access.desks import Desk, entity, relationship

NOWHERE = "00000000-0000-5000-8000-000000000000"
READERS = '@id("read") permit(principal == user::"bob", action == PolicyService::Action::"read", resource);\n'
OPEN_ONLY = """
@id("bob-sees-open")
permit(principal == user::"bob", action == PolicyService::Action::"read", resource)
when { resource has open && resource.open };
"""
CHANGE = (
    '@id("change") permit(principal == user::"bob", action == PolicyService::Action::"{action}", resource){when};\n'
)


def changes(action: str, when: str = "") -> str:
    return CHANGE.replace("{action}", action).replace("{when}", f" when {{ {when} }}" if when else "")


REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/entities/{id}", None),
    ("HEAD", "/entities/{id}", None),
    ("PUT", "/entities/{id}", entity("x")),
    ("PATCH", "/entities/{id}", {"a": 1}),
    ("DELETE", "/entities/{id}", None),
    ("GET", "/entities/{id}/neighbours", None),
    ("GET", "/entities/{id}/walk", None),
]


def test_what_may_not_be_seen_is_answered_as_what_is_not_there(desk: Desk) -> None:
    """Whatever else the subject may do with it, and whatever it guesses of it."""
    desk.write_files({"own.cedar": OPEN_ONLY + changes("update").replace("change", "u") + changes("delete")})
    hidden = desk.make("hidden")
    for method, path, body in REQUESTS:
        for if_match in ("*", '"guess"'):
            missing, unseen = (
                desk.ask("bob", method, path.format(id=id_), body, x_request_id="r", if_match=if_match)
                for id_ in (NOWHERE, hidden)
            )
            assert missing.status == 404
            assert unseen == missing
    assert desk.ask("ada", "GET", f"/entities/{hidden}").json["_version"] == 1


def test_the_same_work_is_done_for_what_is_not_there(desk: Desk) -> None:
    desk.write_files({"own.cedar": OPEN_ONLY})
    one, two = desk.make("one"), desk.make("two")
    between = desk.relate("r", one, two)
    for path, known in (("entities", one), ("relationships", between)):
        counts = []
        for id_ in (known, NOWHERE):
            desk.log.records.clear()
            assert desk.ask("bob", "GET", f"/{path}/{id_}").status == 404
            counts.append(len(desk.log.records))
        assert counts[0] == counts[1] > 0


def test_who_sees_it_is_told_that_it_may_not_be_changed(desk: Desk) -> None:
    forbid = '@id("f") @message("hosts stay") forbid(principal, action == PolicyService::Action::"delete", resource);'
    desk.write_files({"own.cedar": READERS + forbid})
    id_ = desk.make("web-1")
    for method, body in (("PUT", entity("web-1", a=1)), ("PATCH", {"a": 1}), ("DELETE", None)):
        reply = desk.ask("bob", method, f"/entities/{id_}", body)
        assert reply.status == 403
        assert ("hosts stay" in reply.json["detail"]) is (method == "DELETE")
    assert desk.ask("ada", "GET", f"/entities/{id_}").json["_version"] == 1
    assert desk.ask("ada", "DELETE", f"/entities/{id_}").status == 403


@pytest.mark.parametrize(
    ("was", "becomes", "status"), [("test", "prod", 403), ("prod", "test", 403), ("test", "dev", 200)]
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "BATCH"])
def test_a_change_is_allowed_on_what_was_and_on_what_will_be(
    desk: Desk, method: str, was: str, becomes: str, status: int
) -> None:
    desk.write_files({"own.cedar": READERS + changes("update", 'resource.env != "prod"')})
    id_ = desk.make("web-1", env=was)
    if method == "BATCH":
        reply = desk.ask("bob", "POST", "/entities:batch", {"entities": [entity("web-1", env=becomes)]})
        assert [item["status"] for item in reply.json["items"]] == [status]
    else:
        body = entity("web-1", env=becomes) if method == "PUT" else {"env": becomes}
        assert desk.ask("bob", method, f"/entities/{id_}", body).status == status
    assert desk.ask("ada", "GET", f"/entities/{id_}").json["env"] == (becomes if status == 200 else was)


def test_what_is_created_is_judged_as_it_will_be(desk: Desk) -> None:
    desk.write_files({"own.cedar": changes("create", 'resource.env == "test" && resource.type == "host"')})
    assert desk.ask("bob", "POST", "/entities", entity("a", env="test")).status == 201
    assert desk.ask("bob", "POST", "/entities", entity("b", env="prod")).status == 403
    assert desk.ask("bob", "POST", "/entities", entity("c", "disk", env="test")).status == 403
    assert len(desk.ask("ada", "GET", "/entities").json["items"]) == 1


def test_a_property_says_nothing_that_only_the_service_says(desk: Desk) -> None:
    forbid = '@id("iso") forbid(principal, action, resource) when { principal.tenant != resource.tenant };\n'
    permit = changes("create", 'resource has groups || resource has authn || resource.type != "host"')
    desk.write_files({"own.cedar": forbid + permit})
    sent = {**entity("a", tenant="globex", groups=["Administrators"], authn="x", type="disk"), "key": "b"}
    assert desk.ask("bob", "POST", "/entities", sent).status == 403
    made = desk.ask("ada", "POST", "/entities", sent)
    assert made.status == 201
    assert made.json["tenant"] == "globex"


def test_nobody_gives_himself_what_lets_him_have_it(desk: Desk) -> None:
    """Where the subject is what it changes, the facts it proposes are not yet its own."""
    desk.write_files({"own.cedar": '@id("admins") permit(principal, action, resource) when { principal has admin };'})
    id_ = desk.make("me", "person")
    desk.ask("ada", "DELETE", f"/entities/{id_}")
    me = f"person:{id_}"
    assert desk.ask(me, "POST", "/entities", entity("me", "person", admin=True)).status == 403
    assert (
        desk.ask(me, "POST", "/entities:batch", {"entities": [entity("me", "person", admin=True)]}).json["items"][0][
            "status"
        ]
        == 403
    )
    desk.make("me", "person")
    assert desk.ask(me, "PATCH", f"/entities/{id_}", {"admin": True}).status == 404
    desk.ask("ada", "PATCH", f"/entities/{id_}", {"admin": True})
    assert desk.ask(me, "PATCH", f"/entities/{id_}", {"x": 1}).status == 200


def test_a_key_that_is_taken_by_what_is_not_seen_is_not_told(desk: Desk) -> None:
    desk.write_files({"own.cedar": OPEN_ONLY + changes("create") + changes("update").replace("change", "u")})
    hidden = desk.make("hidden")
    desk.make("shown", open=True)
    refused = desk.ask("bob", "POST", "/entities", entity("hidden"))
    assert refused.status == 403
    assert hidden not in refused.json["detail"]
    assert desk.ask("bob", "POST", "/entities", entity("hidden", "other")).json == refused.json
    assert desk.ask("bob", "POST", "/entities", entity("shown")).status == 409
    batch = desk.ask("bob", "POST", "/entities:batch", {"entities": [entity("hidden", a=1), entity("hidden", "other")]})
    assert [item["status"] for item in batch.json["items"]] == [403, 403]
    assert "a" not in desk.ask("ada", "GET", f"/entities/{hidden}").json


def test_what_is_not_recorded_is_not_done(desk: Desk) -> None:
    id_ = desk.make("web-1")
    desk.log.full = True
    for method, path, body in (
        ("POST", "/entities", entity("web-2")),
        ("POST", "/entities:batch", {"entities": [entity("web-3")]}),
        ("PATCH", f"/entities/{id_}", {"a": 1}),
        ("DELETE", f"/entities/{id_}", None),
        ("GET", f"/entities/{id_}", None),
        ("GET", f"/entities/{NOWHERE}", None),
        ("GET", "/entities", None),
        ("GET", f"/entities/{id_}/walk", None),
    ):
        reply = desk.ask("ada", method, path, body)
        assert reply.status == 503
        assert id_ not in reply.body.decode()
    desk.log.full = False
    assert [(item["_key"], item["_version"]) for item in desk.ask("ada", "GET", "/entities").json["items"]] == [
        ("web-1", 1)
    ]


def test_a_decision_is_recorded_with_the_facts_it_saw(desk: Desk) -> None:
    desk.write_files({"own.cedar": READERS + changes("update", 'resource.env != "prod"')})
    id_ = desk.make("web-1", env="test")
    desk.log.records.clear()
    desk.ask("bob", "PATCH", f"/entities/{id_}", {"env": "prod"}, x_request_id="r-7")
    told = [(record["action"]["name"], record["decision"]) for record in desk.log.records]
    assert told == [("PolicyService::read", True), ("PolicyService::update", True), ("PolicyService::update", False)]
    seen = [
        next(fact["attrs"] for fact in record["facts"] if fact["uid"]["id"] == id_) for record in desk.log.records[1:]
    ]
    assert [attributes["env"] for attributes in seen] == ["test", "prod"]
    for record in desk.log.records:
        assert record["resource"] == {"type": "host", "id": id_}
        assert (record["request"], record["caller"]["key"]) == ("r-7", "key-bob")
        assert record["caller"]["subject"] == {"type": "user", "id": "bob"}


def test_a_store_that_fails_is_no_allow(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = desk.make("web-1")

    def fail(*_: Any) -> Any:
        raise StoreFailed("the file is damaged")

    who = f"person:{desk.make('me', 'person')}"
    desk.write_files({"own.cedar": '@id("all") permit(principal, action, resource);'})
    for place in ("access.facts.fetch_entities", "access.enforce.fetch_edges"):
        monkeypatch.setattr(f"policy_service.{place}", fail)
        for method, path in (("GET", f"/entities/{id_}"), ("DELETE", f"/entities/{id_}"), ("GET", "/entities")):
            assert desk.ask(who, method, path, query="type=host" if path == "/entities" else "").status == 503
        monkeypatch.undo()
        assert desk.ask(who, "GET", f"/entities/{id_}").status == 200


def test_a_change_ends_where_the_trail_can_t_be_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no trail")

    monkeypatch.setattr("policy_service.access.writing.trail.note", fail)
    assert desk.ask("ada", "POST", "/entities", entity("web-1")).status == 500
    monkeypatch.undo()
    assert desk.ask("ada", "GET", "/entities").json == {"items": []}


def test_a_relationship_is_seen_with_both_its_ends(desk: Desk) -> None:
    """It shows their ids."""
    desk.write_files({"own.cedar": OPEN_ONLY})
    one, two = desk.make("one", open=True), desk.make("two", open=True)
    made = desk.ask("ada", "POST", "/relationships", {**relationship("r", one, two), "open": True})
    assert desk.ask("bob", "GET", f"/relationships/{made.id}").status == 200
    assert len(desk.ask("bob", "GET", "/relationships").json["items"]) == 1
    desk.ask("ada", "PATCH", f"/entities/{two}", {"open": False})
    assert desk.ask("bob", "GET", f"/relationships/{made.id}").status == 404
    assert desk.ask("bob", "GET", "/relationships").json["items"] == []
