"""The decision log as a person reads it: all workers' records in the order of time, and as they come.

Segments are streamed and merged: what is held in memory is one record of each. What can't be read is
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

import orjson

from policy_service.audit.decision_log import LINE_BYTES
from policy_service.audit.records import instant, read_line
from policy_service.audit.segments import find_segments

Report: TypeAlias = Callable[[str], None]

_warn = logging.getLogger(__name__).warning

# a record is written this long after its time at most, as seen by the time of its file
_SLACK_SECONDS = 60.0


@dataclass(slots=True)
class _Position:
    """How far a segment has been read."""

    offset: int = 0
    line: int = 0


class _Line(NamedTuple):
    time: str
    place: str
    body: Mapping[str, Any]
    text: bytes


def read(
    folder: Path,
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
    subject   `type:id`, as the request named it
    follow    go on with what is written later, until `stop` answers true (asked at least at each poll)
    report    takes `path:line: sentence` for each line that was skipped

    A record is the mapping of `records.record`, fractions as `Decimal`; `records.dumps` makes JSON of it.
    """
    wanted = _Filter(tenant, subject, decision, instant(since) if since else "", instant(until) if until else "")
    oldest = since.timestamp() - _SLACK_SECONDS if since else 0.0
    positions: dict[str, _Position] = {}
    while True:
        for line in _sweep(folder, positions, oldest, report):
            if stop is not None and stop():
                return
            if wanted.takes(line):
                try:
                    yield read_line(line.text)
                except (ValueError, RecursionError) as error:
                    report(f"{line.place}: skipped, {error}")
        if not follow or (stop is not None and stop()):
            return
        time.sleep(poll_seconds)


class _Filter(NamedTuple):
    tenant: str | None
    subject: str | None
    decision: str | None
    since: str
    until: str

    def takes(self, line: _Line) -> bool:
        body = line.body
        return (
            line.time >= self.since
            and (not self.until or line.time < self.until)
            and (self.tenant is None or body.get("tenant") == self.tenant)
            and (self.decision is None or body.get("decision") is (self.decision == "allow"))
            and (self.subject is None or _is_subject(body.get("subject"), self.subject))
        )


def _is_subject(thing: Any, text: str) -> bool:
    if not isinstance(thing, dict):
        return False
    kind = str(thing.get("type"))
    return text in {f"{kind}:{thing.get('id')}", f"{kind.replace('::', '.')}:{thing.get('id')}"}


def _sweep(folder: Path, positions: dict[str, _Position], oldest: float, report: Report) -> Iterator[_Line]:
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


def _read_segment(path: Path, position: _Position, report: Report) -> Iterator[_Line]:
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


def _parse(text: bytes, place: str, report: Report) -> _Line | None:
    try:
        body = orjson.loads(text)["body"]
        return _Line(body["time"] + "", place, body, text)
    except (ValueError, TypeError, KeyError) as error:
        sentence = str(error) if isinstance(error, orjson.JSONDecodeError) else "the line holds no record"
        report(f"{place}: skipped, {sentence}")
        return None
