"""The look at what the kernel's events can't tell of, without reading what a file holds."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from policy_service.bundles.changes import Changes
from policy_service.bundles.entries import Entries, Entry
from policy_service.bundles.last_good import PLATFORM, Store
from policy_service.bundles.load import Part
from policy_service.bundles.revision import look_at_head
from policy_service.bundles.sources import signature

TURNS = 4  # a folder in its own place, of which there are events, is looked at every so many looks
ROUND = 120  # a tenant's fingerprint is compared once in so many looks, whatever the events say
BUDGET = 0.025  # seconds of a look that go into comparing fingerprints; what is left over is compared next time


class Roots(NamedTuple):
    """The folders behind the links; empty where there is none."""

    policies: str
    tenants: str


class Watched(Protocol):
    """Whose folders are watched: what it holds, and how to make it judge again."""

    policies: Path
    tenants: Path
    store: Store
    entries: Entries
    quiet: float

    def platform(self) -> Entry[Part]:
        """The platform's layer that answers."""

    def rebuild(self, name: str) -> bool:
        """Judge again; false where it has to be done once more."""


class Looker:
    """Compares what is held with what is there, and notes what differs."""

    def __init__(self, watched: Watched, changes: Changes) -> None:
        self._watched = watched
        self._changes = changes
        self._noted: dict[tuple[str, str], object] = {}
        self._pointers: dict[str, tuple[int, int]] = {}
        self._missing: dict[str, float] = {}
        self._turn = 0
        self._cursor = 0

    def roots(self) -> Roots:
        """The real folders of the platform and the tenants."""
        policies, tenants = (
            os.path.realpath(root) if os.path.isdir(root) else ""
            for root in (self._watched.policies, self._watched.tenants)
        )
        return Roots(policies, tenants)

    def look(self, *, events: bool) -> None:
        """One look at all that is held; without events, at the fingerprints too, as many as the time allows."""
        self._turn += 1
        platform, roots, held = self._watched.platform(), self.roots(), self._watched.entries.all()
        heads: dict[str, tuple[object, ...]] = {}
        self._look_at(platform, self._watched.policies)
        if self._has_moved(platform, heads):
            self._changes.mark_stale(PLATFORM)
        due: list[Entry[Any]] = [platform] if not events or self._turn % TURNS == 0 else []
        base = f"{self._watched.tenants}/"
        for position, entry in enumerate(held):
            if entry.platform is not platform.serving or self._has_moved(entry, heads):
                self._changes.mark_stale(entry.name)
            linked = entry.real != f"{roots.tenants}/{entry.name}"
            if events and not linked and (self._turn + position) % TURNS:
                continue
            there = self._look_at(entry, base + entry.name)
            self._miss(entry.name, there=there or not roots.tenants)
            if there and (not events or linked or (self._turn + position) % ROUND == 0):
                due.append(entry)
        self._compare_some(due)
        if self._turn % ROUND == 0:
            self._forget({PLATFORM, *(entry.name for entry in held)})

    def mark_stale(self) -> None:
        """Mark what was judged with another layer of the platform than the one that answers."""
        serving = self._watched.platform().serving
        for entry in self._watched.entries.all():
            if entry.platform is not serving:
                self._changes.mark_stale(entry.name)

    def note(self, name: str) -> None:
        """Files of `name` changed just now; of what is not held nobody needs to know."""
        if self._find(name):
            self._changes.note(name)

    def compare(self, name: str) -> None:
        """Something beside the files of `name` changed: did it move them?"""
        entry = self._find(name)
        if entry:
            self._compare(entry)

    def _find(self, name: str) -> Entry[Any] | None:
        return self._watched.platform() if name == PLATFORM else self._watched.entries.get(name)

    def compare_all(self) -> None:
        """Compare every fingerprint: there were no events until now."""
        due: list[Entry[Any]] = [self._watched.platform(), *self._watched.entries.all()]
        for entry in due:
            self._compare(entry)

    def _has_moved(self, entry: Entry[Any], heads: dict[str, tuple[object, ...]]) -> bool:
        """Whether the repository of a folder is at another commit; `heads` holds those that were looked at."""
        repository = entry.repository
        if repository and repository not in heads:
            heads[repository] = look_at_head(repository)
        return bool(repository) and heads[repository] != entry.head

    def _look_at(self, entry: Entry[Any], folder: Path | str) -> bool:
        """Look at one folder and its pointer; whether the folder is there."""
        there = True
        try:
            known = os.stat(folder)
            self._note_once(entry.name, "folder", (known.st_dev, known.st_ino), entry.identity)
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError:
            pass  # it can't be looked at, which is not the same as gone
        self._look_at_pointer(entry)
        return there

    def _look_at_pointer(self, entry: Entry[Any]) -> None:
        """Follow what another worker found out: that what answers here was refused, or what answers instead."""
        mark = self._watched.store.mark(entry.name)
        if mark is None or self._pointers.get(entry.name) == mark:
            return
        self._pointers[entry.name] = mark
        record = self._watched.store.read(entry.name)
        digest = entry.serving.good.digest if entry.serving else ""
        elsewhere = record.good is not None and record.good.digest != digest
        if digest in record.refused or (entry.findings and elsewhere):
            self._changes.note(entry.name)

    def _miss(self, name: str, *, there: bool) -> None:
        """Drop a tenant whose folder has been gone for as long as files must be quiet."""
        if there:
            self._missing.pop(name, None)
            return
        now = time.monotonic()
        if now - self._missing.setdefault(name, now) >= self._watched.quiet:
            del self._missing[name]
            self._watched.entries.drop(name)
            self._changes.forget(name)

    def _compare_some(self, due: Sequence[Entry[Any]]) -> None:
        until = time.monotonic() + BUDGET
        for step in range(len(due)):
            self._compare(due[(self._cursor + step) % len(due)])
            if time.monotonic() > until:
                self._cursor += step + 1
                return

    def _compare(self, entry: Entry[Any]) -> None:
        watched = self._watched
        folder = watched.policies if entry.name == PLATFORM else watched.tenants / entry.name
        self._note_once(entry.name, "files", signature(folder), entry.signature)

    def _note_once(self, name: str, what: str, now: object, held: object) -> None:
        """Note what differs from what is held, once for each state it is met in."""
        if now == held:
            self._noted.pop((name, what), None)
        elif self._noted.get((name, what)) != now:
            self._noted[name, what] = now
            self._changes.note(name)

    def _forget(self, held: set[str]) -> None:
        for name in [name for name in self._pointers if name not in held]:
            del self._pointers[name]
        for key in [key for key in self._noted if key[0] not in held]:
            del self._noted[key]
        for name in [name for name in self._missing if name not in held]:
            del self._missing[name]
