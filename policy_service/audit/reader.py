"""The decision log as a person reads it: all workers' records in the order of time, and as they come.

Segments are streamed and merged: what is held in memory is one record of each, sealed. What can't be read is
reported and skipped. A last line without its end is being written, or was torn and never answered.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from policy_service.audit.decision_log import LINE_BYTES
from policy_service.audit.records import instant
from policy_service.audit.sealed_lines import Line, Opener, read_line
from policy_service.audit.segments import find_segments
from policy_service.store.data_keys import DataKeys

Report: TypeAlias = Callable[[str], None]

_warn = logging.getLogger(__name__).warning

# a record is written this long after its time at most, as seen by the time of its file
_SLACK_SECONDS = 60.0


@dataclass(slots=True)
class _Position:
    """How far a segment has been read."""

    offset: int = 0
    line: int = 0


class _Placed(NamedTuple):
    time: str
    place: str
    line: Line


def read(
    folder: Path,
    keys: DataKeys,
    *,
    tenant: str | None = None,
    subject: str | None = None,
    decision: Literal["allow", "deny"] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    follow: bool = False,
    stop: Callable[[], bool] | None = None,
    report: Report = _warn,
    poll_seconds: float = 0.25,
) -> Iterator[Mapping[str, Any]]:
    """The records of a log in order of time, `since` included and `until` not.

    folder    the log's folder; where there is none, there are no records
    keys      open what was sealed; `StoreFailed` or `NoKey` of theirs ends the reading
    subject   `type:id`, as the request named it
    follow    go on with what is written later, until `stop` answers true (asked at least at each poll)
    report    takes `path:line: sentence` for each line that was skipped, and `folder: sentence` once for each
              erased tenant, whose lines nobody can read, and for lines that were never sealed

    A record is the mapping of `records.record`, fractions as `Decimal`; `records.dumps` makes JSON of it.
    """
    wanted = _Filter(tenant, subject, decision, instant(since) if since else "", instant(until) if until else "")
    oldest = since.timestamp() - _SLACK_SECONDS if since else 0.0
    positions: dict[str, _Position] = {}
    opener, told = Opener(keys), frozenset[str]()
    while True:
        for _, place, line in _sweep(folder, positions, oldest, report):
            if stop is not None and stop():
                return
            if wanted.may_take(line):
                try:
                    body = opener.open(line)
                except ValueError as error:
                    report(f"{place}: skipped, {error}")
                    continue
                if body is not None and wanted.takes(body):
                    yield body
        told = _tell(folder, opener, told, report)
        if not follow or (stop is not None and stop()):
            return
        time.sleep(poll_seconds)


class _Filter(NamedTuple):
    tenant: str | None
    subject: str | None
    decision: str | None
    since: str
    until: str

    def may_take(self, line: Line) -> bool:
        """What can be said before the body is opened."""
        return (
            line.time >= self.since
            and (not self.until or line.time < self.until)
            and (self.tenant is None or line.tenant == self.tenant)
        )

    def takes(self, body: Mapping[str, Any]) -> bool:
        """And what can be said of the opened body."""
        return (self.decision is None or body.get("decision") is (self.decision == "allow")) and (
            self.subject is None or _is_subject(body.get("subject"), self.subject)
        )


def _is_subject(thing: Any, text: str) -> bool:
    if not isinstance(thing, dict):
        return False
    kind = str(thing.get("type"))
    return text in {f"{kind}:{thing.get('id')}", f"{kind.replace('::', '.')}:{thing.get('id')}"}


def _sweep(folder: Path, positions: dict[str, _Position], oldest: float, report: Report) -> Iterator[_Placed]:
    """What was not read yet, merged by time; `positions` says how far each segment has been read."""
    try:
        segments = find_segments(folder)
    except OSError as error:
        report(f"{folder}:1: can't be read: {error.strerror}")
        return iter(())
    for gone in positions.keys() - {segment.name for segment in segments}:
        del positions[gone]
    streams = []
    for segment in segments:
        position = positions.setdefault(segment.name, _Position())
        # a writer that met a full disk goes back to its last good end
        position.offset = min(position.offset, segment.size)
        if segment.size > position.offset and segment.changed >= oldest:
            streams.append(_read_segment(folder / segment.name, position, report))
    return heapq.merge(*streams, key=itemgetter(0))


def _read_segment(path: Path, position: _Position, report: Report) -> Iterator[_Placed]:
    # the file is closed after one line and opened again when the merge comes back to it, so that of
    # thousands of segments only those of the same time are open
    head = list(islice(_read_lines(path, position, report), 1))
    for text in chain(head, _read_lines(path, position, report)):
        line = _parse(text, f"{path}:{position.line}", report)
        if line is not None:
            yield line


def _read_lines(path: Path, position: _Position, report: Report) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(position.offset)
            while text := file.readline(LINE_BYTES + 1):
                if len(text) <= LINE_BYTES and not text.endswith(b"\n"):
                    return
                position.offset += len(text)
                position.line += 1
                yield text
    except FileNotFoundError:
        return  # its time was over
    except OSError as error:
        report(f"{path}:1: can't be read: {error.strerror}")


def _parse(text: bytes, place: str, report: Report) -> _Placed | None:
    try:
        line = read_line(text)
        return _Placed(line.time, place, line)
    except ValueError as error:
        report(f"{place}: skipped, {error}")
        return None


def _tell(folder: Path, opener: Opener, told: frozenset[str], report: Report) -> frozenset[str]:
    """Report once what is no fault of a line; gives what has been told so far."""
    news = {
        f"{tenant} {why}": f"records of `{tenant}` skipped ({count}), {why}"
        for (tenant, why), count in opener.gone.items()
    }
    if opener.clear:
        news[""] = f"records are not sealed ({opener.clear}), from before bodies were: nothing shows who wrote them"
    for name in news.keys() - told:
        report(f"{folder}: {news[name]}")
    return told | news.keys()
