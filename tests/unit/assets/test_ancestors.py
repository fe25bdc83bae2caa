"""Rows of elements against the slow model, whatever is written in whatever order."""

from __future__ import annotations

import random
import threading

import pytest

from policy_service.assets import entities, relationships
from policy_service.assets.asset import Asset
from policy_service.assets.drafts import read_patch
from policy_service.assets.edges import fetch_edges
from policy_service.assets.rebuilding import rebuild
from policy_service.errors import Conflict
from policy_service.model import Uid
from tests.unit.assets.element_model import draw, reach, read_all, rows_expected, rows_held
from tests.unit.assets.inventories import entity, make_bundle, opened, parse, relationship

DRAWN = """
relationships:
  in: {parent: to}
  has: {parent: from, attribute: {on: to, name: owner}}
  uses: {attribute: {on: from, name: uses}}
"""
OTHERWISE = """
relationships:
  in: {parent: to, attribute: {on: from, name: owner}}
  uses: {parent: from}
"""
FILED = '[{"uid": {"type": "Team", "id": "red"}}, {"uid": {"type": "Team", "id": "%s"}}]' % ("t" * 1_200)
VALUES = (["a", "b"], ["b"], ["b", "c" * 1_500], [], "prod", "x" * 1_500, 7, True, [1, 2], None)


class Town:
    """Somebody who writes whatever comes to mind."""

    def __init__(self, store, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.bundle = make_bundle(drawn=DRAWN, filed=FILED, indexed="env, tag.env")
        self.now = 1_000

    def write(self, inventory) -> None:
        self.now += 1
        act = self.random.choice([self.make, self.change, self.relate, self.relate, self.relate, self.part, self.end])
        act(inventory)

    def make(self, inventory) -> None:
        env, tag = self.random.choice(VALUES), self.random.choice(VALUES)
        entity(inventory, f"e{self.random.randrange(9)}", self.now, _type="host", env=env, tag__env=tag, note=env)

    def change(self, inventory) -> None:
        if found := self.pick(inventory, "entity"):
            part = read_patch(parse(env=self.random.choice(VALUES), _class=self.random.choice(["A", ["A", "B"]])))
            (held,) = entities.find(inventory, [found.id], lock=True).values()
            entities.store(inventory, entities.propose_patch(inventory, held, part, self.now))

    def relate(self, inventory) -> None:
        there = [*read_all(inventory, "entity"), ("Team", "red"), ("Team", "t" * 1_200)]
        ends = self.random.choice(there), self.random.choice(there)
        try:
            # two of the same ends: what the one draws stays when the other goes
            key = f"r{self.random.randrange(40)}"
            relationship(inventory, self.random.choice(["in", "has", "uses", "else"]), *ends, self.now, _key=key)
        except Conflict:
            pass

    def part(self, inventory) -> None:
        if found := self.pick(inventory, "relationship"):
            (held,) = relationships.find(inventory, [found.id], lock=True).values()
            relationships.remove(inventory, held, self.now)

    def end(self, inventory) -> None:
        found = self.pick(inventory, "entity")
        if found and self.random.random() < 0.4:
            entities.remove(inventory, entities.find(inventory, [found.id], lock=True)[found.id], self.now)

    def pick(self, inventory, kind) -> Asset | None:
        found = sorted(read_all(inventory, kind), key=lambda asset: asset.id)
        return self.random.choice(found) if found else None


@pytest.mark.parametrize("seed", [1, 2])
def test_the_rows_are_those_of_the_model(store, seed) -> None:
    town = Town(store, seed)
    for round_ in range(8):
        for _ in range(3):
            with opened(store, town.bundle) as inventory:
                for _ in range(8):
                    town.write(inventory)
        with opened(store, town.bundle, write=False) as inventory:
            assert rows_held(inventory) == rows_expected(inventory)
            compare_edges(inventory)
        if round_ % 3 == 2:
            drawn = OTHERWISE if round_ == 2 else DRAWN
            town.bundle = make_bundle(drawn=drawn, filed=FILED, indexed="note" if round_ == 2 else "tag.env")
            assert rebuild(store, town.bundle, rest=0)


def compare_edges(inventory) -> None:
    there = read_all(inventory, "entity")
    parents, attributes = draw(inventory, there)
    found = fetch_edges(inventory, [asset.uid for asset in there])
    for asset in there:
        assert found[asset.uid].parents == reach(parents, asset.uid)
        drawn = attributes.get(asset.uid, {})
        assert found[asset.uid].attributes == {name: frozenset(drawn.get(name, ())) for name in inventory.layout.drawn}


def test_a_long_uid_is_kept_whole(store) -> None:
    bundle = make_bundle(drawn=DRAWN, filed=FILED)
    with opened(store, bundle) as inventory:
        host = entity(inventory, "h")
        relationship(inventory, "in", host, ("Team", "t" * 1_200), _key="r")
        assert fetch_edges(inventory, [host.uid])[host.uid].parents == {Uid("Team", "t" * 1_200)}


def test_what_two_draw_stays_until_both_are_gone(store) -> None:
    with opened(store, make_bundle(drawn=DRAWN)) as inventory:
        host, zone, region = (entity(inventory, key) for key in "hzr")
        twice = [relationship(inventory, "in", host, zone, _key=key) for key in "ab"]
        relationship(inventory, "in", zone, region)
        for left, expected in ((1, {zone.uid, region.uid}), (0, set())):
            relationships.remove(inventory, twice[left], 2_000)
            assert fetch_edges(inventory, [host.uid])[host.uid].parents == expected


def test_of_two_that_go_at_once_the_last_takes_away_what_both_drew(store) -> None:
    bundle = make_bundle(drawn=DRAWN)
    with opened(store, bundle) as inventory:
        host, zone = entity(inventory, "h"), entity(inventory, "z")
        one, other = (relationship(inventory, "has", zone, host, _key=key) for key in "ab")

    def remove() -> None:
        with opened(store, bundle) as inventory:
            relationships.remove(inventory, other, 2_000)

    with opened(store, bundle) as inventory:
        relationships.remove(inventory, one, 2_000)
        thread = threading.Thread(target=remove)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join()
    with opened(store, bundle, write=False) as inventory:
        assert rows_held(inventory) == rows_expected(inventory)
        assert fetch_edges(inventory, [host.uid])[host.uid].parents == set()
