"""A tenant's layout brought to what its files ask for, step by step: each is a short transaction of its own.

What is done is in the layout row, so that a run that was killed is gone on with by the next. Writers go on meanwhile:
they keep right what is in force and what is building.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from policy_service.assets import layout_row
from policy_service.assets.ancestors import work_out
from policy_service.assets.asset import Kind
from policy_service.assets.building import build_entities, find_children, find_gaps, read_page, remove_some
from policy_service.assets.hierarchy import lock_hierarchy
from policy_service.assets.inventory import Inventory, open_inventory
from policy_service.assets.kinds import note_kinds
from policy_service.assets.layout import END, Building, Layout, Wish, read_wish
from policy_service.assets.rows import table_of
from policy_service.errors import StoreFailed
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store
from policy_service.store.lives import rebuilding

# as many rows as one transaction takes are changed so that it takes about this long
_LEAST, _MOST = 10, 1_000
_SHORT, _LONG = 0.05, 0.2
# writers wait for a step no longer than this, in milliseconds: it gives up and is tried again
_PATIENCE = "200"
_TRIES = 100
# what is building before anything is in force
_NOTHING = Wish({}, frozenset())


class Progress(NamedTuple):
    """How far a rebuild is: rows that were looked at, of about `whole`."""

    generation: int
    done: int
    whole: int

    @property
    def percent(self) -> int:
        """The part that is done, less than 100."""
        return min(99, 100 * self.done // max(1, self.whole))


def find_progress(session: Session) -> Progress | None:
    """How far the rebuild of a session's tenant is, none where nothing is being rebuilt."""
    layout = layout_row.find_layout(session)
    building = layout.building if layout else None
    return Progress(building.generation, building.done, building.whole) if building else None


def is_due(session: Session, wish: Wish) -> bool:
    """Whether there is anything to do: rows to make, or to remove."""
    layout = layout_row.find_layout(session)
    return bool(layout and (layout.building or layout.leaving)) or _is_behind(session, layout, wish)


def is_behind(session: Session, wish: Wish) -> bool:
    """Whether there are rows to make: until then lists start from what files of before asked for."""
    return _is_behind(session, layout_row.find_layout(session), wish)


def _is_behind(session: Session, layout: Layout | None, wish: Wish) -> bool:
    if layout is None:
        return layout_row.has_assets(session)
    return not layout.is_ready or layout.wish != wish or bool(find_gaps(session, layout.indexed))


def rebuild(
    store: Store,
    bundle: Bundle,
    *,
    anew: bool = False,
    rest: float = 1.0,
    report: Callable[[Progress], None] = lambda _: None,
) -> bool:
    """Do what is to be done for a tenant, with `anew` all of it; whether there was anything.

    After each step it rests, `rest` times as long as that took. `StoreFailed` where another process does it, or where
    writers never let it through; `NoStore` where the tenant has none that is open.
    """
    with rebuilding(store, bundle.tenant):
        run = _Rebuild(store, bundle, anew)
        failures = 0
        while not run.is_done:
            started = time.monotonic()
            try:
                run.step()
                failures = 0
            except StoreFailed:
                failures += 1
                if failures == _TRIES:
                    raise
            took = time.monotonic() - started
            if run.progress:
                report(run.progress)
            time.sleep(max(0.005, took * rest))
        return run.steps > 1


class _Rebuild:
    """One run; each `step` is one transaction."""

    def __init__(self, store: Store, bundle: Bundle, anew: bool) -> None:
        self._store = store
        self._bundle = bundle
        self._wish = read_wish(bundle)
        self._anew = anew
        self._has_begun = False
        self._size = 100
        self.progress: Progress | None = None
        self.is_done = False
        self.steps = 0

    def step(self) -> None:
        """Do the next thing that is to be done."""
        self.steps += 1
        layout, whole, gaps = self._look()
        if layout is None:
            self.is_done = True
        elif layout.leaving:
            self._remove(sorted(layout.leaving)[0])
        elif layout.building is None:
            if layout.is_ready and layout.wish == self._wish and not self._anew and not gaps:
                self.is_done = True
                return
            self._change(lambda held: held.begin(self._wish, whole, anew=self._anew or not held.is_ready))
            self._anew, self._has_begun = False, True
        elif layout.building.wish != self._wish:
            self._change(Layout.give_up)
        elif layout.building.after == END:
            self._change(Layout.advance)
        else:
            self._build()

    def _look(self) -> tuple[Layout | None, int, bool]:
        """The layout, none where nothing was ever stored; about how many rows a rebuild looks at; and whether it has
        gaps to fill: what a writer with files of before seals behind this run is left to the next."""
        with self._store.session(self._bundle.tenant) as session:
            layout = layout_row.find_layout(session)
            if layout is None and layout_row.has_assets(session):
                layout = Layout(0, _NOTHING)
            if layout is None or layout.building:
                return layout, 0, False
            gaps = not self._has_begun and bool(find_gaps(session, layout.indexed))
            return layout, 2 * _count(session, "entity") + _count(session, "relationship"), gaps

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._store.session(self._bundle.tenant, write=True) as session:
            if self._store.backend == "postgresql":
                session.execute(select(func.set_config("lock_timeout", _PATIENCE, True)))
            yield session

    def _change(self, change: Callable[[Layout], Layout]) -> None:
        """Change what writers do, while none writes."""
        with self._session() as session:
            layout_row.hold_alone(session)
            layout = layout_row.find_layout(session, lock=True) or layout_row.make_row(session, Layout(0, _NOTHING))
            layout_row.change_row(session, change(layout))

    def _remove(self, name: str) -> None:
        with self._session() as session:
            layout = layout_row.find_layout(session, lock=True)
            assert layout is not None  # noqa: S101
            if not remove_some(open_inventory(self._store, session, self._bundle, layout), name, _MOST):
                layout_row.change_row(session, layout.without(name))

    def _build(self) -> None:
        started = time.monotonic()
        with self._session() as session:
            layout = layout_row.find_layout(session, lock=True)
            assert layout is not None and layout.building is not None  # noqa: S101, PT018
            inventory = open_inventory(self._store, session, self._bundle, layout)
            building = self._build_page(inventory, layout.building)
            layout_row.change_row(session, layout.go_on(building))
        self.progress = Progress(building.generation, building.done, building.whole)
        took = time.monotonic() - started
        if took < _SHORT:
            self._size = min(_MOST, 2 * self._size)
        elif took > _LONG:
            self._size = max(_LEAST, self._size // 2)

    def _build_page(self, inventory: Inventory, building: Building) -> Building:
        drawn = next((drawn for drawn in inventory.layout.generations if drawn.building), None)
        if drawn is not None:
            lock_hierarchy(inventory)
        circular = building.circular
        if building.stage == "ancestors":
            ids = find_children(inventory, building.generation, building.after, self._size)
            circular |= work_out(inventory, building.generation, ids)
        else:
            kind: Kind = "entity" if building.stage == "entities" else "relationship"
            rows = read_page(inventory, kind, building.after, self._size)
            ids = [row.id for row in rows]
            if kind == "entity":
                build_entities(inventory, rows, drawn)
            else:
                told: list[Any] = [row._mapping for row in rows]
                note_kinds(inventory, kind, told)
        after = END if len(ids) < self._size else ids[-1]
        return building._replace(after=after, done=building.done + len(ids), circular=circular)


def _count(session: Session, kind: Kind) -> int:
    table = table_of(kind)
    mine = table.account_id == session.info["account"], table.deleted.is_(False)
    return session.scalar(select(func.count()).select_from(table).where(*mine)) or 0
