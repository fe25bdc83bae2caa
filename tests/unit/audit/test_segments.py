"""Segments: their names, their locks, their repair and their end."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from policy_service.audit import segments
from policy_service.audit.segments import Segment, SpoiledError, find_segments, tidy

DAY = 86_400


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path


def leave(log: Path, content: bytes, age_days: float = 0.0) -> Path:
    """A segment whose writer is dead."""
    segment = Segment(log)
    segment.close()
    segment.path.write_bytes(content)
    moment = time.time() - age_days * DAY
    os.utime(segment.path, (moment, moment))
    return segment.path


def names(log: Path) -> list[str]:
    return [segment.name for segment in find_segments(log)]


def keep(log: Path, keep_bytes: int = 1 << 30, keep_days: float = 30) -> None:
    tidy(log, keep_bytes=keep_bytes, keep_days=keep_days)


class TestNames:
    def test_names_of_one_writer_sort_when_the_clock_goes_back(
        self, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[str] = []
        opened = 0
        for moment in (1_767_225_600, 1_767_225_600, 1_000_000_000, 1_767_225_601):
            monkeypatch.setattr(segments.time, "time_ns", lambda at=moment: at * 10**9)
            segment = Segment(log, after=opened)
            opened = segment.opened
            made.append(segment.path.name)
            segment.close()
        assert made == sorted(made) == names(log)
        assert made[0].startswith("20260101T000000.000000Z-")
        assert made[2].startswith("20260101T000000.000002Z-")

    def test_two_writers_at_one_moment_have_two_segments(self, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(segments.time, "time_ns", lambda: 10**18)
        first, second = Segment(log), Segment(log)
        assert first.path != second.path
        first.close()
        second.close()

    def test_only_its_owner_reads_a_segment(self, log: Path) -> None:
        segment = Segment(log)
        assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
        segment.close()

    def test_other_files_are_no_segments(self, log: Path) -> None:
        path = leave(log, b"{}\n")
        (log / "notes.jsonl").write_text("mine")
        (log / path.name.replace("-", "_")).write_text("mine")
        os.mkfifo(log / f"20200101T000000.000000Z-1-{'0' * 16}.jsonl")
        (log / f"20200101T000000.000000Z-2-{'0' * 16}.jsonl").symlink_to(path)
        assert names(log) == [path.name]
        keep(log, keep_bytes=0)
        assert len(list(log.iterdir())) == 4
        assert find_segments(log / "nowhere") == []


class TestAppend:
    def test_lines_are_appended_by_one_write(self, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        segment = Segment(log)
        writes: list[bytes] = []
        real = os.write
        monkeypatch.setattr(segments.os, "write", lambda file, data: writes.append(data) or real(file, data))
        segment.append(b"a\nb\n")
        segment.append(b"c\n")
        assert writes == [b"a\nb\n", b"c\n"]
        assert segment.path.read_bytes() == b"a\nb\nc\n"
        assert segment.size == 6
        segment.close()

    def test_a_short_write_is_taken_back(self, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        segment = Segment(log)
        segment.append(b"a\n")
        real = os.write
        with monkeypatch.context() as patch:
            patch.setattr(segments.os, "write", lambda file, data: real(file, data[:3]))
            with pytest.raises(OSError, match="3 of 6 bytes") as failure:
                segment.append(b"b\nccc\n")
        assert not isinstance(failure.value, SpoiledError)
        segment.append(b"d\n")
        assert segment.path.read_bytes() == b"a\nd\n"
        segment.close()

    def test_what_can_not_be_taken_back_spoils_the_segment(self, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        segment = Segment(log)
        real = os.write

        def fail(file: int, size: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(segments.os, "write", lambda file, data: real(file, data[:3]))
        monkeypatch.setattr(segments.os, "ftruncate", fail)
        with pytest.raises(SpoiledError):
            segment.append(b"b\nccc\n")
        segment.close()

    def test_a_failed_sync_takes_the_lines_back_and_spoils_the_segment(
        self, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        segment = Segment(log, sync=True)
        segment.append(b"a\n", sync=True)

        def fail(file: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(segments.os, "fdatasync", fail)
        with pytest.raises(SpoiledError):
            segment.append(b"b\n", sync=True)
        assert segment.path.read_bytes() == b"a\n"
        segment.close()

    def test_a_deleted_segment_takes_nothing(self, log: Path) -> None:
        segment = Segment(log)
        segment.path.unlink()
        with pytest.raises(SpoiledError):
            segment.append(b"a\n")
        segment.close()

    def test_a_segment_taken_before_it_was_locked_is_given_up(self, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = segments._lock
        deleted: list[Path] = []

        def lock(file: int) -> bool:
            # what a tidying sibling does to an empty segment between its making and its lock
            if not deleted:
                deleted.append(next(log.glob("*.jsonl")))
                deleted[0].unlink()
            return real(file)

        monkeypatch.setattr(segments, "_lock", lock)
        segment = Segment(log)
        assert segment.path.exists()
        assert segment.path != deleted[0]
        segment.close()


class TestTidy:
    @pytest.mark.parametrize("chunk", [1, 3, 64 * 1024])
    @pytest.mark.parametrize(
        ("left", "whole"),
        [(b"a\nbb\nccc", b"a\nbb\n"), (b"a\n\0\0\0", b"a\n"), (b"a\n", b"a\n"), (b"a\n" + b"x" * 200_000, b"a\n")],
    )
    def test_a_torn_last_line_is_cut(
        self, log: Path, monkeypatch: pytest.MonkeyPatch, left: bytes, whole: bytes, chunk: int
    ) -> None:
        if chunk > 1 or len(left) < 100:
            monkeypatch.setattr(segments, "_CHUNK", chunk)
        path = leave(log, left, age_days=1)
        before = path.stat().st_mtime_ns
        keep(log)
        assert path.read_bytes() == whole
        assert path.stat().st_mtime_ns == before

    def test_a_segment_without_a_whole_line_goes(self, log: Path) -> None:
        leave(log, b"")
        leave(log, b"torn")
        keep(log)
        assert names(log) == []

    def test_a_living_writers_segment_is_never_touched(self, log: Path) -> None:
        segment = Segment(log)
        segment.append(b"a\ntorn")
        os.utime(segment.path, (0, 0))
        keep(log, keep_bytes=0, keep_days=1)
        assert segment.path.read_bytes() == b"a\ntorn"
        segment.close()
        keep(log, keep_bytes=0, keep_days=1)
        assert names(log) == []

    def test_age_takes_what_is_older(self, log: Path) -> None:
        leave(log, b"a\n", age_days=31)
        young = leave(log, b"b\n", age_days=29)
        keep(log)
        assert names(log) == [young.name]

    def test_size_takes_the_oldest_until_it_fits(self, log: Path) -> None:
        paths = [leave(log, b"x" * 99 + b"\n") for _ in range(5)]
        keep(log, keep_bytes=300)
        assert names(log) == [path.name for path in paths[2:]]

    def test_living_segments_count(self, log: Path) -> None:
        old = leave(log, b"x" * 99 + b"\n")
        segment = Segment(log)
        segment.append(b"x" * 299 + b"\n")
        keep(log, keep_bytes=399)
        assert not old.exists()
        assert segment.path.exists()
        segment.close()

    def test_a_torn_end_does_not_count(self, log: Path) -> None:
        paths = [leave(log, b"x" * 99 + b"\n" + b"y" * 500), leave(log, b"x" * 99 + b"\n")]
        keep(log, keep_bytes=200)
        assert names(log) == [path.name for path in paths]

    def test_while_another_tidies_nothing_is_deleted(self, log: Path) -> None:
        path = leave(log, b"a\n")
        other = os.open(log, os.O_RDONLY | os.O_DIRECTORY)
        assert segments._lock(other)
        keep(log, keep_bytes=0)
        assert path.exists()
        os.close(other)
        keep(log, keep_bytes=0)
        assert not path.exists()

    def test_what_can_not_be_deleted_does_not_stop_the_rest(self, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = leave(log, b"a\n"), leave(log, b"b\n")
        real = os.unlink

        def unlink(path: Path) -> None:
            if path == first:
                raise PermissionError(1, "Operation not permitted")
            real(path)

        monkeypatch.setattr(segments.os, "unlink", unlink)
        keep(log, keep_bytes=0)
        assert names(log) == [first.name]
        assert not second.exists()

    def test_no_folder_is_nothing_to_do(self, log: Path) -> None:
        keep(log / "nowhere")
