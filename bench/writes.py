"""What is kept for lists costs a write: columns, rows of elements, kinds, and what relationships draw."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from statistics import median
from typing import Any
from unittest.mock import patch

from bench.assets import PROPERTIES, Desk
from bench.material import make_bundle
from bench.million import FILES
from bench.timing import Row, compare, ratio_row
from policy_service.access.batches import write_batch
from policy_service.access.writing import Written, create
from policy_service.assets import writing
from policy_service.assets.drafts import Draft, read_entity, read_relationship
from policy_service.store.door import Store

MANY, LINKS = 1_000, 200
_OFF = "the same with none of what is kept for lists"
# what is left out of a writer, by its name there
_ELEMENTS, _KINDS, _DRAWN = "_write_elements", "note_kinds", "draw"


def rows(name: str, whole: Store, bare: Store, large: Store) -> Iterator[Row]:
    """One row a figure. `bare` has no columns for lists, `whole` has them; `large` has all entities."""
    keeps, lacks = Writer(whole), Writer(bare)
    yield ratio_row(
        f"{name}: create an entity",
        _OFF,
        "",
        compare(keeps.create, lambda: lacks.create(_ELEMENTS, _KINDS), 20, 7, clock=time.perf_counter_ns),
    )
    took = _in_turn(
        {
            "all": keeps.write_batch,
            "elements": lambda: keeps.write_batch(_ELEMENTS),
            "kinds": lambda: keeps.write_batch(_KINDS),
            "columns": lacks.write_batch,
            "none": lambda: lacks.write_batch(_ELEMENTS, _KINDS),
        }
    )
    parts = ", ".join(f"{took['all'] - took[part]:.0f} ms for {part}" for part in ("elements", "kinds", "columns"))
    yield Row(
        f"{name}: a batch of {MANY:,} new entities",
        f"{took['all'] / took['none']:.2f}× ({took['all']:.0f} / {took['none']:.0f} ms); {parts}",
        _OFF,
    )
    took = _in_turn({"all": keeps.put_in_folder, "none": lambda: keeps.put_in_folder(_DRAWN)})
    yield Row(
        f"{name}: a batch of {LINKS} relationships that make parents, three levels of them",
        f"{took['all'] / took['none']:.2f}× ({took['all']:.0f} / {took['none']:.0f} ms)",
        "the same without what they draw",
    )
    beside = Writer(large)
    took = _in_turn({"one": beside.create, "many": beside.write_batch})
    yield Row(
        f"{name}: the same in the tenant with all entities",
        f"{took['one']:.1f} ms for one, {took['many']:.0f} ms for {MANY:,}",
    )


def _in_turn(functions: Mapping[str, Callable[[], object]], rounds: int = 3) -> dict[str, float]:
    """The median milliseconds of each, taken in turn."""
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            samples[name].append((time.perf_counter() - start) * 1000)
    return {name: median(each) for name, each in samples.items()}


class Writer(Desk):
    """Writes entities and relationships of one tenant, and leaves out what is named."""

    _numbers = itertools.count()

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        tenant = FILES["tenant.yaml"].format(tenant="acme")
        files = {**FILES, "tenant.yaml": tenant, "p.cedar": "permit(principal, action, resource);"}
        self.bundles["acme"] = make_bundle(files, "acme")
        self._keys: list[str] = []

    def create(self, *left_out: str) -> None:
        """One entity."""
        with _without(left_out):
            create(self.service, self.asker, "entity", self._draft())

    def write_batch(self, *left_out: str) -> None:
        """Many entities by one request."""
        drafts = [self._draft() for _ in range(MANY)]
        self._keys = [draft.key for draft in drafts]
        with _without(left_out):
            self._write("entity", drafts)

    def put_in_folder(self, *left_out: str) -> None:
        """Those that were written last in a new folder, which is in one that is in another."""
        folders = [self._draft("folder") for _ in range(3)]
        self._write("entity", folders)
        names = [folder.key for folder in folders]
        self._write("relationship", [self._link(*pair) for pair in itertools.pairwise(names)])
        drafts = [self._link(names[-1], key) for key in self._keys[:LINKS]]
        with _without(left_out):
            self._write("relationship", drafts)

    def _write(self, kind: Any, drafts: list[Draft]) -> None:
        _, answers = write_batch(self.service, self.asker, kind, drafts)
        assert all(isinstance(answer, Written) for answer in answers), answers[0]

    def _draft(self, type_: str = "host") -> Draft:
        number = next(self._numbers)
        told = {"environment": "prod", "zone": f"zone {number % 1_000}", "labels": ["one", f"label {number % 100}"]}
        return read_entity(
            {"_key": f"new-{number}", "_type": type_, "_class": "Host", "displayName": "new", **PROPERTIES, **told}
        )

    def _link(self, from_: str, to: str) -> Draft:
        ends = {"_fromEntityKey": from_, "_toEntityKey": to}
        key = f"link-{next(self._numbers)}"
        return read_relationship({"_key": key, "_type": "folder_has", "_class": "HAS", **ends})


def _without(names: tuple[str, ...]) -> ExitStack:
    stack = ExitStack()
    for name in names:
        stack.enter_context(patch.object(writing, name, lambda *_, **__: None))
    return stack
