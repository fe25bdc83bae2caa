"""Neighbours and walks on both databases: in order, each entity once, never through what is not allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy_service.assets import relationships
from policy_service.assets.walk import Step, Way, follow_all, neighbours, see_all, walk
from policy_service.errors import RequestError
from policy_service.model import Uid
from tests.unit.assets.inventories import entity, opened, relationship

TEAM = ("Team", "red")


def but(inventory, *hidden):
    """All relationships but these, and those that have one of these at an end."""
    follow, gone = follow_all(inventory), {asset.uid for asset in hidden}
    return lambda near, most: [row for row in follow(near, most) if gone.isdisjoint({row.uid, row.from_, row.to})]


def shown(found):
    return [(step.depth, step.relationship.key, step.entity and step.entity.key) for step in found]


def test_neighbours_by_direction_type_and_class(store) -> None:
    with opened(store) as inventory:
        a, b, c = (entity(inventory, key) for key in "abc")
        ab = relationship(inventory, "uses", a, b, _key="ab")
        relationship(inventory, "runs", c, a, _key="ca", _class="RUNS")
        relationship(inventory, "uses", b, c, _key="bc")
        at = relationship(inventory, "uses", a, TEAM, _key="at")
        gone = relationship(inventory, "uses", a, c, _key="gone")
        relationships.remove(inventory, gone, 1)

        follow = follow_all(inventory)

        def keys(**how):
            return {(step.relationship.key, step.uid.id) for step in neighbours(inventory, a.uid, follow, Way(**how))}

        out, in_, team = ("ab", b.id), ("ca", c.id), ("at", "red")
        assert keys() == {out, in_, team}
        assert keys(direction="out") == {out, team}
        assert keys(direction="in") == {in_}
        assert keys(types=["uses"]) == {out, team}
        assert keys(classes=["RUNS"]) == {in_}
        assert keys(types=["uses"], classes=["RUNS"]) == set()
        found = neighbours(inventory, a.uid, follow)
        ids = [step.relationship.id for step in found]
        assert ids == sorted(ids)
        assert Step(1, ab, b.uid, b) in found
        # an entity of the file is named, and nothing of it is shown
        assert Step(1, at, Uid("Team", "red"), None) in found
        # and has neighbours of its own
        assert shown(neighbours(inventory, Uid("Team", "red"), follow)) == [(1, "at", "a")]
        assert neighbours(inventory, Uid("Team", a.id), follow) == ()


def test_a_walk_goes_round_once(store) -> None:
    with opened(store) as inventory:
        a, b, c, d = (entity(inventory, key) for key in "abcd")
        for from_, to in ((a, b), (b, c), (c, a), (c, d), (a, a)):
            relationship(inventory, "uses", from_, to, _key=from_.key + to.key)
        follow = follow_all(inventory)
        found = walk(inventory, a.uid, follow, Way("out"))
        assert sorted(shown(found)) == [
            (1, "aa", None),
            (1, "ab", "b"),
            (2, "bc", "c"),
            (3, "ca", None),
            (3, "cd", "d"),
        ]
        assert [step.depth for step in found] == sorted(step.depth for step in found)
        assert sorted(shown(walk(inventory, a.uid, follow, Way("out"), depth=2)))[-1] == (2, "bc", "c")
        both = shown(walk(inventory, a.uid, follow_all(inventory)))
        assert len({key for _, key, _ in both}) == len(both) == 5
        assert {key for _, _, key in both} == {None, "b", "c", "d"}


def test_no_walk_goes_through_what_is_not_allowed(store) -> None:
    with opened(store) as inventory:
        a, b, c, d = (entity(inventory, key) for key in "abcd")
        ab, _, ad, dc = (
            relationship(inventory, "uses", from_, to, _key=from_.key + to.key)
            for from_, to in ((a, b), (b, c), (a, d), (d, c))
        )
        assert shown(walk(inventory, a.uid, but(inventory, b, d))) == []
        assert sorted(shown(walk(inventory, a.uid, but(inventory, ab, ad)))) == []
        # the other way round is free, and leads to the hidden one again, in vain
        assert sorted(shown(walk(inventory, a.uid, but(inventory, b)))) == [(1, "ad", "d"), (2, "dc", "c")]
        assert sorted(shown(walk(inventory, a.uid, but(inventory, b, dc)))) == [(1, "ad", "d")]


def test_a_walk_does_not_go_through_the_file(store) -> None:
    with opened(store) as inventory:
        a, b = entity(inventory, "a"), entity(inventory, "b")
        relationship(inventory, "team_owns_host", TEAM, a, _key="ta")
        relationship(inventory, "team_owns_host", TEAM, b, _key="tb")
        assert shown(walk(inventory, a.uid, follow_all(inventory))) == [(1, "ta", None)]


def test_caps_fail_loudly(store) -> None:
    with opened(store) as inventory:
        hub, *rest = (entity(inventory, f"h{number}") for number in range(5))
        for host in rest:
            relationship(inventory, "uses", hub, host)
        follow = follow_all(inventory)
        assert len(neighbours(inventory, hub.uid, follow, limit=4)) == 4
        with pytest.raises(RequestError, match="more than 3 relationships"):
            neighbours(inventory, hub.uid, follow, limit=3)
        with pytest.raises(RequestError, match="more than 3 relationships"):
            walk(inventory, hub.uid, follow, fan_out=3)
        with pytest.raises(RequestError, match="reaches more than 3 entities"):
            walk(inventory, hub.uid, follow, reached=3)
        # what is not followed counts for nothing
        assert walk(inventory, hub.uid, but(inventory, *rest), fan_out=3, reached=3) == ()


def test_a_walk_that_was_reached_twice_in_one_step_shows_the_entity_once(store) -> None:
    with opened(store) as inventory:
        a, b = entity(inventory, "a"), entity(inventory, "b")
        relationship(inventory, "uses", a, b, _key="one")
        relationship(inventory, "uses", b, a, _key="two")
        found = shown(walk(inventory, a.uid, follow_all(inventory)))
        assert sorted(key for _, key, _ in found) == ["one", "two"]
        assert sorted(key or "" for _, _, key in found) == ["", "b"]


def test_entities_are_looked_for_once_and_shown_as_they_are_seen(store) -> None:
    with opened(store) as inventory:
        a, b, c = (entity(inventory, key) for key in "abc")
        for from_, to in ((a, b), (b, c), (c, a), (a, TEAM)):
            relationship(inventory, "uses", from_, to)
        looked: list[Uid] = []

        def see(uids):
            looked.extend(sorted(uids))
            return [replace(one, display_name=one.key.upper()) for one in see_all(inventory)(uids)]

        found = walk(inventory, a.uid, follow_all(inventory), Way("out"), see=see)
        assert looked == [b.uid, c.uid]
        assert [step.entity.display_name for step in found if step.entity] == ["B", "C"]
        assert see_all(inventory)([Uid("Team", a.id), b.uid]) == [b]
        # what is not seen is not there, and nothing leads on from it
        assert {step.uid for step in walk(inventory, a.uid, follow_all(inventory), see=lambda _: [])} == {Uid(*TEAM)}
