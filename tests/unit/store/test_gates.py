"""Locks between processes: many or one, and whoever waits to be alone is never starved."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from policy_service.errors import StoreFailed
from policy_service.store.gates import Gate


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "x.lock", "the store of `x`")


def turnstile(folder: Path) -> Path:
    return folder / "x.lock.next"


def test_many_are_inside_at_once(gate: Gate, tmp_path: Path) -> None:
    with gate.shared(0), gate.shared(0), Gate(tmp_path / "x.lock", "the same").shared(0):
        assert not turnstile(tmp_path).exists()


def test_one_has_it_alone(gate: Gate, tmp_path: Path) -> None:
    with gate.alone(0):
        for other in (gate.shared(0), gate.alone(0)):
            with pytest.raises(StoreFailed, match="the store of `x` is in use by another process, try again"), other:
                pass
    assert not turnstile(tmp_path).exists()
    with gate.shared(0), pytest.raises(StoreFailed), gate.alone(0):
        pass
    assert not turnstile(tmp_path).exists()
    with gate.alone(0):
        pass


def test_who_comes_later_waits_for_who_waits_to_be_alone(gate: Gate, tmp_path: Path) -> None:
    order: list[str] = []

    def alone() -> None:
        with gate.alone(10):
            order.append("alone")

    def later() -> None:
        with gate.shared(10):
            order.append("later")

    with ThreadPoolExecutor(2) as threads:
        with gate.shared(0):
            waiting = threads.submit(alone)
            until(lambda: turnstile(tmp_path).exists())
            coming = threads.submit(later)
            time.sleep(0.05)
            assert order == []
        waiting.result(), coming.result()
    assert order == ["alone", "later"]


def until(condition: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.001)


def test_of_many_that_want_it_alone_one_has_it(gate: Gate) -> None:
    inside = 0
    lock = threading.Lock()

    def enter(number: int) -> None:
        nonlocal inside
        with gate.alone(30) if number % 2 else gate.shared(30):
            if number % 2:
                assert lock.acquire(blocking=False)
                inside += 1
                time.sleep(0.002)
                lock.release()
            else:
                assert not lock.locked()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(enter, range(60)))
    assert inside == 30


def test_a_turnstile_that_a_dead_process_left_stops_nobody(gate: Gate, tmp_path: Path) -> None:
    turnstile(tmp_path).touch()
    with gate.shared(0):
        assert turnstile(tmp_path).exists()
    with gate.alone(0):
        pass
    assert not turnstile(tmp_path).exists()


def test_a_link_in_the_place_of_a_lock_is_refused(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "x.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreFailed, match="can't be locked"), gate.shared(0):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_without_its_folder_there_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="its folder is gone"), Gate(tmp_path / "none" / "x.lock", "x").shared(0):
        pass
