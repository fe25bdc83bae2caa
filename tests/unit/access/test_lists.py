"""Lists and searches show what may be seen and what was asked for, page by page, and are one record each."""

from __future__ import annotations

import json
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest

from policy_service.access import lists, plan, windows
from policy_service.assets.rebuilding import rebuild
from policy_service.model import Caller, Thing
from tests.unit.access.desks import Desk, entity, relationship

SEES = """
@id("bob-sees-open")
permit(principal, action == PolicyService::Action::"read", resource)
when { resource has open || resource.class.contains("OWNS") };
"""
# what no SQL says: whether an address that is written in a property is in a network
NEARBY = """
@id("bob-sees-nearby")
permit(principal, action == PolicyService::Action::"read", resource)
when { resource has ip && ip(resource.ip).isInRange(ip("10.0.0.0/8")) };
"""
INDEXED = {"tenant.yaml": "name: x\nindexed: [color, tag.env]\nrestricted: [note]\n"}


def fill(desk: Desk, count: int, every: int = 1, **properties: Any) -> None:
    items = [
        entity(f"h-{number}", _class=["Host", f"C{number % 2}"], **(properties if number % every == 0 else {}))
        for number in range(count)
    ]
    reply = desk.ask("ada", "POST", "/entities:batch", {"entities": items})
    assert {item["status"] for item in reply.json["items"]} <= {200, 201}


def pages(desk: Desk, who: str = "bob", query: str = "limit=3") -> list[list[str]]:
    """The keys of each page, to the end."""
    found, cursor = [], ""
    while True:
        reply = desk.ask(who, "GET", "/entities", query=f"{query}&cursor={cursor}" if cursor else query)
        assert reply.status == 200, reply.json
        found.append([item["_key"] for item in reply.json["items"]])
        cursor = quote(reply.json.get("cursor", ""))
        if not cursor:
            return found


def search(desk: Desk, who: str, body: dict[str, Any], kind: str = "entities") -> list[dict[str, Any]]:
    """All that a search shows, whatever its pages are."""
    found: list[dict[str, Any]] = []
    while True:
        reply = desk.ask(who, "POST", f"/{kind}:search", body)
        assert reply.status == 200, reply.json
        found += reply.json["items"]
        if "cursor" not in reply.json:
            return found
        body = {**body, "cursor": reply.json["cursor"]}


def test_a_list_shows_what_may_be_seen_page_by_page(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    fill(desk, 20, 2, open=True)
    told = pages(desk)
    assert sorted(key for page in told for key in page) == sorted(f"h-{number}" for number in range(0, 20, 2))
    # full pages: what is hidden has no part in them
    assert [len(page) for page in told] == [3, 3, 3, 1]
    assert len(pages(desk, "ada", "limit=20")) == 1
    assert [len(page) for page in pages(desk, "ada", "limit=10")] == [10, 10]
    assert pages(desk, "eve", "type=disk") == [[]]
    assert len(pages(desk, "ada", "class=C1")[0]) == 10


def test_a_relationship_is_listed_where_both_ends_may_be_seen(desk: Desk) -> None:
    """An end is stored, or in `entities.json`, or was there once."""
    zones = [{"uid": {"type": "zone", "id": name}, "attrs": {"open": name == "north"}} for name in ("north", "south")]
    own = SEES.replace("resource has open ||", "(resource has open && resource.open == true) ||")
    own += 'permit(principal, action == PolicyService::Action::"read", resource == zone::"old");'
    files = {"own.cedar": own}
    gone = [{"uid": {"type": "zone", "id": name}} for name in ("old", "older")]
    desk.write_files({**files, "entities.json": json.dumps([*zones, *gone])})
    ends = [desk.make("open", open=True), desk.make("shut", open=False), *("north", "south", "old", "older")]
    ids = []
    for from_, to in product(ends, ends):
        body = relationship(f"{from_}-{to}", from_, to)
        for side, end in (("from", from_), ("to", to)):
            body |= {} if len(end) == 36 else {f"_{side}EntityType": "zone"}
        ids.append(desk.ask("ada", "POST", "/relationships", body).id)
    desk.write_files({**files, "entities.json": json.dumps(zones)})
    for who, count in (("bob", 9), ("ada", 36), ("eve", 9)):
        seen = sorted(id_ for id_ in ids if desk.ask(who, "GET", f"/relationships/{id_}").status == 200)
        assert len(seen) == count
        assert [asset["_id"] for asset in search(desk, who, {}, "relationships")] == seen
        assert desk.ask(who, "POST", "/relationships:count", {}).json == {"count": count}


def test_rows_that_come_and_go_move_no_other(desk: Desk) -> None:
    fill(desk, 12)
    seen: list[str] = []
    query, number = "limit=4", 0
    while True:
        reply = desk.ask("ada", "GET", "/entities", query=query)
        seen += [item["_key"] for item in reply.json["items"]]
        if "cursor" not in reply.json:
            break
        query = f"limit=4&cursor={quote(reply.json['cursor'])}"
        number += 1
        gone = reply.json["items"][-1]["_id"]
        desk.ask("ada", "DELETE", f"/entities/{gone}")
        desk.make(f"new-{number}")
    assert {f"h-{each}" for each in range(12)} <= set(seen)
    assert len(seen) == len(set(seen))


def test_what_is_decided_row_by_row_is_the_same_list_in_shorter_pages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "EXAMINED", 3)
    desk.write_files({"own.cedar": NEARBY})
    fill(desk, 12, 2, ip="10.1.2.3")
    fill(desk, 3, ip="11.1.2.3")
    told = pages(desk, "bob", "limit=2")
    assert sorted(key for page in told for key in page) == ["h-10", "h-4", "h-6", "h-8"]
    # a page is short where so many had to be decided, and whoever sees nothing gets as many pages
    assert all(len(page) <= 2 for page in told)
    desk.write_files({"own.cedar": NEARBY.replace("10.0.0.0/8", "12.0.0.0/8")})
    assert pages(desk, "bob", "limit=2") == [[], [], []]
    desk.write_files({})
    assert pages(desk, "bob", "limit=2") == [[]]


@pytest.mark.parametrize("sort", ["_id", "-_id", "displayName", "-displayName", "_createdOn", "-_key", "_type"])
def test_pages_that_end_early_are_the_whole_list_in_any_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(windows, "EXAMINED", 3)
    for module in (windows, lists):
        monkeypatch.setattr(module, "_AT_ONCE", 2)
    desk.write_files({"own.cedar": NEARBY})
    for number in range(20):
        names = {} if number % 5 == 0 else {"displayName": "name" if number % 3 else f"é{number}"}
        desk.make(f"h-{number}", f"t{number % 2}", ip="10.1.2.3" if number % 4 else "11.1.2.3", **names)
    whole = [item["_key"] for item in desk.ask("ada", "GET", "/entities", query=f"sort={sort}&limit=100").json["items"]]
    seen = [key for key in whole if int(key.partition("-")[2]) % 4]
    told = pages(desk, "bob", f"sort={sort}&limit=4")
    assert [key for page in told for key in page] == seen
    assert len(told) >= 6


def test_a_page_of_large_assets_ends_early_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST", 3_000)
    monkeypatch.setattr(lists, "_AT_ONCE", 3)
    desk.write_files({"own.cedar": SEES})
    for number in range(6):
        desk.make(f"large-{number}", open=True, **{"text": ["x" * 300, "y" * 300], "tag.t": "z" * 900})
        desk.make(f"hidden-{number}", text=["x" * 300, "y" * 300])
    assert [len(page) for page in pages(desk, "bob", "limit=100")] == [2, 2, 2]


def test_where_a_page_ends_tells_nothing_of_what_is_hidden(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST", 5_000)
    monkeypatch.setattr(lists, "_AT_ONCE", 2)
    hides = """
@id("texts") @hides("text")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource);
"""
    desk.write_files({"own.cedar": SEES + hides})
    for number in range(6):
        desk.make(f"h-{number}", open=True, text=["x" * 900, "y" * 900])
    assert [len(page) for page in pages(desk, "bob", "limit=100")] == [6]


HIDDEN = """
@id("pay") @hides("salary")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource)
when { resource has ip && ip(resource.ip).isInRange(ip("10.0.0.0/8")) };
"""


@pytest.mark.parametrize("rest", ["", HIDDEN], ids=["a hidden row", "a hidden property"])
@pytest.mark.parametrize("most", [2, 5, 6, 7])
def test_no_condition_finds_out_by_where_an_answer_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, rest: str, most: int
) -> None:
    """Neither what is true of a row that is not seen, nor what a hidden property is, however many are left open."""
    monkeypatch.setattr(windows, "EXAMINED", most)
    monkeypatch.setattr(windows, "_AT_ONCE", 4)
    own = 'permit(principal == user::"bob", action, resource);' if rest else NEARBY
    desk.write_files({"own.cedar": own + rest})
    for number in range(5):
        desk.make(f"seen-{number}", ip="11.1.1.1" if rest else "10.1.1.1", salary=1)
    desk.make("hidden", ip="10.1.1.1" if rest else "11.1.1.1", salary=777)
    told = []
    for value in (777, 778):
        hidden = {"property": "salary", "op": "eq", "value": value}
        beside = {"or": [hidden, {"property": "salary", "op": "lt", "value": 2}]}
        for where in (hidden, beside):
            for how, more in (
                ("count", {}),
                ("facets", {"facets": ["type"]}),
                ("search", {}),
                ("search", {"limit": 5}),
            ):
                for text in ({}, {"sort": "_key"}, {"sort": "-_createdOn"}) if how == "search" else ({},):
                    body = {"where": where, **more, **text}
                    reply = desk.ask("bob", "POST", f"/entities:{how}", body).json
                    told.append((value, {**reply, "cursor": "cursor" in reply}))
    half = len(told) // 2
    assert [each for _, each in told[:half]] == [each for _, each in told[half:]]


def test_the_more_policies_concern_the_subject_the_fewer_rows_are_decided_for_a_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "EXAMINED", 6)
    desk.write_files({"own.cedar": NEARBY})
    fill(desk, 6, ip="10.1.2.3")
    # the one, and those of the platform
    for few, lengths in ((100, [6]), (1, [3, 3])):
        monkeypatch.setattr(plan, "FEW", few)
        assert [len(page) for page in pages(desk, "bob", "limit=100")] == lengths


def test_a_cursor_is_for_who_asked_what(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    fill(desk, 4, open=True)
    reply = desk.ask("bob", "GET", "/entities", query="limit=2&type=host")
    cursor = reply.json["cursor"]
    last = reply.json["items"][-1]["_id"]
    assert last not in cursor
    own = f"limit=2&type=host&cursor={quote(cursor)}"
    assert desk.ask("bob", "GET", "/entities", query=own).status == 200
    assert desk.ask("eve", "GET", "/entities", query=own).status == 400
    assert desk.ask("ada", "GET", "/entities", query=own, tenant="globex").status == 400
    for query in ("limit=2", "type=disk", "type=host&class=Host", "type=host&sort=_key", "type=host&sort=-_id"):
        assert desk.ask("bob", "GET", "/entities", query=f"{query}&cursor={quote(cursor)}").status == 400
    assert desk.ask("bob", "GET", "/relationships", query=f"type=host&cursor={quote(cursor)}").status == 400
    for broken in (cursor[:-2], cursor[::-1], "B" + cursor[1:], "x", "%00", "A" * 2_000, "é"):
        assert desk.ask("bob", "GET", "/entities", query=f"type=host&cursor={quote(broken)}").status == 400
        assert desk.ask("bob", "POST", "/entities:search", {"type": "host", "cursor": broken}).status == 400
    for other in ({}, {"type": "host", "text": "h"}, {"type": "host", "where": {"property": "a", "op": "exists"}}):
        assert desk.ask("bob", "POST", "/entities:search", {**other, "cursor": cursor}).status == 400
    # another key of the same subject, and the same key in another's name
    for key, subject, status in (("another", "bob", 400), ("key-bob", "eve", 400), ("key-bob", "bob", 200)):
        caller = Caller("acme", key, frozenset({"read"}), Thing("user", subject))
        desk.keys.find = lambda token, found=caller, **_: found  # type: ignore[method-assign]
        assert desk.ask("bob", "GET", "/entities", query=own).status == status


def test_a_list_says_when_the_policies_changed_on_the_way(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk, 4)
    first = desk.ask("ada", "GET", "/entities", query="limit=2")
    query = f"limit=2&cursor={quote(first.json['cursor'])}"
    assert "policyChanged" not in desk.ask("ada", "GET", "/entities", query=query).json
    desk.write_files({"own.cedar": SEES})
    bundle = desk.bundles.held["acme"]
    monkeypatch.setattr(type(bundle), "version_text", "another", raising=False)
    changed = desk.ask("ada", "GET", "/entities", query=query)
    assert changed.json["policyChanged"] is True
    assert changed.headers["policy-version"] == "another"


def test_a_list_is_one_record(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    fill(desk, 6, 2, open=True)
    desk.log.records.clear()
    reply = desk.ask("bob", "GET", "/entities", query="limit=10&class=Host", x_request_id="r")
    (record,) = desk.log.records
    assert record["action"]["name"] == "PolicyService::list"
    assert record["context"] == {"kind": "entity", "type": "", "class": "Host", "limit": 10}
    assert record["version"] == reply.headers["policy-version"]
    shown = [item["_id"] for item in reply.json["items"]]
    assert len(shown) == 3
    assert record["rows"] == {"examined": 3, "shown": 3, "ids": shown, "withheld": []}
    assert "open" in record["filter"]
    assert [fact["uid"]["id"] for fact in record["facts"] if fact["uid"]["type"] == "user"] == ["bob"]


def test_rows_that_were_decided_one_by_one_are_in_the_record(desk: Desk) -> None:
    desk.write_files({"own.cedar": NEARBY})
    fill(desk, 4, 2, ip="10.1.2.3")
    desk.make("far", ip="11.1.1.1")
    desk.log.records.clear()
    body = {"where": {"property": "ip", "op": "exists"}}
    shown = [item["_id"] for item in search(desk, "bob", body)]
    (record,) = desk.log.records
    assert record["context"] == {"kind": "entity", "limit": 100, **body}
    assert record["rows"]["ids"] == shown
    assert (record["rows"]["examined"], record["rows"]["shown"], len(record["rows"]["withheld"])) == (3, 2, 1)
    assert {fact["uid"]["id"] for fact in record["facts"]} >= {*shown, *record["rows"]["withheld"], "bob"}


def test_what_is_hidden_does_not_show_in_there_being_another_page(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    ids = sorted(desk.make(f"h-{number}") for number in range(3))
    desk.ask("ada", "PATCH", f"/entities/{ids[0]}", {"open": True})
    assert len(pages(desk, "bob", "limit=1")) == 1
    desk.ask("ada", "PATCH", f"/entities/{ids[2]}", {"open": True})
    assert [len(page) for page in pages(desk, "bob", "limit=1")] == [1, 1]
    assert [len(page) for page in pages(desk, "bob", "limit=2")] == [2]


def test_what_has_just_become_restricted_is_no_facet(desk: Desk) -> None:
    desk.write_files(INDEXED)
    desk.make("h-1", color="red")
    body = {"facets": ["color"]}
    assert desk.ask("ada", "POST", "/entities:facets", body).status == 200
    # the rows for its values go when the store is rebuilt, and those of what is sealed are never made
    desk.write_files({"tenant.yaml": "name: x\nrestricted: [color]\n"})
    assert desk.ask("ada", "POST", "/entities:facets", body).status == 400


def test_what_was_restricted_for_a_moment_is_a_facet_when_all_its_rows_are_there(desk: Desk) -> None:
    desk.write_files(INDEXED)
    desk.make("h-1", color="red")
    desk.write_files({"tenant.yaml": "name: x\nrestricted: [color]\n"})
    desk.make("h-2", color="red")
    desk.write_files(INDEXED)
    body = {"facets": ["color"]}
    if desk.store.backend == "postgresql":
        # in a file nothing is sealed by itself
        assert desk.ask("ada", "POST", "/entities:facets", body).status == 400
        assert desk.ask("ada", "POST", "/entities:facets", {"facets": ["tag.env"]}).status == 200
        assert rebuild(desk.store, desk.bundles.current("acme"), rest=0)
    told = desk.ask("ada", "POST", "/entities:facets", body).json
    assert told == {"facets": {"color": [{"value": "red", "count": 2}]}}
