"""Worlds that are made, asked about and changed, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from policy_service.assets.circles import is_circular
from policy_service.assets.inventory import Inventory, open_inventory
from policy_service.assets.rebuilding import Progress, rebuild
from policy_service.model import Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.residual.filter import Filter, all_of, any_of
from policy_service.policy.residual.plan import residual
from policy_service.store.door import Store
from tests.property import filter_store
from tests.property.filter_cases import Case, see_world, shrink
from tests.property.filter_checks import Mismatch, check_evaluation, check_residual
from tests.property.filter_draws import ALWAYS, Draws
from tests.property.filter_limits import small_limits
from tests.property.filter_meanings import Seen
from tests.property.filter_scenes import Scene
from tests.property.filter_selections import check_selection
from tests.property.filter_sets import SETS, Asking, Everyone, Sets, draw_sets, make_bundle
from tests.property.filter_store import Stored
from tests.property.filter_tallies import Tally
from tests.property.filter_trees import draw_filter
from tests.property.filter_truths import find_truth, make_gatherer, see_entities
from tests.property.filter_worlds import ACCOUNT, World, draw_layout, draw_world


@dataclass(frozen=True)
class Size:
    """How much of everything one world has."""

    entities: int = 50
    relationships: int = 30
    sets: int = SETS
    askings: int = 4
    rounds: int = 3


# questions of one session, which PostgreSQL ends after a minute
AT_ONCE = 8
# little is asked of each world, and much changes
EDITED = Size(entities=10, relationships=14, sets=2, askings=1, rounds=12)


@dataclass
class Failed(Exception):
    """What went wrong, and of what."""

    error: Exception
    case: Case | None = None

    def __str__(self) -> str:
        if self.case is None:
            return f"{type(self.error).__name__}: {self.error}"
        policies = "\n".join(self.case.policies.values())
        return f"{type(self.error).__name__}: {self.error}\n{self.case.asking}\n{policies}"


class Asked(NamedTuple):
    """Policies about a world, and the questions about them."""

    world: World
    sets: Sets
    bundle: Bundle


class _Killed(Exception):
    """What is done in the background ends here."""


@dataclass
class Run:
    """Runs over one store, and what they counted."""

    store: Store
    size: Size = field(default_factory=Size)
    tally: Tally = field(default_factory=Tally)

    def go(self, draws: Draws) -> None:
        """One world, asked about, edited and asked about again; `Failed` where two answers are not one."""
        try:
            with small_limits(draws):
                self._go(draws)
        except Failed:
            raise
        except Exception as error:
            raise Failed(error) from error
        self.tally.counts["worlds"] += 1

    def _go(self, draws: Draws) -> None:
        world = draw_world(draws, self.size.entities, self.size.relationships)
        bundle = bare_bundle(world)
        # the layout of the world before may stay in force, and what is known of kinds
        self.clear(anew=draws.chance(60))
        with self.open(bundle, write=True) as inventory:
            filter_store.fill(inventory, world)
        asked: Asked | None = None
        for round_ in range(self.size.rounds):
            if round_:
                world = self.change(draws, world, 10_000 * round_)
            asked = self._ask(draws, world, asked)

    def change(self, draws: Draws, world: World, now: int) -> World:
        """Edits, and maybe other files, for which rows are made anew, or begin to be; the world with those files."""
        before = bare_bundle(world)
        if draws.chance(50):
            world = replace(world, files={**world.files, **draw_layout(draws)})
        bundle = bare_bundle(world)
        with self.open(before, write=True) as inventory:
            filter_store.edit(inventory, draws, world, now)
        if draws.chance(50):
            self.rebuild(bundle, draws.number(1, 3))
            with self.open(bundle, write=True) as inventory:
                filter_store.edit(inventory, draws, world, now + 100)
        if draws.chance(50):
            self.rebuild(bundle)
        return world

    def rebuild(self, bundle: Bundle, steps: int = 0) -> None:
        """Make rows for the files of a bundle, or be killed after so many pages of them."""
        seen: list[Progress] = []

        def report(progress: Progress) -> None:
            seen.append(progress)
            if len(seen) == steps:
                raise _Killed

        with suppress(_Killed):
            rebuild(self.store, bundle, rest=0, report=report)
        self.tally.counts["rebuilt in part" if steps else "rebuilt"] += 1

    @contextmanager
    def open(self, bundle: Bundle, *, write: bool = False) -> Iterator[Inventory]:
        """The inventory of a session."""
        with self.store.session(ACCOUNT, write=write) as session:
            yield open_inventory(self.store, session, bundle)

    def clear(self, *, anew: bool) -> None:
        """Take away what is stored."""
        with self.store.session(ACCOUNT, write=True) as session:
            filter_store.clear(session, anew=anew)

    def shrink(self, failed: Failed) -> Case | None:
        """The smallest case in which the same goes wrong; none where it does not in a world that is written anew."""

        def fails(case: Case) -> bool:
            try:
                self.compare_case(case)
            except Exception as error:
                return _name(error) == _name(failed.error)
            return False

        return shrink(failed.case, fails) if failed.case and fails(failed.case) else None

    def _ask(self, draws: Draws, world: World, before: Asked | None) -> Asked | None:
        """Ask of what is stored now, or once more what was asked of it before it was changed; what was asked."""
        with self.open(bare_bundle(world)) as inventory:
            stored = filter_store.read(inventory)
            if is_circular(inventory):
                # what files made of relationships after they were written can't be decided on
                self.tally.counts["circular"] += 1
                return None
        everyone = Everyone(stored)
        scene = everyone.scene()
        # what a bundle keeps of its answers holds for other rows too
        again = before if before and before.world.files == world.files and draws.chance(30) else None
        asked = again or self._draw(draws, world, everyone)
        askings = asked.sets.askings
        for start in range(0, len(askings), AT_ONCE):
            with self.open(asked.bundle) as inventory:
                look = Look(inventory, stored)
                for asking in askings[start : start + AT_ONCE]:
                    self._compare(draws, look, asking, asked, scene)
        return asked

    def _compare(self, draws: Draws, look: Look, asking: Asking, asked: Asked, scene: Scene) -> None:
        try:
            filter_ = self.compare(draws, look, asking)
            if draws.chance(25):
                self.search(draws, look, scene, filter_)
        except Exception as error:
            case = Case(see_world(asked.world.files, look.stored), asked.sets.about(asking.action), asking)
            raise Failed(error, case) from error

    def _draw(self, draws: Draws, world: World, everyone: Everyone) -> Asked:
        sets = draw_sets(draws, everyone, self.size.sets, self.size.askings)
        bundle, findings = make_bundle(world, sets.files)
        self.tally.counts["policies"] += len(sets.files)
        self.tally.counts["policies, refused"] += len(findings)
        for policy in bundle.layer.policies:
            self.tally.meet_rule(policy.rule)
        return Asked(world, sets, bundle)

    def compare_case(self, case: Case) -> None:
        """One question about a world that is written anew."""
        bundle, findings = make_bundle(case.world, case.policies)
        assert not findings, findings
        self.clear(anew=True)
        with self.open(bundle, write=True) as inventory:
            filter_store.fill(inventory, case.world)
        with self.open(bundle) as inventory:
            self.compare(ALWAYS, Look(inventory, filter_store.read(inventory)), case.asking)

    def compare(self, draws: Draws, look: Look, asking: Asking) -> Filter:
        """Hold all that answers one question against each other; its filter."""
        bundle = look.inventory.bundle
        truth = find_truth(bundle, look.gatherer, asking, look.rows, look.inventory.layout.drawn)
        filter_ = residual(bundle, truth.asked)
        self.tally.meet(filter_, truth.sure)
        if draws.chance(30):
            check_evaluation(self.tally, truth)
        bounds = check_residual(self.tally, filter_, truth, look.entities) if draws.chance(30) else None
        for kind, held in look.seen.items():
            # most of what it costs to compare is that of making a statement
            if kind == "entity" or draws.chance(50):
                check_selection(self.tally, draws, look.inventory, kind, filter_, held, truth.sure, bounds)
        return filter_

    def search(self, draws: Draws, look: Look, scene: Scene, filter_: Filter) -> None:
        """Hold what is found by a search, alone and among what policies allow, against the same read row by row."""
        kind = draws.pick(filter_store.KINDS)
        search = draw_filter(draws, scene, kind=kind)
        self.tally.meet(search, {})
        wanted = draws.pick((search, all_of(filter_, search), any_of(filter_, search)))
        check_selection(self.tally, draws, look.inventory, kind, wanted, look.seen[kind])


class Look:
    """What is stored, read in one session, as facts and as rows."""

    def __init__(self, inventory: Inventory, stored: Stored) -> None:
        self.inventory = inventory
        self.stored = stored
        self.rows = [row for kind in filter_store.KINDS for row in stored.rows[kind]]
        self.gatherer = make_gatherer(inventory.bundle, stored)
        entities = see_entities(self.gatherer, self.rows)
        self.entities = {entity.uid.id: entity for entity in entities}
        others: dict[Uid, Seen] = {}
        seen = [Seen(row.asset, entity, others) for row, entity in zip(self.rows, entities, strict=True)]
        others.update((row.entity.uid, row) for row in seen if row.asset.kind == "entity")
        self.seen = {kind: [row for row in seen if row.asset.kind == kind] for kind in filter_store.KINDS}


def bare_bundle(world: World) -> Bundle:
    """The bundle of a world without policies."""
    bundle, findings = make_bundle(world, {})
    assert not findings, findings
    return bundle


def _name(error: Exception) -> str:
    return error.what if isinstance(error, Mismatch) else type(error).__name__
