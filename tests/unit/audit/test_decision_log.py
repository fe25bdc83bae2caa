"""The decision log as workers write it: nothing answered is lost, nothing that failed is left."""

from __future__ import annotations

import base64
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from policy_service.audit import decision_log, segments
from policy_service.audit.decision_log import DecisionLog
from policy_service.audit.reader import read
from policy_service.audit.segments import find_segments
from policy_service.errors import NoKey, NoStore, NotRecorded, PolicyServiceError, Refused, StoreFailed
from policy_service.model import Caller
from policy_service.store.data_keys import DataKey
from tests.logs import make_keys, read_segments
from tests.unit.audit.conftest import OPEN, make


def written(folder: Path) -> list[str]:
    """The request ids in the files, each line of which must be whole."""
    ids: list[str] = []
    for segment in find_segments(folder):
        text = (folder / segment.name).read_bytes()
        assert text == b"" or text.endswith(b"\n")
    for bodies in read_segments(folder, make_keys()).values():
        ids += [body["request"] for body in bodies]
    return ids


class TestWrite:
    def test_the_records_of_a_request_are_one_write(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = open_log()
        writes: list[bytes] = []
        real = os.write
        monkeypatch.setattr(segments.os, "write", lambda file, data: writes.append(data) or real(file, data))
        log.write([make(request_id=f"r-{number}") for number in range(3)])
        assert len(writes) == 1
        assert written(folder) == ["r-0", "r-1", "r-2"]

    def test_no_records_are_no_segment(self, folder: Path, open_log: OPEN) -> None:
        open_log().write([])
        assert find_segments(folder) == []

    def test_the_folder_is_for_its_owner(self, folder: Path, open_log: OPEN) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        open_log()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_a_mask_counts_for_every_record(self, folder: Path, open_log: OPEN) -> None:
        open_log(mask=("subject.id",)).write([make(), make()])
        assert [body["subject"]["id"] for body in read(folder, make_keys())] == ["***", "***"]

    def test_sync_waits_for_the_disk(self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[int] = []
        monkeypatch.setattr(segments.os, "fdatasync", synced.append)
        open_log().write([make()])
        assert synced == []
        open_log(sync=True).write([make()])
        assert len(synced) == 1

    def test_threads_share_a_segment(self, folder: Path, open_log: OPEN) -> None:
        log = open_log(segment_bytes=20_000)

        def work(name: int) -> None:
            for number in range(50):
                log.write([make(request_id=f"{name}-{number}")])

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(written(folder))) == len(written(folder)) == 200

    def test_one_thread_writes_at_a_time(self, open_log: OPEN, monkeypatch: pytest.MonkeyPatch) -> None:
        log = open_log()
        inside: list[int] = []
        most: list[int] = []
        real = os.write

        def write(file: int, data: bytes) -> int:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.005)
            inside.pop()
            return real(file, data)

        monkeypatch.setattr(segments.os, "write", write)
        threads = [threading.Thread(target=log.write, args=([make()],)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1] * 4

    def test_a_closed_log_records_nothing(self, open_log: OPEN) -> None:
        log = open_log()
        log.close()
        with pytest.raises(NotRecorded, match="closed"):
            log.write([make()])

    @pytest.mark.parametrize("changes", [{"request_id": object()}, {"request_id": "\ud800"}])
    def test_what_can_not_be_written_is_not_recorded(
        self, folder: Path, open_log: OPEN, changes: dict[str, Any]
    ) -> None:
        log = open_log()
        with pytest.raises(NotRecorded):
            log.write([make(), make(**changes)])
        assert written(folder) == []

    @pytest.mark.parametrize("error", [NoKey("no KEK"), StoreFailed("no database"), NoStore("erased")])
    def test_what_can_not_be_sealed_is_not_recorded(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch, error: PolicyServiceError
    ) -> None:
        keys = make_keys()

        def fail(account: str) -> DataKey:
            raise error

        log = open_log(keys=keys)
        with monkeypatch.context() as patch:
            patch.setattr(keys, "active", fail)
            with pytest.raises(NotRecorded, match=str(error)):
                log.write([make()])
        assert find_segments(folder) == []
        log.write([make()])
        assert written(folder) == ["r-1"]

    def test_each_record_is_sealed_for_its_tenant(self, folder: Path, open_log: OPEN) -> None:
        open_log().write([make(), make(caller=Caller("globex", "k"))])
        assert [body["tenant"] for body in read(folder, make_keys(erased=["acme"]))] == ["globex"]

    def test_no_body_can_be_read_in_the_folder(self, folder: Path, open_log: OPEN) -> None:
        log = open_log(segment_bytes=1)
        for number in range(3):
            log.write([make(request_id=f"r-{number}")])
        texts = ("r-1", "alice", "web-1", "123-45", "10.0.0.1", "hosts-read", "abcdefghijkl", "abc+def", "decision")
        for path in folder.iterdir():
            line = path.read_bytes()
            for raw in (line, base64.b64decode(json.loads(line)["body"])):
                assert [text for text in texts if text.encode() in raw] == []

    def test_a_record_that_no_reader_would_read_is_not_recorded(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decision_log, "LINE_BYTES", 100)
        with pytest.raises(NotRecorded, match="larger than 100 bytes"):
            open_log().write([make()])


class TestSettings:
    def test_what_identifies_a_policy_can_not_be_masked(self, open_log: OPEN) -> None:
        with pytest.raises(Refused):
            open_log(mask=("reasons.id",))

    def test_at_least_one_segment_is_kept(self, open_log: OPEN) -> None:
        with pytest.raises(Refused, match="keep at least one segment"):
            open_log(segment_bytes=10, keep_bytes=9)

    def test_a_folder_that_can_not_be_made_is_refused(self, folder: Path, open_log: OPEN) -> None:
        folder.parent.write_text("a file")
        with pytest.raises(Refused, match="name another data folder"):
            open_log()

    def test_a_full_disk_is_not(self, open_log: OPEN, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*arguments: Any, **options: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "mkdir", fail)
            log = open_log()
            with pytest.raises(NotRecorded, match="no space left"):
                log.write([make()])
        log.write([make()])


class TestRotation:
    def test_a_full_segment_is_followed_by_another(self, folder: Path, open_log: OPEN) -> None:
        log = open_log(segment_bytes=3_000)
        for number in range(20):
            log.write([make(request_id=f"r-{number}")])
        sizes = [segment.size for segment in find_segments(folder)]
        assert len(sizes) > 3
        assert all(3_000 <= size < 4_500 for size in sizes[:-1])
        assert written(folder) == [f"r-{number}" for number in range(20)]

    def test_size_is_kept_at_each_rotation(self, folder: Path, open_log: OPEN) -> None:
        log = open_log(segment_bytes=3_000, keep_bytes=9_000)
        for number in range(60):
            log.write([make(request_id=f"r-{number}")])
        assert sum(segment.size for segment in find_segments(folder)) <= 9_000 + 4_500
        assert written(folder)[-1] == "r-59"
        assert "r-0" not in written(folder)

    def test_age_is_kept_at_start_even_for_dead_workers(self, folder: Path, open_log: OPEN) -> None:
        log = open_log()
        log.write([make()])
        log.close()
        (segment,) = find_segments(folder)
        os.utime(folder / segment.name, (0, 0))
        open_log()
        assert find_segments(folder) == []

    def test_a_segment_is_closed_after_a_day(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = open_log()
        log.write([make()])
        tomorrow = time.time_ns() + 86_401 * 10**9
        monkeypatch.setattr(decision_log.time, "time_ns", lambda: tomorrow)
        log.write([make()])
        assert len(find_segments(folder)) == 2

    def test_workers_never_delete_each_others_live_segments(self, folder: Path, open_log: OPEN) -> None:
        idle = open_log()
        idle.write([make(request_id="idle")])
        busy = open_log(segment_bytes=3_000, keep_bytes=3_000)
        for _ in range(20):
            busy.write([make()])
        assert "idle" in written(folder)
        idle.close()
        for _ in range(5):
            busy.write([make()])
        assert "idle" not in written(folder)

    @pytest.mark.parametrize("what", ["file", "folder"])
    def test_a_live_segment_that_someone_deletes_is_replaced(self, folder: Path, open_log: OPEN, what: str) -> None:
        log = open_log()
        log.write([make(request_id="gone")])
        for path in folder.iterdir():
            path.unlink()
        if what == "folder":
            folder.rmdir()
        log.write([make(request_id="kept")])
        assert written(folder) == ["kept"]
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


class TestFailure:
    def test_a_short_write_leaves_nothing_and_the_next_is_whole(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = open_log()
        log.write([make(request_id="before")])
        real = os.write
        with monkeypatch.context() as patch:
            patch.setattr(segments.os, "write", lambda file, data: real(file, data[:-1]))
            with pytest.raises(NotRecorded):
                log.write([make(request_id="lost"), make(request_id="lost")])
        log.write([make(request_id="after")])
        assert written(folder) == ["before", "after"]
        assert len(find_segments(folder)) == 1

    def test_a_spoiled_segment_is_left_and_repaired_later(
        self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = open_log()
        log.write([make(request_id="before")])
        real = os.write

        def fail(file: int, size: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(segments.os, "write", lambda file, data: real(file, data[:-1]))
            patch.setattr(segments.os, "ftruncate", fail)
            with pytest.raises(NotRecorded):
                log.write([make(request_id="torn")])
        log.write([make(request_id="after")])
        assert [body["request"] for body in read(folder, make_keys())] == ["before", "after"]
        open_log()
        assert written(folder) == ["before", "after"]

    def test_a_failed_sync_is_not_recorded(self, folder: Path, open_log: OPEN, monkeypatch: pytest.MonkeyPatch) -> None:
        log = open_log(sync=True)

        def fail(file: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(segments.os, "fdatasync", fail)
            with pytest.raises(NotRecorded, match="input/output error"):
                log.write([make(request_id="lost")])
        log.write([make(request_id="after")])
        assert written(folder) == ["after"]


LIMITED = """
import resource, sys
from pathlib import Path
from policy_service.audit.decision_log import DecisionLog
from policy_service.errors import NotRecorded
from tests.logs import make_keys
from tests.unit.audit.conftest import make
log = DecisionLog(Path(sys.argv[1]), make_keys(), segment_bytes=1 << 20, keep_bytes=1 << 20, keep_days=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
done, failed = [], 0
for number in range(10):
    try:
        log.write([make(request_id=f"r-{number}")])
        done.append(f"r-{number}")
    except NotRecorded:
        failed += 1
assert failed > 3, failed
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.write([make(request_id="after")])
print(" ".join([*done, "after"]))
"""

KILLED = """
import sys
from pathlib import Path
from policy_service.audit.decision_log import DecisionLog
from tests.logs import make_keys
from tests.unit.audit.conftest import make
log = DecisionLog(Path(sys.argv[1]), make_keys(), segment_bytes=20_000, keep_bytes=1 << 30, keep_days=1)
number = 0
while True:
    log.write([make(request_id=f"{sys.argv[2]}-{number}"), make(request_id=f"{sys.argv[2]}-{number}+")])
    print(f"{sys.argv[2]}-{number}", flush=True)
    number += 1
"""


def start(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


class TestProcesses:
    def test_a_full_disk_loses_nothing_that_was_recorded(self, folder: Path) -> None:
        with start(LIMITED, folder) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert written(folder) == output.split()

    def test_kill_loses_nothing_that_was_answered(self, folder: Path, open_log: OPEN) -> None:
        answered: list[str] = []
        for name in ("a", "b"):
            with start(KILLED, folder, name) as process:
                assert process.stdout is not None
                answered += [process.stdout.readline().strip() for _ in range(60)]
                process.send_signal(signal.SIGKILL)
                answered += process.stdout.read().split()
        open_log()
        ids = set(written(folder))
        assert ids >= set(answered) | {f"{name}+" for name in answered}

    def test_a_line_torn_by_kill_is_repaired_at_the_next_start(self, folder: Path, open_log: OPEN) -> None:
        with start(KILLED, folder, "a") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        whole = [body["request"] for body in read(folder, make_keys())]
        for segment in find_segments(folder):
            with (folder / segment.name).open("ab") as file:
                file.write(b'{"tenant":"acme"')
        open_log()
        assert len(written(folder)) == len(whole) > 0

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_forked_child_has_a_segment_of_its_own(self, folder: Path, open_log: OPEN) -> None:
        log = open_log()
        log.write([make(request_id="parent")])
        child = os.fork()
        if not child:
            try:
                log.write([make(request_id="child")])
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        log.write([make(request_id="parent")])
        assert sorted(written(folder)) == ["child", "parent", "parent"]
        assert len(find_segments(folder)) == 2

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_fork_while_a_thread_writes_does_not_hang(self, folder: Path, open_log: OPEN) -> None:
        log = open_log()
        with log._lock:
            child = os.fork()
            if not child:
                try:
                    signal.alarm(10)
                    log.write([make(request_id="child")])
                finally:
                    os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert written(folder) == ["child"]


def test_a_log_that_nobody_holds_is_forgotten(folder: Path) -> None:
    log = DecisionLog(folder, make_keys(), segment_bytes=1, keep_bytes=1, keep_days=1)
    assert log in decision_log._logs
    del log
    assert not [one for one in decision_log._logs if one._folder == folder]
