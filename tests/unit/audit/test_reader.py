"""The decision log as it is read: in order, filtered, followed, whatever state its files are in."""

from __future__ import annotations

import itertools
import os
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policy_service.audit import reader
from policy_service.audit.reader import read
from policy_service.audit.sealed_lines import Opener
from policy_service.audit.segments import find_segments
from policy_service.errors import StoreFailed
from policy_service.model import Act, Caller, Decision, Request, Thing
from tests.logs import Table, make_keys
from tests.unit.audit.conftest import OPEN, make

KEYS = make_keys()
CLEAR = b'{"tenant":"acme","key_version":0,"body":%b}\n'
START = 1_767_225_600
DENY = Decision(False, (), (), "v")


def ids(records: Iterator[Mapping[str, Any]]) -> list[str]:
    return [str(body["request"]) for body in records]


def at(seconds: float, name: str | None = None, **changes: Any) -> dict[str, Any]:
    return make(at=START + seconds, request_id=name or str(seconds), **changes)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(START + seconds, UTC)


def only(folder: Path) -> Path:
    (segment,) = find_segments(folder)
    return folder / segment.name


class TestOrder:
    def test_workers_are_merged_by_time(self, folder: Path, open_log: OPEN) -> None:
        first, second, third = open_log(), open_log(), open_log()
        for log, times in ((first, [1, 4, 7]), (second, [2, 3, 9]), (third, [5, 6, 8])):
            log.write([at(seconds) for seconds in times])
        assert ids(read(folder, KEYS)) == [str(number) for number in range(1, 10)]

    def test_no_folder_and_an_empty_one_have_no_records(self, folder: Path, open_log: OPEN) -> None:
        assert ids(read(folder, KEYS)) == []
        open_log()
        assert ids(read(folder, KEYS)) == []

    def test_numbers_are_exact(self, folder: Path, open_log: OPEN) -> None:
        context = {"exact": Decimal("0.30"), "big": 2**70}
        open_log().write([at(1, request=Request(Thing("u", "a"), Act("r"), Thing("h", "b"), context))])
        (body,) = read(folder, KEYS)
        assert body["context"] == context

    def test_of_many_segments_few_are_open(self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch) -> None:
        log = open_log(segment_bytes=1)
        for number in range(60):
            log.write([at(number), at(number + 0.5)])
        most = 0
        for _ in read(folder, KEYS):
            most = max(most, len(list(Path("/proc/self/fd").iterdir())))
        log.close()
        assert len(find_segments(folder)) == 60
        assert most < len(list(Path("/proc/self/fd").iterdir())) + 10

    def test_memory_does_not_grow_with_the_log(self, folder: Path, open_log: OPEN) -> None:
        log = open_log(segment_bytes=1 << 30)
        padding = "x" * 10_000
        log.write([at(number, context_used=f'"{padding}"') for number in range(500)])
        tracemalloc.start()
        assert sum(1 for _ in read(folder, KEYS)) == 500
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000


class TestFilter:
    @pytest.fixture
    def mixed(self, folder: Path, open_log: OPEN) -> Path:
        other = Request(Thing("Inventory::Robot", "7"), Act("read"), Thing("host", "h"))
        open_log().write(
            [
                at(1, "allow"),
                at(2, "deny", decision=DENY),
                at(3, "globex", caller=Caller("globex", "k")),
                at(4, "robot", request=other),
            ]
        )
        return folder

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({}, ["allow", "deny", "globex", "robot"]),
            ({"tenant": "globex"}, ["globex"]),
            ({"tenant": "glob"}, []),
            ({"decision": "allow"}, ["allow", "globex", "robot"]),
            ({"decision": "deny"}, ["deny"]),
            ({"subject": "user:alice"}, ["allow", "deny", "globex"]),
            ({"subject": "Inventory::Robot:7"}, ["robot"]),
            ({"subject": "Inventory.Robot:7"}, ["robot"]),
            ({"subject": "alice"}, []),
            ({"since": moment(2)}, ["deny", "globex", "robot"]),
            ({"until": moment(2)}, ["allow"]),
            ({"since": moment(2), "until": moment(4), "decision": "allow"}, ["globex"]),
            ({"tenant": "acme", "subject": "user:alice", "decision": "deny"}, ["deny"]),
        ],
    )
    def test_all_filters_must_hold(self, mixed: Path, filters: dict[str, Any], found: list[str]) -> None:
        os.utime(only(mixed), (START + 4, START + 4))
        assert ids(read(mixed, KEYS, **filters)) == found

    def test_segments_that_ended_before_are_not_opened(self, mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.utime(only(mixed), (START, START))
        monkeypatch.setattr(reader, "_read_segment", lambda *arguments: pytest.fail("it was opened"))
        assert ids(read(mixed, KEYS, since=moment(61))) == []


class TestDamage:
    def test_bad_lines_are_reported_and_skipped(self, folder: Path, open_log: OPEN) -> None:
        log = open_log()
        log.write([at(1)])
        bad = [b"\n", b"{\n", b"[]\n", b"\xff\xfe\n", b'{"body":1}\n', CLEAR % b'{"time":1}', b"\0\0\0\n"]
        bad += [b"[" * 5_000 + b"\n", CLEAR % b'{"request":"no time"}', b"null\n", CLEAR % b'"sealed"']
        bad += [CLEAR % (b'{"time":"2026","n":' + b"9" * 5_000 + b"}")]
        with only(folder).open("ab") as file:
            file.writelines(bad)
        log.write([at(2)])
        reports: list[str] = []
        assert ids(read(folder, KEYS, report=reports.append)) == ["1", "2"]
        assert len(reports) == len(bad)
        assert reports[0].startswith(f"{only(folder)}:2: skipped, ")

    def test_a_sealed_line_that_was_changed_is_reported_and_skipped(self, folder: Path, open_log: OPEN) -> None:
        open_log().write([at(1), at(2), at(3)])
        lines = only(folder).read_bytes().splitlines(keepends=True)
        lines[1] = lines[1].replace(b'"time":"2026-01-01T00:00:02', b'"time":"2026-01-01T00:00:01')
        only(folder).write_bytes(b"".join(lines))
        reports: list[str] = []
        assert ids(read(folder, KEYS, report=reports.append)) == ["1", "3"]
        assert reports == [f"{only(folder)}:2: skipped, the record is not what was sealed for this tenant and time"]

    def test_erased_tenants_are_told_once_each(self, folder: Path, open_log: OPEN) -> None:
        others = [at(number, caller=Caller(tenant, "k")) for number, tenant in enumerate(["b", "c", "b", "b"])]
        open_log().write([at(1, "kept"), *others])
        keys = make_keys(erased=["b", "c"])
        reports: list[str] = []
        assert ids(read(folder, keys, report=reports.append)) == ["kept"]
        assert sorted(reports) == [
            f"{folder}: records of `b` skipped (3), they are sealed for a tenant that was erased",
            f"{folder}: records of `c` skipped (1), they are sealed for a tenant that was erased",
        ]
        assert ids(read(folder, keys, tenant="acme", report=pytest.fail)) == ["kept"]

    def test_lines_of_before_are_read_and_told(self, folder: Path, open_log: OPEN) -> None:
        open_log().write([at(1)])
        with only(folder).open("ab") as file:
            file.writelines(CLEAR % b'{"time":"2019","request":"old"}' for _ in range(2))
        reports: list[str] = []
        assert ids(read(folder, KEYS, report=reports.append)) == ["1", "old", "old"]
        assert len(reports) == 1
        assert reports[0].startswith(f"{folder}: records are not sealed (2), ")

    def test_a_database_that_is_gone_is_no_missing_key(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> Any:
            raise StoreFailed("the database can't be reached")

        open_log().write([at(1)])
        monkeypatch.setattr(Table, "read", fail)
        with pytest.raises(StoreFailed):
            ids(read(folder, make_keys(), report=pytest.fail))

    def test_the_bodies_of_other_tenants_and_times_are_not_opened(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_log().write([at(1), at(2, caller=Caller("b", "k")), at(3)])
        opened: list[str] = []
        real = Opener.open
        monkeypatch.setattr(Opener, "open", lambda self, line: opened.append(line.time[-11:-8]) or real(self, line))
        assert ids(read(folder, KEYS, tenant="acme", until=moment(3))) == ["1"]
        assert opened == [":01"]

    def test_a_torn_last_line_is_left_alone(self, folder: Path, open_log: OPEN) -> None:
        open_log().write([at(1), at(2)])
        with only(folder).open("ab") as file:
            file.write(b'{"tenant":"acme","body":{"time"')
        assert ids(read(folder, KEYS, report=pytest.fail)) == ["1", "2"]

    def test_a_line_without_end_is_read_in_pieces(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = open_log()
        log.write([at(1)])
        monkeypatch.setattr(reader, "LINE_BYTES", 2_000)
        with only(folder).open("ab") as file:
            file.write(b"x" * 7_000 + b"\n")
        log.write([at(2)])
        reports: list[str] = []
        assert ids(read(folder, KEYS, report=reports.append)) == ["1", "2"]
        assert len(reports) == 4

    def test_a_segment_that_goes_while_it_is_read(self, folder: Path, open_log: OPEN) -> None:
        log = open_log(segment_bytes=1)
        for number in range(5):
            log.write([at(number), at(number + 0.5)])
        records = read(folder, KEYS, report=pytest.fail)
        assert next(records)["request"] == "0"
        (folder / find_segments(folder)[2].name).unlink()
        # its first record had been read before
        assert ids(records) == ["0.5", "1", "1.5", "2", "3", "3.5", "4", "4.5"]

    def test_what_may_not_be_read_is_reported(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_log().write([at(1)])
        reports: list[str] = []

        def fail(path: Path, mode: str) -> None:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", fail)
            assert ids(read(folder, KEYS, report=reports.append)) == []
        (folder.parent / "file").write_text("")
        assert ids(read(folder.parent / "file", KEYS, report=reports.append)) == []
        sentences = {report.rpartition(": ")[2] for report in reports}
        assert sentences == {"Permission denied", "Not a directory"}


class TestFollow:
    def follow(self, folder: Path, steps: list[Callable[[], None]], **options: Any) -> list[str]:
        """What is read when each poll that found nothing more is followed by one step, and the last by the end."""
        left = iter(steps)
        done = False

        def sleep(_: float) -> None:
            nonlocal done
            step = next(left, None)
            if step is None:
                done = True
            else:
                step()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader.time, "sleep", sleep)
            return ids(read(folder, KEYS, follow=True, stop=lambda: done, **options))

    def test_lines_and_segments_that_come_are_read_once(self, folder: Path, open_log: OPEN) -> None:
        first, second = open_log(segment_bytes=1_200), open_log()
        first.write([at(1)])
        steps: list[Callable[[], None]] = [
            lambda: first.write([at(2)]),
            lambda: second.write([at(4)]),
            lambda: first.write([at(3)]),
            lambda: first.write([at(5), at(6)]),
            lambda: None,
            lambda: first.write([at(7)]),
        ]
        assert self.follow(folder, steps) == ["1", "2", "4", "3", "5", "6", "7"]
        assert len(find_segments(folder)) == 4

    def test_a_folder_may_come_later(self, folder: Path, open_log: OPEN) -> None:
        assert self.follow(folder, [lambda: open_log().write([at(1)])]) == ["1"]

    def test_a_line_is_read_when_its_end_is_there(self, folder: Path, open_log: OPEN) -> None:
        log = open_log()
        log.write([at(1)])
        log.write([at(2)])
        path = only(folder)
        text = path.read_bytes()
        cut = len(text) - 10

        path.write_bytes(text[:cut])
        steps = [lambda: append(path, text[cut:-1]), lambda: append(path, text[-1:])]
        assert self.follow(folder, steps, report=pytest.fail) == ["1", "2"]

    def test_a_writer_may_take_a_line_back(self, folder: Path, open_log: OPEN) -> None:
        log = open_log()
        log.write([at(1)])
        good = only(folder).stat().st_size
        log.write([at(2)])
        text = only(folder).read_bytes()
        only(folder).write_bytes(text[:good] + b'{"torn')
        steps: list[Callable[[], None]] = [
            lambda: os.truncate(only(folder), good),
            lambda: log.write([at(3)]),
            lambda: os.truncate(only(folder), good),
            lambda: None,
            lambda: log.write([at(4)]),
        ]
        assert self.follow(folder, steps, report=pytest.fail) == ["1", "3", "4"]

    def test_segments_may_be_deleted(self, folder: Path, open_log: OPEN) -> None:
        log = open_log(segment_bytes=1)
        log.write([at(1)])
        steps: list[Callable[[], None]] = [
            lambda: log.write([at(2)]),
            lambda: [path.unlink() for path in list(folder.iterdir())] and None,
            lambda: log.write([at(3)]),
        ]
        assert self.follow(folder, steps, report=pytest.fail) == ["1", "2", "3"]

    def test_nothing_is_remembered_of_deleted_segments(self, folder: Path, open_log: OPEN) -> None:
        open_log().write([at(1)])
        positions: dict[str, reader._Position] = {}
        list(reader._sweep(folder, positions, 0.0, pytest.fail))
        assert list(positions) == [only(folder).name]
        only(folder).unlink()
        list(reader._sweep(folder, positions, 0.0, pytest.fail))
        assert positions == {}

    def test_lines_are_counted_on(self, folder: Path, open_log: OPEN) -> None:
        open_log().write([at(1), at(2)])
        reports: list[str] = []
        path = only(folder)
        self.follow(folder, [lambda: append(path, b"bad\n")], report=reports.append)
        assert reports[0].startswith(f"{path}:3: ")

    def test_an_erased_tenant_is_told_once(self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(globals(), "KEYS", make_keys(erased=["b"]))
        log = open_log()
        log.write([at(1, caller=Caller("b", "k"))])
        reports: list[str] = []
        more: list[Callable[[], None]] = [lambda: log.write([at(2), at(3, caller=Caller("b", "k"))])]
        assert self.follow(folder, more, report=reports.append) == ["2"]
        assert len(reports) == 1

    def test_filters_hold_for_what_comes(self, folder: Path, open_log: OPEN) -> None:
        log = open_log()
        steps: list[Callable[[], None]] = [lambda: log.write([at(1), at(2, decision=DENY)])]
        assert self.follow(folder, steps, decision="deny") == ["2"]

    def test_stop_is_asked_at_each_line(self, folder: Path, open_log: OPEN) -> None:
        open_log().write([at(number) for number in range(5)])
        counter = itertools.count()
        assert ids(read(folder, KEYS, follow=True, stop=lambda: next(counter) >= 2)) == ["0", "1"]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
