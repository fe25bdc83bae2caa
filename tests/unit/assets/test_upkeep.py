"""The thread that rebuilds: for which tenants, when, and until when."""

from __future__ import annotations

import time

from policy_service.assets.layout_row import find_layout
from policy_service.assets.upkeep import Upkeep
from tests.unit.assets.inventories import entity, make_bundle, opened

BEFORE, AFTER = make_bundle(drawn=""), make_bundle(indexed="env")


class Bundles:
    """Those that are held, until they are closed."""

    def __init__(self, *held) -> None:
        self.held = list(held)
        self.is_watching = True

    def ready(self):
        return self.held


def generation_of(store) -> int:
    with store.session("acme") as session:
        layout = find_layout(session)
        assert layout is not None
        assert layout.building is None
        return layout.generation


def test_two_looks_in_a_row_have_to_see_it(store) -> None:
    with opened(store, BEFORE) as inventory:
        entity(inventory, "h", env="prod")
    upkeep = Upkeep(store, Bundles())  # type: ignore[arg-type]
    for bundle, expected in ((BEFORE, 1), (AFTER, 1), (BEFORE, 1), (AFTER, 1), (AFTER, 2), (AFTER, 2)):
        upkeep.look(bundle)
        assert generation_of(store) == expected


def test_a_tenant_without_a_store_and_one_that_fails_stop_nobody(store, monkeypatch) -> None:
    upkeep = Upkeep(store, Bundles())  # type: ignore[arg-type]
    upkeep.look(make_bundle("initech"))
    monkeypatch.setattr("policy_service.assets.upkeep.is_due", lambda *_: 1 / 0)
    upkeep.look(AFTER)


def test_it_looks_by_itself_until_the_bundles_are_closed(store) -> None:
    with opened(store, BEFORE) as inventory:
        entity(inventory, "h", env="prod")
    bundles = Bundles(AFTER)
    upkeep = Upkeep(store, bundles, seconds=0.01)  # type: ignore[arg-type]
    thread = upkeep.start()
    ends = time.monotonic() + 20
    while generation_of_or_none(store) != 2 and time.monotonic() < ends:
        time.sleep(0.02)
    assert generation_of_or_none(store) == 2
    bundles.is_watching = False
    thread.join(10)
    assert not thread.is_alive()


def generation_of_or_none(store) -> int | None:
    with store.session("acme") as session:
        layout = find_layout(session)
        return None if layout is None or layout.building or layout.leaving else layout.generation
