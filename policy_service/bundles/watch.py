"""Files changed on disk are live within a second: who notices, and who rebuilds.

One thread notices: the kernel's events below the real paths of both folders, and every 250 ms a look at what
events can't tell: links that lead elsewhere, folders that are gone, verdicts of other workers, a platform's layer
that was swapped, another commit. Where the kernel gives no events, that look compares fingerprints instead, and it
does so for a few tenants each time anyway. Another thread rebuilds what has been quiet for 200 ms, one at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import watchfiles

from policy_service.bundles.changes import Changes
from policy_service.bundles.last_good import PLATFORM
from policy_service.bundles.look import Looker, Roots, Watched
from policy_service.policy.files import is_ignored

LOOK = 0.25
RETRY = 30.0
_LOG = logging.getLogger(__name__)


class Watch:
    """Two threads that end with `close`, or with the process; an error is logged and they go on."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._changes = Changes(watched.quiet)
        self._looker = Looker(watched, self._changes)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._go_on, args=(step,), name=f"bundles-{name}", daemon=True)
            for name, step in (("notice", self._notice), ("rebuild", self._rebuild))
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop both threads and wait for them."""
        self._stop.set()
        self._changes.wake()
        for thread in self._threads:
            thread.join(timeout=10)

    def note(self, name: str) -> None:
        """Something of `name` changed just now."""
        self._changes.note(name)

    def is_restless(self, name: str) -> bool:
        """Whether the files of `name` have kept changing for so long that it should be told."""
        return self._changes.is_restless(name)

    def _go_on(self, step: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                step()
            except Exception:
                _LOG.exception("watching the policy files goes on after an error")
                self._stop.wait(1)

    def _notice(self) -> None:
        """Notice changes until the folders are others; without events, by looking alone for a while."""
        roots = self._looker.roots()
        try:
            self._follow(_listen(roots, self._stop), roots)
        except (OSError, RuntimeError) as error:
            complete = all(roots)
            if complete:
                _LOG.warning("no events of changed files, comparing them instead: %s", error)
            self._poll(RETRY if complete else 1.0)

    def _follow(self, events: Iterable[set[tuple[Any, str]]], roots: Roots) -> None:
        fresh, due = True, 0.0
        for changes in events:
            if fresh:
                self._looker.compare_all()  # what changed while there were no events
                fresh = False
            for name, is_part in set(names_of(roots, (path for _, path in changes))):
                if is_part:
                    self._looker.note(name)
                else:
                    self._looker.compare(name)
            if time.monotonic() >= due:
                due = time.monotonic() + LOOK
                self._looker.look(events=True)
                if self._looker.roots() != roots:
                    return

    def _poll(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stop.wait(LOOK):
            self._looker.look(events=False)

    def _rebuild(self) -> None:
        """Rebuild what is due, or wait until something may be."""
        name = self._changes.take()
        if name is None:
            self._changes.wait()
            return
        settled = False
        try:
            settled = self._watched.rebuild(name)
        except Exception:
            _LOG.exception("%s could not be rebuilt, trying again", name)
            self._stop.wait(1)
        if settled:
            self._changes.settle(name)
            if name == PLATFORM:  # its tenants need not wait for the next look
                self._looker.mark_stale()
        else:
            self._changes.note(name)


def names_of(roots: Roots, paths: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Whose the changed paths are, tenants' names or `@platform`, and whether they can be part of a bundle.

    What is ignored may still be a link that files are reached through, such as the `..data` of a Kubernetes volume.
    """
    for path in paths:
        for root, is_platform in ((roots.policies, True), (roots.tenants, False)):
            if root and path.startswith(root + "/"):
                name, _, below = path[len(root) + 1 :].partition("/")
                if is_platform:
                    yield PLATFORM, not is_ignored(f"{name}/{below}" if below else name)
                else:
                    yield name, not (below and is_ignored(below))


def _listen(roots: Roots, stop: threading.Event) -> Iterator[set[tuple[Any, str]]]:
    """The kernel's events below the roots, an empty set every now and then; some error where there are none."""
    if not all(roots):
        raise FileNotFoundError("a folder is missing")
    return watchfiles.watch(
        *roots,
        watch_filter=None,
        debounce=50,
        step=50,
        rust_timeout=int(LOOK * 1000),
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
        ignore_permission_denied=True,
    )
