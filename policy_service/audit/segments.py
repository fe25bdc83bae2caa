"""The files of the decision log: `<time>-<pid>-<random>.jsonl`, each appended to by one writer.

A writer holds a lock (`flock`) on its segment for as long as it lives, and the kernel drops it however the
process ends. A segment whose lock can be taken is closed: only then may it be repaired or deleted.
Names sort by the time a segment was opened; no two writers can make the same one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-\d+-[0-9a-f]{16}\.jsonl", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 64 * 1024
_ATTEMPTS = 5


class Listed(NamedTuple):
    """A segment as the folder shows it; `changed` is the time of its last record, in seconds."""

    name: str
    size: int
    changed: float


def find_segments(folder: Path) -> list[Listed]:
    """The segments of a log, oldest first. Other files, links and pipes are none; no folder, no segments."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name):
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        found.append(Listed(entry.name, status.st_size, status.st_mtime))
    return sorted(found)


class Segment:
    """A segment this process writes, locked from the first moment it can be seen.

    `opened` is its time in microseconds, later than `after`, whatever the clock does, so that the names of
    one writer always sort.
    """

    def __init__(self, folder: Path, *, after: int = 0, sync: bool = False) -> None:
        self.opened = max(time.time_ns() // 1000, after + 1)
        self.size = 0
        stamp = (_EPOCH + timedelta(microseconds=self.opened)).strftime("%Y%m%dT%H%M%S.%fZ")
        for _ in range(_ATTEMPTS):
            self.path = folder / f"{stamp}-{os.getpid()}-{secrets.token_hex(8)}.jsonl"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self._file = os.open(self.path, flags, 0o600)
            # who tidies can take or delete an empty segment before we have locked it: then make another
            if _lock(self._file) and os.fstat(self._file).st_nlink:
                break
            os.close(self._file)
        else:
            raise OSError(errno.EBUSY, "new segments are locked by another process")
        if sync:
            _sync_folder(folder)

    def append(self, lines: bytes, *, sync: bool = False) -> None:
        """Write whole lines by one write, or raise `OSError` and leave the segment at its last good end.

        A segment that can't be used again (deleted, not put back to its good end, or not synced) raises
        `SpoiledError`, an `OSError`: close it and open another.
        """
        status = os.fstat(self._file)
        if not status.st_nlink:
            raise SpoiledError(errno.ENOENT, "the segment was deleted")
        try:
            written = os.write(self._file, lines)
            if written < len(lines):
                raise OSError(errno.ENOSPC, f"{written} of {len(lines)} bytes could be written")
            if sync:
                self._sync()
        except OSError as error:
            try:
                os.ftruncate(self._file, status.st_size)
            except OSError:
                raise SpoiledError(error.errno, error.strerror) from error
            raise
        self.size = status.st_size + written

    def _sync(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError as error:
            # what the kernel could not write it may drop and report once: nothing more goes into this file
            raise SpoiledError(error.errno, error.strerror) from error

    def close(self) -> None:
        """Give the segment up: from now on it may be deleted when it is old."""
        os.close(self._file)


class SpoiledError(OSError):
    """Nothing more may be written into this segment."""


def tidy(folder: Path, *, keep_bytes: int, keep_days: float) -> None:
    """Repair what dead writers left, and delete closed segments that are too old or too much, oldest first.

    Segments of living writers count, and stay. Where another process tidies, there is nothing to do.
    """
    try:
        folder_lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        if _lock(folder_lock):
            oldest = time.time() - keep_days * 86_400
            segments = find_segments(folder)
            total = sum(segment.size for segment in segments)
            for segment in segments:
                with contextlib.suppress(OSError), _claim(folder / segment.name) as file:
                    size = _repair(file)
                    total -= segment.size - size
                    if not size or total > keep_bytes or segment.changed < oldest:
                        os.unlink(folder / segment.name)
                        total -= size
    finally:
        os.close(folder_lock)


@contextlib.contextmanager
def _claim(path: Path) -> Iterator[int]:
    """The open file of a closed segment, locked; `OSError` where its writer lives."""
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not _lock(file):
            raise OSError(errno.EWOULDBLOCK, "the writer lives")
        yield file
    finally:
        os.close(file)


def _repair(file: int) -> int:
    """Cut a torn last line, which was never answered, and give the size; the file's time stays."""
    status = os.fstat(file)
    end = status.st_size
    while end:
        start = max(0, end - _CHUNK)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < status.st_size:
        os.ftruncate(file, end)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    return end


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
