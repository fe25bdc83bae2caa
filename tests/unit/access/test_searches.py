"""Searches, counts and facets mean what their grammar says, on both databases: held against the JSON that is shown."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from policy_service.access import counts, windows
from policy_service.assets.sql import sayable
from tests.property.asset_searches import FACETS, SORTS, check_facets, draw_search, is_meant, sort
from tests.unit.access.desks import Desk, entity, relationship
from tests.unit.access.test_lists import NEARBY, SEES, search

VALUES: list[dict[str, Any]] = [
    {},
    {"color": "red", "size": 1, "tag.env": "prod", "displayName": "Web 1"},
    {"color": "RED", "size": 1.5, "tag.env": "test", "displayName": "web 2"},
    {"color": "blue", "size": 2**70, "frozen": True, "displayName": "Ünder"},
    {"color": "é", "size": -1, "frozen": False, "tag.env": 1, "note": "secret"},
    {"color": ["red", "blue"], "size": [1, 2.5], "tag.env": ["prod", "test"], "owner": "e1"},
    {"color": 1, "size": "1", "frozen": "true", "note": 5, "key": "own", "class": "x"},
    {"color": True, "size": 2**63 - 1, "note": ["a"], "displayName": "%_*[?\\"},
    {"color": "r%d", "size": -(2**63), "weird name": 1, "a.b": "x", "displayName": "1"},
    {"color": "red", "size": 1.25, "_class": ["Host", "Team"], "note": "other"},
]


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A desk with assets of all sorts, of which bob sees some."""
    desk.write_files({"own.cedar": SEES, "tenant.yaml": "name: x\nindexed: [color, tag.env]\nrestricted: [note]\n"})
    sent = [{**entity(f"e{number}"), "open": True, **values} for number, values in enumerate(VALUES)]
    sent += [{**entity(f"x{number}"), **values} for number, values in enumerate(VALUES)]
    ids = [item["_id"] for item in desk.ask("ada", "POST", "/entities:batch", {"entities": sent}).json["items"]]
    for number, values in enumerate(VALUES):
        body = relationship(f"r{number}", ids[number], ids[number * 3 % len(ids)])
        _class = "OWNS" if number % 2 else "HAS"
        reply = desk.ask("ada", "POST", "/relationships", {**body, **values, "_class": _class})
        assert reply.status == 201, reply.json
    return desk


def test_searches_mean_what_they_say(full: Desk) -> None:
    random = Random(5)
    lengths = set()
    for kind, noun in (("entity", "entities"), ("relationship", "relationships")):
        for who in ("ada", "bob"):
            shown = search(full, who, {}, noun)
            assert len(shown) < {"ada": 21, "bob": 11}[who]
            for _ in range(6):
                body, by = draw_search(random, kind), random.choice(SORTS)
                expected = sort([asset for asset in shown if is_meant(body, asset)], by)
                told = search(full, who, {**body, "sort": by, "limit": random.choice([3, 100])}, noun)
                assert told == expected, (json.dumps(body), by)
                assert full.ask(who, "POST", f"/{noun}:count", body).json == {"count": len(expected)}
                names = FACETS if kind == "entity" else FACETS[:2]
                check_facets(full.ask(who, "POST", f"/{noun}:facets", {**body, "facets": names}).json, expected, names)
                lengths.add(len(expected))
    assert len(lengths) > 3


def test_it_says_the_same_of_rows_that_are_decided_one_by_one(full: Desk) -> None:
    before = {body: search(full, "bob", json.loads(body)) for body in _bodies()}
    # what no SQL says, and is as true
    opaque = 'ip(if resource has ip then resource.ip else "10.0.0.1").isLoopback() == false'
    full.write_files(
        {
            "own.cedar": SEES.replace("};", f"}} when {{ {opaque} }};"),
            "tenant.yaml": "name: x\nindexed: [color, tag.env]\nrestricted: [note]\n",
        }
    )
    for body, expected in before.items():
        assert search(full, "bob", json.loads(body)) == expected
        assert full.ask("bob", "POST", "/entities:count", json.loads(body)).json == {"count": len(expected)}
        told = full.ask("bob", "POST", "/entities:facets", {**json.loads(body), "facets": FACETS}).json
        check_facets(told, expected, FACETS)


def _bodies() -> list[str]:
    random = Random(9)
    return [json.dumps(draw_search(random, "entity")) for _ in range(10)]


def test_a_count_that_can_t_be_decided_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "EXAMINED", 5)
    desk.write_files({"own.cedar": NEARBY})
    for number in range(12):
        desk.make(f"h-{number}", ip="10.1.2.3" if number % 2 else "11.1.1.1")
        desk.make(f"none-{number}", "disk")
    told = desk.ask("bob", "POST", "/entities:count", {}).json
    assert told["atLeast"] is True
    assert 0 <= told["count"] <= 5
    facets = desk.ask("bob", "POST", "/entities:facets", {"facets": ["type"]}).json
    assert facets["atLeast"] is True
    # what is not doubtful is exact, however many there are: of a type; what else is asked of them tells nothing
    assert desk.ask("bob", "POST", "/entities:count", {"type": "disk"}).json == {"count": 0}
    none = {"where": {"property": "ip", "op": "eq", "value": "nowhere"}}
    assert desk.ask("bob", "POST", "/entities:count", none).json == {"count": 0, "atLeast": True}
    monkeypatch.setattr(windows, "EXAMINED", 12)
    assert desk.ask("bob", "POST", "/entities:count", {}).json == {"count": 6}


def test_a_count_of_large_assets_says_so_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST", 1_500)
    monkeypatch.setattr(counts, "_AT_ONCE", 2)
    desk.write_files({"own.cedar": NEARBY})
    for number in range(6):
        desk.make(f"h-{number}", ip="10.1.2.3", text=["x" * 300, "y" * 300])
    assert desk.ask("bob", "POST", "/entities:count", {}).json == {"count": 2, "atLeast": True}


def test_nothing_is_counted_twice_where_what_is_certain_is_half_of_a_long_condition(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = "".join(
        f'@id("{letter}") permit(principal, action == PolicyService::Action::"read", resource) '
        f'when {{ resource.key like "{letter}*-" }};\n'
        for letter in "abcdef"
    )
    desk.write_files({"own.cedar": NEARBY + starts})
    for letter in "abcxyz":
        desk.make(f"{letter}-", ip="10.1.2.3")
    # with both halves it is more than that
    monkeypatch.setattr(sayable, "MOST_LEAVES", 10)
    assert len(search(desk, "bob", {})) == 6
    assert desk.ask("bob", "POST", "/entities:count", {}).json == {"count": 6}
    told = desk.ask("bob", "POST", "/entities:facets", {"facets": ["type"]}).json
    assert told == {"facets": {"type": [{"value": "host", "count": 6}]}}


def test_what_is_denied_does_not_show_in_how_long_a_search_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    hides = """
@id("n") @hides("n") forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource)
when { resource has a && resource.a == 1 || resource has b && resource.b == 2 || resource has c && resource.c == 3 };
"""
    desk.write_files({"own.cedar": SEES + hides})
    for number in range(4):
        desk.make(f"open-{number}", open=True, n=1)
    monkeypatch.setattr(windows, "EXAMINED", 5)
    monkeypatch.setattr(sayable, "MOST_LEAVES", 30)
    where = {"not": {"or": [{"property": "n", "op": "eq", "value": number} for number in range(5, 15)]}}
    told = []
    for _ in range(2):
        count = desk.ask("bob", "POST", "/entities:count", {"where": where}).json
        page = desk.ask("bob", "POST", "/entities:search", {"where": where, "limit": 100}).json
        told.append((count, len(page["items"]), page.get("cursor")))
        # nor are they read
        assert desk.log.records[-1]["rows"]["examined"] == 4
        # the policies say of these that they are hidden
        for number in range(8):
            desk.make(f"{len(told)}-hidden-{number}", n=1)
    assert told == [({"count": 4}, 4, None)] * 2
    for number in range(3):
        desk.make(f"more-{number}", open=True, n=1)
    assert desk.ask("bob", "POST", "/entities:count", {"where": where}).json["atLeast"] is True


def test_a_facet_says_where_it_may_be_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write_files({"own.cedar": NEARBY + SEES, "tenant.yaml": "name: x\nindexed: [color]\n"})
    for number, color in enumerate("abz"):
        desk.make(f"o-{number}", open=True, color=color)
    desk.make("decided", ip="10.1.2.3", color="z")
    body = {"facets": ["color"], "limit": 10}
    told = desk.ask("bob", "POST", "/entities:facets", body).json
    assert told["facets"]["color"][0] == {"value": "z", "count": 2}
    assert "atLeast" not in told
    monkeypatch.setattr(counts, "_VALUES", 2)
    assert desk.ask("bob", "POST", "/entities:facets", body).json["atLeast"] is True


def test_no_class_is_one_of_none(desk: Desk) -> None:
    desk.relate("r", desk.make("a"), desk.make("b"))
    for op, value, count in (("in", [], 0), ("in", ["OWNS"], 1), ("in", ["HAS"], 0), ("ne", "HAS", 1)):
        where = {"property": "_class", "op": op, "value": value}
        assert desk.ask("ada", "POST", "/relationships:count", {"where": where}).json == {"count": count}
    there = {"where": {"property": "_class", "op": "exists"}}
    assert desk.ask("ada", "POST", "/relationships:count", there).json == {"count": 1}


def test_a_facet_has_the_values_that_most_have(desk: Desk) -> None:
    for number, kind in enumerate(["a", "b", "b", "c", "c", "c"]):
        desk.make(f"h-{number}", kind)
    told = desk.ask("ada", "POST", "/entities:facets", {"facets": ["type"], "limit": 2})
    assert told.json == {"facets": {"type": [{"value": "c", "count": 3}, {"value": "b", "count": 2}]}}
    assert desk.ask("ada", "POST", "/entities:facets", {"facets": ["color"]}).status == 400


def test_counts_are_in_the_log(desk: Desk) -> None:
    desk.make("h-1")
    desk.log.records.clear()
    desk.ask("ada", "POST", "/entities:count", {"type": "host"})
    desk.ask("ada", "POST", "/entities:facets", {"facets": ["class"]})
    assert [record["action"]["name"] for record in desk.log.records] == ["PolicyService::list"] * 2
    assert desk.log.records[0]["context"] == {"kind": "entity", "type": "host"}
    assert [record["rows"]["counted"] for record in desk.log.records] == [1, 1]
    desk.log.full = True
    assert desk.ask("ada", "POST", "/entities:count", {}).status == 503


def test_nothing_is_sorted_by_what_is_hidden(desk: Desk) -> None:
    hides = """
@id("names") @hides("displayName")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource is disk);
"""
    desk.write_files({"own.cedar": SEES + hides})
    desk.make("h-1", open=True, displayName="b")
    refused = desk.ask("bob", "GET", "/entities", query="sort=displayName")
    assert refused.status == 403
    assert "displayName" in refused.json["detail"]
    assert desk.ask("bob", "GET", "/entities", query="sort=_key").status == 200
    assert desk.ask("ada", "GET", "/entities", query="sort=displayName").status == 200


def test_a_hidden_property_is_found_by_nothing(desk: Desk) -> None:
    hides = """
@id("salaries") @hides("salary,tag.*")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource)
when { resource has grade && resource.grade == "high" };
"""
    desk.write_files({"own.cedar": SEES + hides, "tenant.yaml": "name: x\nindexed: [salary, tag.env]\n"})
    desk.make("low", open=True, salary=10, grade="low", **{"tag.env": "x"})
    desk.make("high", open=True, salary=90, grade="high", **{"tag.env": "x"})

    def keys(where: Any, **more: Any) -> list[str]:
        return sorted(asset["_key"] for asset in search(desk, "bob", {"where": where, **more}))

    salary = {"property": "salary", "op": "exists"}
    assert keys(salary) == ["low"]
    assert keys({"not": salary}) == ["high"]
    for op, value in (("gt", 50), ("eq", 90), ("in", [90]), ("ge", 90)):
        assert keys({"property": "salary", "op": op, "value": value}) == []
    assert keys({"property": "salary", "op": "ne", "value": 0}) == ["low"]
    assert keys({"property": "tag.env", "op": "eq", "value": "x"}) == ["low"]
    assert desk.ask("bob", "POST", "/entities:count", {"where": salary}).json == {"count": 1}
    facets = desk.ask("bob", "POST", "/entities:facets", {"facets": ["salary", "tag.env"]}).json["facets"]
    assert facets == {"salary": [{"value": 10, "count": 1}], "tag.env": [{"value": "x", "count": 1}]}
    assert sorted(asset["_key"] for asset in search(desk, "bob", {"text": "x"})) == ["low"]
    assert all(set(asset) & {"salary", "tag.env"} == set() for asset in search(desk, "bob", {"where": {"not": salary}}))
