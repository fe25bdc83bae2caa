"""Locks between processes: many share a tenant's file, one has it alone while it is created, rekeyed or erased.

Whoever wants a file alone first closes the turnstile, so that those who come later wait for it and those who are
inside leave: it is never starved. The kernel lets go of the locks of a process that dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from policy_service.errors import StoreFailed

_POLL_SECONDS = 0.01
SHARED_SECONDS = 5.0
ALONE_SECONDS = 60.0


class Gate:
    """The lock of one file; `path` is that of the lock, beside the file. `name` is what a sentence calls it."""

    def __init__(self, path: Path, name: str) -> None:
        self._inside = os.fspath(path)
        self._turnstile = f"{self._inside}.next"
        self._name = name

    @contextlib.contextmanager
    def shared(self, seconds: float = SHARED_SECONDS) -> Iterator[None]:
        """Be one of many; `StoreFailed` where one has it alone for longer than `seconds`."""
        until = time.monotonic() + seconds
        turnstile = self._take(self._turnstile, fcntl.LOCK_SH, until)
        try:
            inside = self._take(self._inside, fcntl.LOCK_SH, until)
        finally:
            os.close(turnstile)
        try:
            yield
        finally:
            os.close(inside)

    @contextlib.contextmanager
    def alone(self, seconds: float = ALONE_SECONDS) -> Iterator[None]:
        """Have it alone; `StoreFailed` where others don't leave within `seconds`."""
        until = time.monotonic() + seconds
        turnstile = self._take(self._turnstile, fcntl.LOCK_EX, until)
        try:
            inside = self._take(self._inside, fcntl.LOCK_EX, until)
            try:
                yield
            finally:
                os.close(inside)
        finally:
            os.close(turnstile)

    def _take(self, path: str, kind: int, until: float) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(file, kind | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise StoreFailed(f"{self._name} is in use by another process, try again") from None
                    time.sleep(_POLL_SECONDS)
                else:
                    return file
        except BaseException:
            os.close(file)
            raise
