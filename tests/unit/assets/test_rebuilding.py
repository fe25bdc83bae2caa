"""Layouts that follow the files: step by step, with writers between, and gone on with after a kill."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import delete

from policy_service.assets import entities, relationships
from policy_service.assets.building import find_gaps
from policy_service.assets.edges import fetch_edges
from policy_service.assets.find import facets
from policy_service.assets.kinds import BITS, find_kinds
from policy_service.assets.layout import read_wish
from policy_service.assets.layout_row import find_layout
from policy_service.assets.rebuilding import _Rebuild, find_progress, is_due, rebuild
from policy_service.errors import NoStore, StoreFailed
from policy_service.policy.residual.filter import EVERY
from policy_service.store.lives import rebuilding
from policy_service.store.tables import ElementRow, KindRow, LayoutRow
from tests.unit.assets.element_model import rows_expected, rows_held
from tests.unit.assets.inventories import entity, make_bundle, opened, relationship
from tests.unit.assets.test_ancestors import DRAWN, FILED, OTHERWISE, Town

AFTER = make_bundle(drawn=OTHERWISE, filed=FILED, indexed="note, tag.env")
CIRCLE = "relationships:\n  in: {parent: to}\n  uses: {parent: to}\n"


def layout_of(store, bundle=AFTER):
    with store.session(bundle.tenant) as session:
        return find_layout(session)


def check(store, bundle) -> None:
    with opened(store, bundle, write=False) as inventory:
        assert rows_held(inventory) == rows_expected(inventory)


def fill(town: Town, steps: int = 30) -> None:
    with opened(town.store, town.bundle) as inventory:
        for _ in range(steps):
            town.write(inventory)


def test_an_empty_store_follows_its_files_at_once(store) -> None:
    assert not rebuild(store, AFTER, rest=0)
    for bundle in (make_bundle(drawn=DRAWN), AFTER):
        with opened(store, bundle, write=False) as inventory:
            assert inventory.layout.drawings.keys() == bundle.relationships.keys()
            assert inventory.layout.indexed == bundle.indexed
    assert layout_of(store) is None


def test_what_is_in_force_stays_until_all_is_there(store) -> None:
    with opened(store, make_bundle(drawn=DRAWN)) as inventory:
        host, zone = entity(inventory, "h", note="x"), entity(inventory, "z")
        relationship(inventory, "in", host, zone)
    run = _Rebuild(store, make_bundle(drawn="", indexed="note"), anew=False)
    seen = []
    while not run.is_done:
        with opened(store, AFTER, write=False) as inventory:
            seen.append((inventory.layout.generation, fetch_edges(inventory, [host.uid])[host.uid].parents))
        run.step()
    assert [held for held, _ in enumerate(seen) if seen[held] != seen[held - 1]][:1] == [0]
    assert set(seen) == {(1, frozenset({zone.uid})), (2, frozenset())}
    check(store, AFTER)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_writers_between_the_steps_and_kills_after_any_of_them(store, seed) -> None:
    town = Town(store, seed)
    chance = random.Random(seed)
    fill(town)
    check(store, town.bundle)
    while True:
        # each run is a process that is killed after a step or two
        run = _Rebuild(store, AFTER, anew=False)
        run._size = 3
        for _ in range(chance.choice([1, 1, 2, 5])):
            run.step()
            # some workers have the old files still
            town.bundle = chance.choice([town.bundle, AFTER])
            fill(town, chance.randrange(3))
        if run.is_done:
            break
    assert layout_of(store).generation == 2
    check(store, AFTER)
    fill(town)
    check(store, AFTER)


def test_files_that_change_meanwhile_are_followed(store) -> None:
    town = Town(store, 4)
    fill(town)
    run = _Rebuild(store, AFTER, anew=False)
    run._size = 3
    for _ in range(4):
        run.step()
    assert layout_of(store).building is not None
    fill(town, 3)
    # back to what is in force: what was begun goes away
    assert rebuild(store, town.bundle, rest=0)
    assert layout_of(store).generation == 1
    check(store, town.bundle)
    other = make_bundle(drawn="", filed=FILED, indexed="env")
    assert rebuild(store, other, rest=0)
    check(store, other)


def test_a_store_of_before_is_shut_until_its_rows_are_there(store) -> None:
    with opened(store, AFTER) as inventory:
        host = entity(inventory, "h", _class=["A"], ports=[1, 2], note="x")
        relationship(inventory, "in", host, entity(inventory, "z"), since=1)
    with store.session("acme", write=True) as session:
        for table in (ElementRow, KindRow, LayoutRow):
            session.execute(delete(table).where(table.account_id == "acme"))
    run = _Rebuild(store, AFTER, anew=False)
    while not run.is_done:
        if layout_of(store) is None or not layout_of(store).is_ready:
            for write in (False, True):
                with pytest.raises(NoStore, match="is being prepared"), opened(store, AFTER, write=write) as inventory:
                    fetch_edges(inventory, [host.uid])
        run.step()
    check(store, AFTER)
    with opened(store, AFTER, write=False) as inventory:
        assert find_kinds(inventory, "entity", ["ports"]) == {("attribute", "ports"): BITS["set"]}
        assert find_kinds(inventory, "relationship", ["since"]) == {("attribute", "since"): BITS["long"]}


def test_anew_mends_what_is_wrong(store) -> None:
    town = Town(store, 5)
    fill(town)
    with store.session("acme", write=True) as session:
        session.execute(delete(ElementRow).where(ElementRow.account_id == "acme"))
        session.add(ElementRow(name=".no[]", value='"x"', id=town_entity(town).id))
    with store.session("acme") as session:
        assert not is_due(session, read_wish(town.bundle))
    assert rebuild(store, town.bundle, anew=True, rest=0)
    check(store, town.bundle)


def town_entity(town: Town):
    with opened(town.store, town.bundle, write=False) as inventory:
        found = town.pick(inventory, "entity")
        assert found is not None
        return found


def test_files_that_close_a_circle_are_told_of(store) -> None:
    bundle = make_bundle(drawn="relationships:\n  in: {parent: to}\n")
    with opened(store, bundle) as inventory:
        a, b, c = (entity(inventory, key) for key in "abc")
        relationship(inventory, "in", a, b)
        back = relationship(inventory, "uses", b, a)
        relationship(inventory, "in", c, a)
        assert not inventory.layout.circular
    circular = make_bundle(drawn=CIRCLE)
    rebuild(store, circular, rest=0)
    check(store, circular)
    with opened(store, circular) as inventory:
        assert inventory.layout.circular
        assert fetch_edges(inventory, [a.uid])[a.uid].parents == {a.uid, b.uid}
        relationships.remove(inventory, back, 2_000)
        assert fetch_edges(inventory, [a.uid, c.uid]) == fetch_edges(inventory, [c.uid, a.uid])
        assert fetch_edges(inventory, [a.uid])[a.uid].parents == {b.uid}
        assert fetch_edges(inventory, [c.uid])[c.uid].parents == {a.uid, b.uid}
    rebuild(store, bundle, rest=0)
    assert not layout_of(store).circular


def test_while_it_is_built_nobody_closes_a_circle_that_would_come_in_force(store) -> None:
    bundle = make_bundle(drawn="relationships:\n  in: {parent: to}\n")
    with opened(store, bundle) as inventory:
        a, b = (entity(inventory, key) for key in "ab")
        relationship(inventory, "in", a, b)
    run = _Rebuild(store, make_bundle(drawn=CIRCLE), anew=False)
    run.step()
    with opened(store, bundle) as inventory, pytest.raises(Exception, match="parents in a circle"):
        relationship(inventory, "uses", b, a)


def test_one_process_rebuilds_at_a_time(store) -> None:
    fill(Town(store, 6), 3)
    with rebuilding(store, "acme"), pytest.raises(StoreFailed, match="in use by another process"):
        rebuild(store, AFTER, rest=0)


def test_it_is_told_how_far_it_is(store) -> None:
    fill(Town(store, 7), 10)
    run = _Rebuild(store, AFTER, anew=False)
    run._size = 2
    run.step()
    run.step()
    with store.session("acme") as session:
        progress = find_progress(session)
    assert progress is not None
    assert progress.generation == 2
    assert 0 < progress.done < progress.whole
    assert 0 < progress.percent < 100
    told = []
    assert rebuild(store, AFTER, rest=0, report=told.append)
    assert told[-1].done >= progress.done
    with store.session("acme") as session:
        assert find_progress(session) is None


def test_what_goes_with_an_entity_goes_in_what_is_built_too(store) -> None:
    with opened(store, make_bundle(drawn=DRAWN)) as inventory:
        a, b, c = (entity(inventory, key) for key in "abc")
        relationship(inventory, "in", a, b)
        relationship(inventory, "in", b, c)
    wanted = make_bundle(drawn="relationships:\n  in: {parent: to, attribute: {on: from, name: zone}}\n")
    run = _Rebuild(store, wanted, anew=False)
    while layout_of(store).building is None or layout_of(store).building.stage != "ancestors":
        run.step()
    with opened(store, wanted) as inventory:
        entities.remove(inventory, entities.find(inventory, [b.id], lock=True)[b.id], 2_000)
    rebuild(store, wanted, rest=0)
    check(store, wanted)


def test_what_is_written_while_ancestors_are_worked_out(store) -> None:
    """Of the entities some have theirs by then, and some don't."""
    bundle = make_bundle(drawn="relationships:\n  in: {parent: to}\n")
    wanted = make_bundle(drawn="relationships:\n  in: {parent: to}\n  uses: {parent: to}\n", filed=FILED)
    with opened(store, bundle) as inventory:
        top, over, root = (entity(inventory, key) for key in ("top", "over", "root"))
        hosts = sorted((entity(inventory, f"h{number}") for number in range(6)), key=lambda asset: asset.id)
        held = [relationship(inventory, "in", host, root) for host in hosts]
        relationship(inventory, "uses", over, top)
    run = _Rebuild(store, wanted, anew=False)
    while (building := layout_of(store).building) is None or building.stage != "ancestors":
        run.step()
    run._size = 1
    while layout_of(store).building.after < hosts[2].id:
        run.step()
    with opened(store, wanted) as inventory:
        # what is above this one is not worked out yet
        relationship(inventory, "uses", hosts[5], over)
        relationship(inventory, "uses", hosts[0], hosts[5])
        relationships.remove(inventory, held[1], 2_000)
        relationships.remove(inventory, held[5], 2_000)
        # onto an entity of a file nothing is drawn
        with pytest.raises(Exception, match="of which tenants/acme/entities"):
            relationship(inventory, "uses", ("Team", "red"), hosts[0])
    rebuild(store, wanted, rest=0)
    check(store, wanted)
    with opened(store, wanted, write=False) as inventory:
        expected = {hosts[5].uid, over.uid, top.uid, root.uid}
        assert fetch_edges(inventory, [hosts[0].uid])[hosts[0].uid].parents == expected


def test_what_was_sealed_for_a_moment_has_rows_again(store) -> None:
    before = make_bundle(indexed="status")
    sealing = make_bundle(restricted="status")
    with opened(store, before) as inventory:
        entity(inventory, "h1", status="on")
    with opened(store, sealing) as inventory:
        entity(inventory, "h2", status="on")
        entity(inventory, "h3", status=["on"])
    # the files went back before anything was rebuilt
    is_sealed = store.backend == "postgresql"
    with store.session("acme") as session:
        assert find_gaps(session, before.indexed | {"tag.status"}) == ({"status"} if is_sealed else set())
        assert is_due(session, read_wish(before)) is is_sealed
    assert rebuild(store, before, rest=0) is is_sealed
    check(store, before)
    with opened(store, before, write=False) as inventory:
        assert facets(inventory, "entity", EVERY, "status", 10) == [("on", 3)]
        assert not is_due(inventory.session, read_wish(before))
    # a writer with files of before, behind a rebuild: it ends all the same, and the next one goes on
    run = _Rebuild(store, before, anew=True)
    while not run.is_done:
        run.step()
        with opened(store, sealing) as inventory:
            entity(inventory, "h2", status=f"on {run.steps}")
    assert rebuild(store, before, rest=0) is is_sealed
    check(store, before)


def test_what_is_restricted_no_longer_has_rows_though_it_is_sealed_still(store) -> None:
    with opened(store, make_bundle(restricted="status")) as inventory:
        entity(inventory, "h1", status="on", labels=["a"])
    after = make_bundle(indexed="status")
    assert rebuild(store, after, rest=0)
    with opened(store, after, write=False) as inventory:
        assert facets(inventory, "entity", EVERY, "status", 10) == [("on", 1)]
    with opened(store, after) as inventory:
        entity(inventory, "h1", status="on", labels=["b"])
    with opened(store, after, write=False) as inventory:
        assert facets(inventory, "entity", EVERY, "status", 10) == [("on", 1)]
