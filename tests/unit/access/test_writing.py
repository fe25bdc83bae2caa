"""Changes are whole, and the trail tells of each that was made and of none that was not."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from sqlalchemy import select

from policy_service.access import batches
from policy_service.errors import Conflict
from policy_service.store.tables import TrailEntryRow
from tests.unit.access.desks import Desk, Quiet, entity, relationship


def trail(desk: Desk, tenant: str = "acme") -> list[dict[str, Any]]:
    with desk.store.session(tenant) as session:
        return [json.loads(row.body) for row in session.scalars(select(TrailEntryRow).order_by(TrailEntryRow.id))]


def test_the_trail_tells_who_changed_what_and_why_it_was_allowed(desk: Desk) -> None:
    Quiet.marked.clear()
    made = desk.ask("ada", "POST", "/entities", entity("web-1", ssn="123-45-6789"), x_request_id="r-1")
    id_ = made.id
    desk.ask("ada", "PATCH", f"/entities/{id_}", {"a": 1})
    desk.ask("ada", "PATCH", f"/entities/{id_}", {"a": 1})
    desk.ask("ada", "DELETE", f"/entities/{id_}")
    told = trail(desk)
    assert [(entry["action"], entry["kind"], entry["id"]) for entry in told] == [
        ("create", "entity", id_),
        ("update", "entity", id_),
        ("delete", "entity", id_),
    ]
    first, second, third = told
    assert first["by"] == {"subject": "user:ada", "key": "key-ada", "address": "127.0.0.1", "request": "r-1"}
    assert first["reasons"] == ["ada"]
    assert first["policy_version"] == made.headers["policy-version"]
    assert (first["before"], first["after"]) == (None, second["before"])
    assert (second["after"], third["after"]) == (third["before"], None)
    assert first["after"] != second["after"]
    assert "123-45" not in json.dumps(told)
    assert Quiet.marked == ["acme"] * 3
    assert trail(desk, "globex") == []


def test_relationships_that_go_with_an_entity_are_told_of(desk: Desk) -> None:
    one, two = desk.make("one"), desk.make("two")
    between = desk.relate("r", one, two)
    desk.ask("ada", "DELETE", f"/entities/{one}")
    assert [(entry["action"], entry["id"]) for entry in trail(desk)[-2:]] == [("delete", one), ("delete", between)]


def test_what_was_refused_is_in_no_trail(desk: Desk) -> None:
    id_ = desk.make("web-1")
    before = trail(desk)
    Quiet.marked.clear()
    desk.ask("bob", "POST", "/entities", entity("x"))
    desk.ask("ada", "POST", "/entities", entity("web-1"))
    desk.ask("ada", "PATCH", f"/entities/{id_}", {"a": 1}, if_match='"x"')
    desk.ask("bob", "POST", "/entities:batch", {"entities": [entity("x"), entity("y")]})
    assert trail(desk) == before
    assert Quiet.marked == []


def test_an_item_of_a_batch_that_is_refused_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even what was stored before it was refused."""

    write = batches.write

    def fail(changes: Any, edit: Any, names: Any) -> Any:
        made = write(changes, edit, names)
        if edit.after.key == "two":
            raise Conflict("too late")
        return made

    monkeypatch.setattr(batches, "write", fail)
    reply = desk.ask("ada", "POST", "/entities:batch", {"entities": [entity("one"), entity("two"), entity("three")]})
    assert [item["status"] for item in reply.json["items"]] == [201, 409, 201]
    items = desk.ask("ada", "GET", "/entities").json["items"]
    assert {item["_key"] for item in items} == {"one", "three"}
    assert {entry["id"] for entry in trail(desk)} == {item["_id"] for item in items}


def test_a_later_item_is_judged_on_what_an_earlier_one_made(desk: Desk) -> None:
    own = '@id("x") permit(principal == user::"bob", action, resource) unless { resource has locked };'
    desk.write_files({"own.cedar": own})
    items = [entity("a"), entity("a", x=1), entity("b")]
    reply = desk.ask("bob", "POST", "/entities:batch", {"entities": items})
    assert [item["status"] for item in reply.json["items"]] == [201, 200, 201]
    desk.ask("ada", "POST", "/entities:batch", {"entities": [entity("a", locked=True)]})
    reply = desk.ask("bob", "POST", "/entities:batch", {"entities": items})
    assert [item["status"] for item in reply.json["items"]] == [403, 403, 200]


def test_what_an_item_changes_of_the_subject_counts_for_the_next(desk: Desk) -> None:
    own = """
@id("self") permit(principal, action, resource) when { principal == resource };
@id("active") permit(principal, action, resource) when { principal has active && principal.active };
"""
    desk.write_files({"own.cedar": own})
    who = f"person:{desk.make('me', 'person', active=True)}"
    items = [entity("a"), entity("me", "person", active=False), entity("b")]
    reply = desk.ask(who, "POST", "/entities:batch", {"entities": items})
    assert [item["status"] for item in reply.json["items"]] == [201, 200, 403]


def test_what_is_recorded_of_a_batch_has_a_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write_files({"own.cedar": '@id("b") forbid(principal == user::"bob", action, resource);'})
    desk.make("large", **{f"tag.{number}": "x" * 2_000 for number in range(5)})
    monkeypatch.setattr(batches, "_RECORDED", 15_000)
    desk.log.records.clear()
    reply = desk.ask("ada", "POST", "/entities:batch", {"entities": [entity("large")] * 3 + [entity("new")]})
    assert [item["status"] for item in reply.json["items"]] == [200, 400, 400, 400]
    assert "in another" in reply.json["items"][1]["error"]
    assert sum(len(json.dumps(record)) for record in desk.log.records) < 60_000


def test_a_batch_that_is_not_recorded_is_not_written(desk: Desk) -> None:
    desk.log.full = True
    assert desk.ask("ada", "POST", "/entities:batch", {"entities": [entity("one")]}).status == 503
    desk.log.full = False
    assert desk.ask("ada", "GET", "/entities").json == {"items": []}
    assert trail(desk) == []


def test_who_may_not_create_is_told_of_nothing_that_is_in_the_way(desk: Desk) -> None:
    rule = '@id("ci") @message("only the build makes hosts") forbid(principal == user::"bob", action, resource);'
    drawn = "relationships:\n  in_zone: {parent: to}\n"
    vault = '[{"uid": {"type": "vault", "id": "v"}, "attrs": {}, "parents": []}]'
    desk.write_files({"own.cedar": rule, "relationships.yaml": drawn, "entities.json": vault})
    desk.make("hidden")
    told = {
        desk.ask("bob", "POST", "/entities", entity(key, kind)).body
        for key, kind in (("hidden", "host"), ("new", "host"), ("hidden", "disk"), ("new", "vault"))
    }
    assert len(told) == 1
    assert b"only the build makes hosts" in told.pop()
    batch = {"entities": [entity("hidden"), entity("new"), entity("new", "vault")]}
    items = desk.ask("bob", "POST", "/entities:batch", batch).json["items"]
    assert items[0] == items[1] == items[2]
    assert desk.ask("ada", "POST", "/entities", entity("new", "vault")).status == 409


def test_a_circle_is_named_to_who_sees_all_of_it(desk: Desk) -> None:
    drawn = "relationships:\n  in_zone: {parent: to}\n"
    rule = (
        '@id("b") permit(principal == user::"bob", action, resource is host);\n'
        '@id("c") permit(principal == user::"bob", action == PolicyService::Action::"create", resource is in_zone);'
    )
    desk.write_files({"relationships.yaml": drawn, "own.cedar": rule})
    low, hidden, high = desk.make("low"), desk.make("hidden", "zone"), desk.make("high")
    desk.relate("1", low, hidden, "in_zone")
    desk.relate("2", hidden, high, "in_zone")
    closing = relationship("3", high, low, "in_zone")
    assert hidden in desk.ask("ada", "POST", "/relationships", closing).json["detail"]
    for who, status in (("bob", 409), ("eve", 409)):
        reply = desk.ask(who, "POST", "/relationships", closing)
        assert reply.status == status
        assert hidden not in reply.json["detail"]
    # not by relationships either that are hidden, though their ends are seen
    sees = '@id("z") permit(principal == user::"bob", action, resource is zone);\n'
    desk.write_files({"relationships.yaml": drawn, "own.cedar": sees + rule})
    reply = desk.ask("bob", "POST", "/relationships", closing)
    assert (reply.status, "a parent would be its own ancestor" in reply.json["detail"]) == (409, True)
    # nor is who may not change the ends told that there is one
    reads = rule.replace("action, resource is host", 'action == PolicyService::Action::"read", resource is host')
    desk.write_files({"relationships.yaml": drawn, "own.cedar": reads})
    ways = [relationship("3", *ends, "in_zone") for ends in ((high, low), (low, high))]
    told = [desk.ask("bob", "POST", "/relationships", way) for way in ways]
    assert {(reply.status, reply.body) for reply in told} == {(403, told[0].body)}
    # who may not make it is not told that it would close one
    desk.write_files({"relationships.yaml": drawn, "own.cedar": rule.partition("\n")[0]})
    refused = desk.ask("bob", "POST", "/relationships", closing)
    assert (refused.status, refused.json["detail"]) == (403, "you may not create this")


def test_batches_with_the_same_keys_do_not_wait_in_a_circle(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of their items: one waits for the other."""
    keys = ["a", "b", "c", "d"]
    for key in keys:
        desk.make(key)
    desk.ask("ada", "DELETE", f"/entities/{desk.make('e')}")
    start = threading.Barrier(2)
    write = batches.write

    def write_slowly(changes: Any, edit: Any, names: Any) -> Any:
        made = write(changes, edit, names)
        time.sleep(0.05)
        return made

    monkeypatch.setattr(batches, "write", write_slowly)
    told = []

    def send(items: list[str], number: int) -> None:
        start.wait(10)
        sent = {"entities": [entity(key, number=number) for key in items]}
        told.append(desk.ask("ada", "POST", "/entities:batch", sent))

    orders = ([*keys, "e"], ["e", *reversed(keys)])
    threads = [threading.Thread(target=send, args=(order, number)) for number, order in enumerate(orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in told] == [200, 200], [reply.body for reply in told]
    assert {item["number"] for item in desk.ask("ada", "GET", "/entities").json["items"]} in ({0}, {1})


def test_a_batch_takes_as_long_as_it_takes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What PostgreSQL lets a transaction see ends after a minute, unless it is signed anew."""
    signed: list[int] = []
    monkeypatch.setattr(batches, "_RENEWED", 2)
    monkeypatch.setattr(batches, "renew", lambda store, session: signed.append(len(signed)))
    desk.ask("ada", "POST", "/entities:batch", {"entities": [entity(key) for key in "abcde"]})
    assert len(signed) == 3


def test_what_is_too_large_is_told_to_who_may_create_it(desk: Desk) -> None:
    desk.write_files({"own.cedar": '@id("b") permit(principal == user::"bob", action, resource is host);'})
    desk.make("hidden", "vault")
    large = {f"note{number}": "x" * 60_000 for number in range(5)}
    told = [desk.ask("bob", "POST", "/entities", entity(key, "disk", **large)) for key in ("hidden", "new")]
    assert {(reply.status, reply.body) for reply in told} == {(403, told[0].body)}
    assert desk.ask("bob", "POST", "/entities", entity("new", "host", **large)).status == 400


def test_ends_of_a_replaced_relationship_are_looked_for_in_its_scope(desk: Desk) -> None:
    rule = '@id("b") permit(principal == user::"bob", action, resource) when { resource.key != "h1" };'
    desk.write_files({"own.cedar": rule})
    for key, scope in (("h1", "s"), ("h2", "s"), ("h3", "s"), ("h4", "")):
        assert desk.ask("ada", "POST", "/entities", {**entity(key), "_scope": scope}).status == 201
    ends = {"_fromEntityKey": "h2", "_toEntityKey": "h3"}
    made = {"_key": "r", "_type": "owns", "_class": "OWNS", "_scope": "s", **ends}
    held = desk.ask("bob", "POST", "/relationships", made)
    assert held.status == 201
    bare = {name: value for name, value in made.items() if name != "_scope"}
    assert desk.ask("bob", "PUT", f"/relationships/{held.id}", {**bare, "note": "x"}).status == 200
    # one that is hidden there, and two that are in no such scope
    refused = set()
    for key in ("h1", "h4", "h5"):
        reply = desk.ask("bob", "PUT", f"/relationships/{held.id}", {**bare, "_fromEntityKey": key})
        assert reply.status == 409
        refused.add(reply.json["detail"].replace(key, ""))
    assert len(refused) == 1


def test_a_hidden_relationship_does_not_show_in_which_right_is_lacking(desk: Desk) -> None:
    rule = """
@id("b") permit(principal == user::"bob", action == PolicyService::Action::"read", resource is host);
@id("c") permit(principal == user::"bob", action == PolicyService::Action::"create", resource is in_zone);
"""
    desk.write_files({"own.cedar": rule, "relationships.yaml": "relationships:\n  in_zone: {parent: to}\n"})
    low, high = desk.make("low"), desk.make("high")
    desk.relate("hidden", low, high, "in_zone")
    ways = [relationship(key, *ends, "in_zone") for key in ("hidden", "new") for ends in ((low, high), (high, low))]
    told = [desk.ask("bob", "POST", "/relationships", way) for way in ways]
    assert {(reply.status, reply.body) for reply in told} == {(403, told[0].body)}
