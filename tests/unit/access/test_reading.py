"""Lists and walks show what may be seen and nothing else, and are one record each."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from policy_service.access import reading
from policy_service.model import Caller, Thing
from tests.unit.access.desks import Desk, entity

SEES = """
@id("bob-sees-open")
permit(principal, action == PolicyService::Action::"read", resource)
when { resource has open || resource.class.contains("OWNS") };
"""


def fill(desk: Desk, count: int, every: int = 1) -> None:
    items = [
        entity(f"h-{number}", _class=["Host", f"C{number % 2}"], **({"open": True} if number % every == 0 else {}))
        for number in range(count)
    ]
    reply = desk.ask("ada", "POST", "/entities:batch", {"entities": items})
    assert {item["status"] for item in reply.json["items"]} == {201}


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


def test_a_list_shows_what_may_be_seen_page_by_page(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    fill(desk, 20, every=2)
    told = pages(desk)
    assert sorted(key for page in told for key in page) == sorted(f"h-{number}" for number in range(0, 20, 2))
    assert [len(page) for page in told][:3] == [3, 3, 3]
    assert len(pages(desk, "ada", "limit=20")) == 1
    assert [len(page) for page in pages(desk, "ada", "limit=10")] == [10, 10]
    assert pages(desk, "eve", "type=disk") == [[]]
    assert len(pages(desk, "ada", "class=C1")[0]) == 10


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


def test_a_page_ends_early_and_is_not_the_last(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "EXAMINED", 5)
    desk.write_files({"own.cedar": SEES})
    fill(desk, 12)
    told = pages(desk, "eve", "limit=2")
    assert [len(page) for page in told] == [2, 2, 2, 2, 2, 2]
    desk.write_files({})
    told = pages(desk, "eve", "limit=2")
    assert told == [[], [], []]


def test_a_page_of_large_assets_ends_early_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "EXAMINED_CHARACTERS", 1_000)
    monkeypatch.setattr(reading, "_LARGEST_CHUNK", 2)
    desk.write_files({"own.cedar": SEES})
    for number in range(6):
        desk.make(f"large-{number}", open=True, text=["x" * 300, "y" * 300])
    told = pages(desk, "ada", "limit=100")
    assert [len(page) for page in told] == [2, 2, 2]


def test_a_cursor_is_for_who_asked_what(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    fill(desk, 4)
    reply = desk.ask("bob", "GET", "/entities", query="limit=2&type=host")
    cursor = reply.json["cursor"]
    last = reply.json["items"][-1]["_id"]
    assert last not in cursor
    own = f"limit=2&type=host&cursor={quote(cursor)}"
    assert desk.ask("bob", "GET", "/entities", query=own).status == 200
    assert desk.ask("eve", "GET", "/entities", query=own).status == 400
    assert desk.ask("ada", "GET", "/entities", query=own, tenant="globex").status == 400
    for query in ("limit=2", "type=disk", "type=host&class=Host"):
        assert desk.ask("bob", "GET", "/entities", query=f"{query}&cursor={quote(cursor)}").status == 400
    assert desk.ask("bob", "GET", "/relationships", query=f"type=host&cursor={quote(cursor)}").status == 400
    for broken in (cursor[:-2], cursor[::-1], "B" + cursor[1:], "x", "%00", "A" * 2_000, "é"):
        assert desk.ask("bob", "GET", "/entities", query=f"type=host&cursor={quote(broken)}").status == 400
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
    fill(desk, 6, every=2)
    desk.log.records.clear()
    reply = desk.ask("bob", "GET", "/entities", query="limit=10&class=Host", x_request_id="r")
    (record,) = desk.log.records
    assert record["action"]["name"] == "PolicyService::list"
    assert record["context"] == {"kind": "entity", "type": "", "class": "Host", "limit": 10}
    assert record["version"] == reply.headers["policy-version"]
    shown = [item["_id"] for item in reply.json["items"]]
    assert record["rows"]["ids"] == shown
    assert (record["rows"]["examined"], record["rows"]["shown"], len(record["rows"]["withheld"])) == (6, 3, 3)
    assert {fact["uid"]["id"] for fact in record["facts"]} >= {*shown, *record["rows"]["withheld"], "bob"}


def test_a_walk_goes_through_nothing_that_is_not_seen(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    start, hidden, beyond = desk.make("start", open=True), desk.make("hidden"), desk.make("beyond", open=True)
    near = desk.make("near", open=True)
    desk.relate("1", start, hidden)
    desk.relate("2", hidden, beyond)
    desk.relate("3", start, near)
    desk.relate("4", near, start, "knows")
    walked = desk.ask("bob", "GET", f"/entities/{start}/walk", query="depth=5")
    assert {step["_id"] for step in walked.json["steps"]} == {near}
    all_ = desk.ask("ada", "GET", f"/entities/{start}/walk", query="depth=2").json["steps"]
    assert {(step["depth"], step["_id"]) for step in all_ if step["entity"]} == {(1, hidden), (1, near), (2, beyond)}
    for query, ids in (
        ("", [near, near]),
        ("direction=out", [near]),
        ("direction=in", [near]),
        ("type=knows", [near]),
        ("type=nothing", []),
    ):
        steps = desk.ask("bob", "GET", f"/entities/{start}/neighbours", query=query).json["steps"]
        assert [step["_id"] for step in steps] == ids, query
    assert desk.ask("bob", "GET", f"/entities/{hidden}/walk").status == 404
    desk.log.records.clear()
    desk.ask("bob", "GET", f"/entities/{start}/walk")
    assert [record["action"]["name"] for record in desk.log.records] == ["PolicyService::read", "PolicyService::list"]


def test_a_walk_that_would_be_cut_short_fails(desk: Desk) -> None:
    start = desk.make("start")
    for number in range(3):
        desk.relate(str(number), start, desk.make(f"h-{number}"))
    assert len(desk.ask("ada", "GET", f"/entities/{start}/neighbours", query="limit=3").json["steps"]) == 3
    refused = desk.ask("ada", "GET", f"/entities/{start}/neighbours", query="limit=2")
    assert refused.status == 400
    assert "more than 2" in refused.json["detail"]
    assert desk.ask("ada", "GET", f"/entities/{start}/walk", query="depth=6").status == 400


def test_what_is_hidden_does_not_show_in_there_being_another_page(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    ids = sorted(desk.make(f"h-{number}") for number in range(3))
    desk.ask("ada", "PATCH", f"/entities/{ids[0]}", {"open": True})
    assert len(pages(desk, "bob", "limit=1")) == 1
    desk.ask("ada", "PATCH", f"/entities/{ids[2]}", {"open": True})
    assert [len(page) for page in pages(desk, "bob", "limit=1")] == [1, 1]
    assert [len(page) for page in pages(desk, "bob", "limit=2")] == [2]


def test_a_limit_counts_nothing_that_is_hidden(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    start = desk.make("start", open=True)
    for number in range(3):
        desk.relate(str(number), start, desk.make(f"h-{number}"))
    desk.relate("seen", start, desk.make("seen", open=True))
    for limit in (1, 2, 5):
        reply = desk.ask("bob", "GET", f"/entities/{start}/neighbours", query=f"limit={limit}")
        assert (reply.status, len(reply.json["steps"])) == (200, 1)
