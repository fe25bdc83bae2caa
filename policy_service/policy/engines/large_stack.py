"""One thread with a large stack, for what recurses in a library and would overflow a small one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Jobs: TypeAlias = SimpleQueue[tuple[Future[Any], Callable[[], Any]]]

STACK_BYTES = 64 * 1024 * 1024


def on_large_stack(work: Callable[[], T]) -> T:
    """The result of `work` from that thread; what it raises is raised here."""
    return _WORKER.run(work)


class _Worker:
    """The one thread. Started when first needed, and again in a forked child."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._jobs: Jobs = SimpleQueue()

    def run(self, work: Callable[[], T]) -> T:
        if threading.current_thread() is self._thread:
            return work()
        if self._thread is None or not self._thread.is_alive():
            self._start()
        future: Future[T] = Future()
        self._jobs.put((future, work))
        return future.result()

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            jobs: Jobs = SimpleQueue()
            thread = threading.Thread(target=_work, args=(jobs,), name="large-stack", daemon=True)
            # the size is global, so it is held no longer than it takes to start this thread
            usual = threading.stack_size(STACK_BYTES)
            try:
                thread.start()
            finally:
                threading.stack_size(usual)
            self._jobs, self._thread = jobs, thread


def _work(jobs: Jobs) -> None:
    while True:
        future, work = jobs.get()
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        del future, work


_WORKER = _Worker()
