"""What changed and is to be rebuilt: the platform first, then what was edited and is quiet, then what is only stale."""

from __future__ import annotations

import threading
import time

from policy_service.bundles.last_good import PLATFORM

RESTLESS = 5.0


class Changes:
    """Names with the time of their first and last change, for the thread that notices and the one that rebuilds."""

    def __init__(self, quiet: float) -> None:
        self._quiet = quiet
        self._condition = threading.Condition()
        self._changed: dict[str, tuple[float, float]] = {}
        self._since: dict[str, float] = {}
        self._stale: dict[str, None] = {}

    def note(self, name: str) -> None:
        """`name` changed now: it is due when it has been quiet."""
        now = time.monotonic()
        with self._condition:
            first, _ = self._changed.get(name, (self._since.get(name, now), now))
            self._changed[name] = (first, now)
            self._condition.notify_all()

    def mark_stale(self, name: str) -> None:
        """`name` is to be rebuilt though its files did not change: after everything else."""
        with self._condition:
            if name not in self._changed:
                self._stale[name] = None
                self._condition.notify_all()

    def take(self) -> str | None:
        """What is due next, none where nothing is."""
        now = time.monotonic()
        with self._condition:
            due = [
                (name != PLATFORM, last, name) for name, (_, last) in self._changed.items() if now - last >= self._quiet
            ]
            if due:
                name = min(due)[2]
                self._since[name] = self._changed.pop(name)[0]
                self._stale.pop(name, None)
                return name
            if PLATFORM in self._changed:
                return None  # what is stale now would soon be stale again
            stale = next((name for name in self._stale if name not in self._changed), None)
            if stale is not None:
                del self._stale[stale]
            return stale

    def settle(self, name: str) -> None:
        """`name` was rebuilt: it is restless no longer."""
        with self._condition:
            self._since.pop(name, None)

    def forget(self, name: str) -> None:
        """`name` is gone."""
        with self._condition:
            for kept in (self._changed, self._since, self._stale):
                kept.pop(name, None)

    def is_restless(self, name: str) -> bool:
        """Whether `name` has kept changing for so long that it should be told."""
        with self._condition:
            since = self._changed.get(name, (self._since.get(name, float("inf")), 0))[0]
        return time.monotonic() - since > RESTLESS

    def wait(self) -> None:
        """Wait for a change, or until what changed may be quiet."""
        with self._condition:
            self._condition.wait(max(self._quiet / 4, 0.005) if self._changed else 1.0)

    def wake(self) -> None:
        """End all waiting."""
        with self._condition:
            self._condition.notify_all()
