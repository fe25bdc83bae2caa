"""What one process holds: an entry for each tenant in use, the least recently used go first."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Generic, TypeVar

from policy_service.bundles.load import Part
from policy_service.bundles.sources import Signature
from policy_service.bundles.verdict import Serving
from policy_service.model import Finding
from policy_service.policy.bundle import Bundle

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What answers, nothing where nothing can, and what it was judged from.

    signature   of the folder when it was read
    real        the folder's path behind all links, and `identity`, which folder that was
    platform    the platform's layer it was joined with; none for the platform itself
    repository  where its git repository lies, and `head`, how that looked
    """

    name: str
    serving: Serving[T] | None
    findings: tuple[Finding, ...]
    signature: Signature
    real: str
    identity: tuple[int, int]
    platform: Serving[Part] | None = None
    repository: str = ""
    head: tuple[object, ...] = ()


class Entries:
    """The entries of tenants, at most `bound`. `ready` and `used` are for the path of each request."""

    def __init__(self, bound: int) -> None:
        self.ready: dict[str, Bundle] = {}
        self.used: dict[str, int] = {}
        self.tick = itertools.count().__next__
        self._bound = bound
        self._held: dict[str, Entry[Bundle]] = {}
        self._lock = threading.Lock()

    def get(self, tenant: str) -> Entry[Bundle] | None:
        """The entry of a tenant, none where it is not held."""
        return self._held.get(tenant)

    def all(self) -> list[Entry[Bundle]]:
        """All entries at this moment."""
        return list(self._held.values())

    def put(self, entry: Entry[Bundle]) -> None:
        """Hold an entry from now on: one assignment swaps the bundle. The least recently used go."""
        with self._lock:
            if entry.name not in self._held:
                self.used[entry.name] = self.tick()
            self._held[entry.name] = entry
            if entry.serving:
                self.ready[entry.name] = entry.serving.what
            else:
                self.ready.pop(entry.name, None)
            while len(self._held) > self._bound:
                oldest = min((name for name in self._held if name != entry.name), key=self._last_use)
                self._forget(oldest)

    def drop(self, tenant: str) -> None:
        """Hold the entry no longer."""
        with self._lock:
            self._forget(tenant)

    def _last_use(self, name: str) -> int:
        return self.used.get(name, -1)

    def _forget(self, name: str) -> None:
        self.ready.pop(name, None)
        self._held.pop(name, None)
        self.used.pop(name, None)
