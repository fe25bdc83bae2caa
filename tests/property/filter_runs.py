"""Worlds that are made, asked about and changed, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from policy_service.assets.inventory import Inventory, open_inventory
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store
from tests.property import filter_store
from tests.property.filter_cases import Case, see_world, shrink
from tests.property.filter_checks import Mismatch, check_evaluation, check_residual
from tests.property.filter_draws import Draws, by_seed
from tests.property.filter_sets import SETS, Asking, draw_sets, make_bundle
from tests.property.filter_store import Stored
from tests.property.filter_tallies import Tally
from tests.property.filter_truths import find_truth, make_gatherer, see_entities
from tests.property.filter_worlds import ACCOUNT, World, draw_world


@dataclass(frozen=True)
class Size:
    """How much of everything one world has."""

    entities: int = 24
    relationships: int = 14
    sets: int = SETS
    askings: int = 3
    rounds: int = 3


@dataclass
class Failed(Exception):
    """What went wrong, and of what."""

    error: Exception
    case: Case

    def __str__(self) -> str:
        policies = "\n".join(self.case.policies.values())
        return f"{type(self.error).__name__}: {self.error}\n{self.case.asking}\n{policies}"


@dataclass
class Run:
    """Runs over one store, and what they counted."""

    store: Store
    size: Size = field(default_factory=Size)
    tally: Tally = field(default_factory=Tally)

    def go(self, draws: Draws) -> None:
        """One world, asked about, edited and asked about again; `Failed` where two answers are not one."""
        world = draw_world(draws, self.size.entities, self.size.relationships)
        bundle = bare_bundle(world)
        with self.open(bundle, write=True) as inventory:
            filter_store.clear(inventory)
            filter_store.fill(inventory, world)
        for round_ in range(self.size.rounds):
            if round_:
                with self.open(bundle, write=True) as inventory:
                    filter_store.edit(inventory, draws, world, 10_000 * round_)
            self._ask(draws, world)
        self.tally.counts["worlds"] += 1

    @contextmanager
    def open(self, bundle: Bundle, *, write: bool = False) -> Iterator[Inventory]:
        """The inventory of a session."""
        with self.store.session(ACCOUNT, write=write) as session:
            yield open_inventory(self.store, session, bundle)

    def shrink(self, failed: Failed) -> Case | None:
        """The smallest case in which the same goes wrong; none where it does not in a world that is written anew."""

        def fails(case: Case) -> bool:
            try:
                self.compare_case(by_seed(0), case)
            except Exception as error:
                return _name(error) == _name(failed.error)
            return False

        return shrink(failed.case, fails) if fails(failed.case) else None

    def _ask(self, draws: Draws, world: World) -> None:
        with self.open(bare_bundle(world)) as inventory:
            stored = filter_store.read(inventory)
        sets = draw_sets(draws, stored, self.size.sets, self.size.askings)
        bundle, findings = make_bundle(world, sets.files)
        self.tally.counts["policies"] += len(sets.files)
        self.tally.counts["policies, refused"] += len(findings)
        for policy in bundle.layer.policies:
            self.tally.meet_rule(policy.rule)
        with self.open(bundle) as inventory:
            for asking in sets.askings:
                try:
                    self.compare(draws, inventory, stored, asking)
                except Exception as error:
                    case = Case(see_world(world.files, stored), sets.about(asking.action), asking)
                    raise Failed(error, case) from error

    def compare_case(self, draws: Draws, case: Case) -> None:
        """One question about a world that is written anew."""
        bundle, findings = make_bundle(case.world, case.policies)
        assert not findings, findings
        with self.open(bundle, write=True) as inventory:
            filter_store.clear(inventory)
            filter_store.fill(inventory, case.world)
        with self.open(bundle) as inventory:
            self.compare(draws, inventory, filter_store.read(inventory), case.asking)

    def compare(self, draws: Draws, inventory: Inventory, stored: Stored, asking: Asking) -> None:
        """Hold all that answers one question against each other."""
        rows = [row for kind in filter_store.KINDS for row in stored.rows[kind]]
        bundle = inventory.bundle
        gatherer = make_gatherer(bundle, stored)
        truth = find_truth(bundle, gatherer, asking, rows)
        check_evaluation(self.tally, truth)
        entities = dict(zip((row.asset.id for row in rows), see_entities(gatherer, rows), strict=True))
        filter_ = check_residual(self.tally, bundle, truth, entities)
        self.tally.meet_filter(filter_)


def bare_bundle(world: World) -> Bundle:
    """The bundle of a world without policies."""
    bundle, findings = make_bundle(world, {})
    assert not findings, findings
    return bundle


def _name(error: Exception) -> str:
    return error.what if isinstance(error, Mismatch) else type(error).__name__
