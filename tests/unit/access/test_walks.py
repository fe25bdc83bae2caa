"""Walks lead through what may be seen and nothing else, and count nothing else."""

from __future__ import annotations

import pytest

from policy_service.access import walks
from tests.unit.access.desks import Desk
from tests.unit.access.test_lists import NEARBY, SEES


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


def test_a_limit_counts_nothing_that_is_hidden(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write_files({"own.cedar": SEES})
    monkeypatch.setattr(walks, "_AT_ONCE", 2)
    start = desk.make("start", open=True)
    for number in range(6):
        desk.relate(str(number), start, desk.make(f"h-{number}"))
    desk.relate("seen", start, desk.make("seen", open=True))
    for limit in (1, 2, 5):
        reply = desk.ask("bob", "GET", f"/entities/{start}/neighbours", query=f"limit={limit}")
        assert (reply.status, len(reply.json["steps"])) == (200, 1)


def test_a_step_decides_so_many_one_by_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    near = NEARBY.replace("resource has ip", 'resource.class.contains("OWNS") || resource has ip')
    desk.write_files({"own.cedar": near})
    monkeypatch.setattr(walks, "_AT_ONCE", 2)
    start = desk.make("start", ip="10.0.0.1")
    for number in range(4):
        desk.relate(str(number), start, desk.make(f"h-{number}", ip=f"{10 + number % 2}.0.0.1"))
    seen = desk.ask("bob", "GET", f"/entities/{start}/neighbours").json["steps"]
    assert {step["entity"]["_key"] for step in seen} == {"h-0", "h-2"}
    monkeypatch.setattr(walks, "EXAMINED", 2)
    refused = desk.ask("bob", "GET", f"/entities/{start}/neighbours")
    assert refused.status == 400
    assert "to decide" in refused.json["detail"]


def test_a_walk_shows_nothing_that_is_hidden(desk: Desk) -> None:
    hides = """
@id("weights") @hides("weight")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource);
"""
    desk.write_files({"own.cedar": SEES + hides})
    start, near = desk.make("start", open=True), desk.make("near", open=True, weight=3)
    made = desk.relate("1", start, near)
    assert desk.ask("ada", "PATCH", f"/relationships/{made}", {"weight": 4}).status == 200
    for who, weights in (("ada", (4, 3)), ("bob", (None, None))):
        (step,) = desk.ask(who, "GET", f"/entities/{start}/walk").json["steps"]
        assert (step["relationship"].get("weight"), step["entity"].get("weight")) == weights


def test_what_is_shown_fits_one_answer(desk: Desk) -> None:
    large = [letter * 60_000 for letter in "abcd"]
    start = desk.make("start")
    for number in range(36):
        made = desk.relate(str(number), start, desk.make(f"h-{number}", notes=large if number % 2 else []))
        if number % 2 == 0:
            assert desk.ask("ada", "PATCH", f"/relationships/{made}", {"notes": large}).status == 200
        if number == 30:
            assert desk.ask("ada", "GET", f"/entities/{start}/neighbours").status == 200
    for path in ("neighbours", "walk"):
        refused = desk.ask("ada", "GET", f"/entities/{start}/{path}")
        assert refused.status == 400
        assert "too large for one answer, name types or take fewer steps" in refused.json["detail"]
        assert desk.ask("ada", "GET", f"/entities/{start}/{path}", query="type=knows").json["steps"] == []


def test_each_asset_takes_room_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    start, near, next_ = desk.make("start"), desk.make("near"), desk.make("next")
    for key, from_, to in (("1", start, near), ("2", near, next_), ("3", next_, start)):
        desk.relate(key, from_, to)
    monkeypatch.setattr(walks, "weigh", lambda _: 1)
    for room, status in ((5, 200), (4, 400)):
        monkeypatch.setattr(walks, "MOST", room)
        assert desk.ask("ada", "GET", f"/entities/{start}/walk", query="depth=5").status == status


def test_what_is_hidden_takes_no_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    hides = """
@id("notes") @hides("note")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource);
"""
    desk.write_files({"own.cedar": SEES + hides})
    start = desk.make("start", open=True)
    made = desk.relate("seen", start, desk.make("seen", open=True, note="n" * 9_000))
    assert desk.ask("ada", "PATCH", f"/relationships/{made}", {"note": "n" * 9_000}).status == 200
    for number in range(3):
        desk.relate(str(number), start, desk.make(f"h-{number}", note="n" * 9_000))
    monkeypatch.setattr(walks, "MOST", 9_000)
    for path in ("neighbours", "walk"):
        reply = desk.ask("bob", "GET", f"/entities/{start}/{path}")
        assert (reply.status, len(reply.json["steps"])) == (200, 1)
        assert desk.ask("ada", "GET", f"/entities/{start}/{path}").status == 400


def test_a_step_decides_so_much(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    near = NEARBY.replace("resource has ip", 'resource.class.contains("OWNS") || resource has ip')
    desk.write_files({"own.cedar": near})
    monkeypatch.setattr(walks, "_AT_ONCE", 2)
    start = desk.make("start", ip="10.0.0.1")
    for number in range(4):
        made = desk.relate(str(number), start, desk.make(f"h-{number}", ip="11.0.0.1"))
        assert desk.ask("ada", "PATCH", f"/relationships/{made}", {"note": "n" * 5_000}).status == 200
    assert desk.ask("bob", "GET", f"/entities/{start}/neighbours").json["steps"] == []
    monkeypatch.setattr(walks, "MOST", 9_000)
    refused = desk.ask("bob", "GET", f"/entities/{start}/neighbours")
    assert refused.status == 400
    assert "to decide" in refused.json["detail"]
