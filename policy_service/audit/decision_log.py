"""The decision log as a worker writes it: a decision is recorded before it is answered."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from policy_service.audit.records import Mask
from policy_service.audit.sealed_lines import write_line
from policy_service.audit.segments import Segment, SpoiledError, tidy
from policy_service.config import Settings
from policy_service.errors import NoKey, NotRecorded, Refused, Unavailable
from policy_service.store.data_keys import DataKeys

# a longer record is refused by the writer and skipped by the reader, so that both are bounded
LINE_BYTES = 64 * 1024 * 1024
# a segment is closed after a day, so that age can take it even where little is written
_SEGMENT_US = 86_400 * 1_000_000
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_logs: weakref.WeakSet[DecisionLog] = weakref.WeakSet()


def open_log(settings: Settings, keys: DataKeys) -> DecisionLog:
    """The decision log of this process, as the settings say; `Refused` where they can't be kept."""
    return DecisionLog(
        settings.data / "log",
        keys,
        sync=settings.log_sync,
        segment_bytes=settings.log_segment_bytes,
        keep_bytes=settings.log_bytes,
        keep_days=settings.log_days,
        mask=settings.log_mask,
    )


class DecisionLog:
    """Appends records to a segment of its own; one for each process, shared by its threads.

    folder         made with mode 0700, segments with 0600
    keys           seal each record with its tenant's active key
    sync           wait for the disk in each `write`: survives power loss, not only `kill -9`
    segment_bytes  a segment larger than this is closed and another one opened
    keep_bytes     closed segments go, oldest first, while the folder holds more
    keep_days      and when their last record is older
    mask           fields to replace in each record (`records.Mask`)

    A setting that can't be kept is `Refused`. A full disk is not: `write` says so until there is space.
    """

    def __init__(
        self,
        folder: Path,
        keys: DataKeys,
        *,
        sync: bool = False,
        segment_bytes: int,
        keep_bytes: int,
        keep_days: float,
        mask: tuple[str, ...] = (),
    ) -> None:
        if keep_bytes < segment_bytes:
            raise Refused(
                f"the decision log keeps {keep_bytes} bytes and a segment has {segment_bytes}, "
                "keep at least one segment"
            )
        self._folder = folder
        self._keys = keys
        self._sync = sync
        self._segment_bytes = segment_bytes
        self._keep_bytes = keep_bytes
        self._keep_days = keep_days
        self._mask = Mask(mask)
        self._lock = threading.Lock()
        self._segment: Segment | None = None
        self._opened = 0
        self._closed = False
        try:
            self._make_folder()
        except OSError as error:
            if error.errno not in _FULL:
                raise Refused(
                    f"the decision log can't be written: {folder}: {_say(error)}, name another data folder"
                ) from error
        self._tidy()
        _logs.add(self)

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append the records of one request by one write; `NotRecorded` where not all are in the file."""
        try:
            keys = {tenant: self._keys.active(tenant) for tenant in {record["tenant"] for record in records}}
            lines = [write_line(record, self._mask, keys[record["tenant"]]) for record in records]
        except (TypeError, ValueError, RecursionError, NoKey, Unavailable) as error:
            raise NotRecorded(f"the decision could not be recorded: {error}") from error
        if any(len(line) > LINE_BYTES for line in lines):
            raise NotRecorded(f"the decision could not be recorded: its record is larger than {LINE_BYTES} bytes")
        if not lines:
            return
        with self._lock:
            if self._closed:
                raise NotRecorded("the decision could not be recorded: the log is closed, the worker is stopping")
            try:
                self._append(b"".join(lines))
            except OSError as error:
                raise NotRecorded(
                    f"the decision could not be recorded: {_say(error)}, see to the log's folder"
                ) from error

    def close(self) -> None:
        """Give up the segment; nothing can be written afterwards."""
        with self._lock:
            self._closed = True
            self._drop()

    def _append(self, lines: bytes) -> None:
        segment = self._segment
        if segment is None or segment.size >= self._segment_bytes or self._is_old(segment):
            segment = self._rotate()
        try:
            segment.append(lines, sync=self._sync)
        except SpoiledError as error:
            self._drop()
            if error.errno != errno.ENOENT:
                raise
            # someone deleted the live segment, or its folder: the record goes into a new one
            self._make_folder()
            self._rotate().append(lines, sync=self._sync)

    def _is_old(self, segment: Segment) -> bool:
        return time.time_ns() // 1000 - segment.opened > _SEGMENT_US

    def _rotate(self) -> Segment:
        first = self._segment is None
        self._drop()
        try:
            self._segment = Segment(self._folder, after=self._opened, sync=self._sync)
        except FileNotFoundError:
            self._make_folder()
            self._segment = Segment(self._folder, after=self._opened, sync=self._sync)
        self._opened = self._segment.opened
        if not first:
            self._tidy()
        return self._segment

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # a folder that someone else made and owns (a volume) stays as it is: the segments are 0600
        with contextlib.suppress(PermissionError):
            self._folder.chmod(0o700)
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _tidy(self) -> None:
        # what can't be tidied now is left for the next time; it never keeps a decision from being recorded
        with contextlib.suppress(OSError):
            tidy(self._folder, keep_bytes=self._keep_bytes, keep_days=self._keep_days)

    def _drop(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()

    def _leave_parent(self) -> None:
        """In a forked child: the parent's segment and lock are the parent's."""
        self._lock = threading.Lock()
        with contextlib.suppress(OSError):
            self._drop()


def _say(error: OSError) -> str:
    text = error.strerror or str(error)
    return f"{text[:1].lower()}{text[1:]}"


def _leave_parents() -> None:
    for log in _logs:
        log._leave_parent()


os.register_at_fork(after_in_child=_leave_parents)
