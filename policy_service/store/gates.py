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
    """The lock of one file; `path` is that of the lock, beside the file. `name` is what a sentence calls it.

    The turnstile is a file that is there only while someone waits for the gate or has it alone: those who find none
    go in at once.
    """

    def __init__(self, path: Path | str, name: str) -> None:
        self._inside = os.fspath(path)
        self._turnstile = f"{self._inside}.next"
        self._name = name

    @contextlib.contextmanager
    def shared(self, seconds: float = SHARED_SECONDS) -> Iterator[None]:
        """Be one of many; `StoreFailed` where one has it alone for longer than `seconds`."""
        until = time.monotonic() + seconds
        if os.path.exists(self._turnstile):
            self._wait_turn(until)
        inside = self._take(self._inside, fcntl.LOCK_SH, until)
        try:
            yield
        finally:
            os.close(inside)

    @contextlib.contextmanager
    def alone(self, seconds: float = ALONE_SECONDS) -> Iterator[None]:
        """Have it alone; `StoreFailed` where others don't leave within `seconds`."""
        until = time.monotonic() + seconds
        turnstile = self._take_turnstile(until)
        try:
            inside = self._take(self._inside, fcntl.LOCK_EX, until)
            try:
                yield
            finally:
                os.close(inside)
        finally:
            # while the lock is held: what is removed is ours
            with contextlib.suppress(OSError):
                os.unlink(self._turnstile)
            os.close(turnstile)

    def _wait_turn(self, until: float) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.close(self._take(self._turnstile, fcntl.LOCK_SH, until, create=False))

    def _take_turnstile(self, until: float) -> int:
        while True:
            file = self._take(self._turnstile, fcntl.LOCK_EX, until)
            try:
                if os.path.samestat(os.fstat(file), os.stat(self._turnstile)):
                    return file
            except FileNotFoundError:
                pass
            # it was removed by who had it before
            os.close(file)

    def _take(self, path: str, kind: int, until: float, *, create: bool = True) -> int:
        file = self._open(path, create)
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

    def _open(self, path: str, create: bool) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            if not create:
                raise
            why = "its folder is gone"
        except OSError as error:
            why = (error.strerror or str(error)).lower()
        raise StoreFailed(f"{self._name} can't be locked: {why}, see to its folder")
