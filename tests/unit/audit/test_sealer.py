"""Sealing: every entry once, in order, by one process at a time; the thread that does it survives what happens."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from policy_service.audit import sealer, trail_check
from policy_service.audit.sealer import Sealer, seal
from policy_service.audit.trail_pages import read_entries, read_heads
from policy_service.errors import Conflict, NoKey, NoStore, StoreFailed
from policy_service.store.door import Store
from policy_service.store.tables import SERVICE
from tests.stores import Place
from tests.unit.audit.trails import AT, Versions, grow, tamper

NOW = AT + 5
PATIENCE = 20.0  # what is waited for comes at once; this is for a machine that stands still


def seal_at(store: Store, now: float = NOW, *, everything: bool = False) -> int:
    return seal(store, "acme", everything=everything, clock=lambda: now)


def head_ends(store: Store) -> list[int]:
    return [head.seq for head in read_heads(store, "acme", 1_000_000)]


class TestSeal:
    def test_each_entry_gets_its_place_once(self, store: Store) -> None:
        grow(store, "acme", "e-1", "e-2")
        assert seal_at(store) == 2
        grow(store, "acme", "e-3", at=AT + 6)
        assert seal_at(store, NOW + 6) == 1
        assert seal_at(store, NOW + 6) == 0
        assert [entry.seq for entry in read_entries(store, "acme")] == [1, 2, 3]
        assert head_ends(store) == [2, 3]
        assert not trail_check.verify(store, "acme").problems

    def test_a_head_for_each_batch(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealer, "BATCH", 2)
        grow(store, "acme", *"abcde")
        assert seal_at(store) == 5
        assert head_ends(store) == [2, 4, 5]

    def test_the_service_has_a_trail_too(self, store: Store) -> None:
        grow(store, SERVICE, "acme")
        assert seal(store, SERVICE) == 1
        assert not trail_check.verify(store, SERVICE).problems

    def test_a_tenant_without_a_store_gets_no_key(self, store: Store) -> None:
        with pytest.raises(NoStore):
            seal(store, "nobody")
        assert store.keys.all("nobody") == []

    def test_two_that_seal_at_once_make_one_chain(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealer, "BATCH", 3)
        with contextlib.closing(place.open()) as store:
            grow(store, "acme", *(f"e-{number}" for number in range(40)))
            sealed: Counter[str] = Counter()

            def run(name: str) -> None:
                sealed[name] = seal_at(store)

            threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sealed.total() == 40
            assert not trail_check.verify(store, "acme").problems

    def test_heads_of_older_keys_hold(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        for versions in (Versions(1), Versions(1, 2)):
            monkeypatch.setattr(store, "keys", versions)
            grow(store, "acme", "e")
            seal_at(store)
        assert not trail_check.verify(store, "acme").problems

    def test_a_clock_that_is_set_back_hides_nothing(self, store: Store) -> None:
        grow(store, "acme", "e-1", at=AT + 86_400)
        seal_at(store, AT + 86_400)
        grow(store, "acme", "e-2")
        assert seal_at(store, NOW) == 1

    def test_what_was_committed_late_is_found_by_a_whole_look(self, store: Store) -> None:
        grow(store, "acme", "e-1")
        seal_at(store, NOW)
        grow(store, "acme", "just in time", at=NOW - 119)
        grow(store, "acme", "late", at=NOW - 121)
        assert seal_at(store, NOW) == 1
        assert seal_at(store, NOW, everything=True) == 1


BROKEN = (
    "DELETE FROM trail_head WHERE seq = 2 AND account_id = 'acme'",
    "DELETE FROM trail_head WHERE account_id = 'acme'",
    "DELETE FROM trail_link WHERE seq = 2 AND account_id = 'acme'",
    "UPDATE trail_link SET hash = (SELECT hash FROM trail_link WHERE seq = 1 AND account_id = 'acme') "
    "WHERE seq = 2 AND account_id = 'acme'",
    "UPDATE trail_head SET at = at + 1 WHERE seq = 2 AND account_id = 'acme'",
    "UPDATE trail_head SET signature = hash WHERE seq = 2 AND account_id = 'acme'",
)


def test_what_someone_else_wrote_to_the_end_is_never_made_good_by_signing_on(place: Place) -> None:
    tenants = {f"tenant-{number}": statement for number, statement in enumerate(BROKEN)}
    with contextlib.closing(place.open(tuple(tenants))) as store:
        for tenant, statement in tenants.items():
            for seconds in (0, 1):
                grow(store, tenant, "e", at=AT + seconds)
                seal(store, tenant, clock=lambda: NOW)
            grow(store, tenant, "new", at=AT + 2)
            tamper(place, store, statement.replace("acme", tenant), account=tenant)
            before = list(read_heads(store, tenant, 9))
            with pytest.raises(Conflict, match=f"trail verify {tenant}"):
                seal(store, tenant, clock=lambda: NOW)
            assert list(read_heads(store, tenant, 9)) == before
            assert trail_check.verify(store, tenant).problems


class Failing:
    """A store that does nothing but count who is sealed, and fails as it is told."""

    backend = "sqlite"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked: list[str] = []
        self.done = threading.Event()
        self.expected = 1 + len(failures)

    @contextlib.contextmanager
    def session(self, account: str, *, write: bool = False) -> Iterator[Any]:
        self.asked.append(account)
        if len(self.asked) >= self.expected:
            self.done.set()
        if self.failures:
            raise self.failures.pop(0)
        yield Empty()


class Empty:
    """A session in which there is nothing."""

    def execute(self, query: Any) -> Any:
        return self

    def first(self) -> None:
        return None

    def all(self) -> list[Any]:
        return []


def start(store: Any, **given: Any) -> Sealer:
    return Sealer(store, delay=0.01, **{"report": lambda _: None} | given)


class TestSealer:
    def test_what_is_marked_is_sealed(self, store: Store) -> None:
        running = start(store)
        for account in ("acme", "globex"):
            grow(store, account, "e", at=time.time())
            running.mark(account)
        running.close()
        for account in ("acme", "globex"):
            assert [entry.seq for entry in read_entries(store, account)] == [1]

    def test_it_does_not_wait_for_the_end(self) -> None:
        store = Failing()
        running = start(store)
        running.mark("acme")
        assert store.done.wait(PATIENCE)
        running.close()
        assert store.asked == ["acme"]

    def test_many_marks_are_one_look(self) -> None:
        store = Failing()
        running = Sealer(store, delay=3_600)  # type: ignore[arg-type]
        for _ in range(100):
            running.mark("acme")
        running.close()
        assert store.asked == ["acme"]

    @pytest.mark.parametrize("error", [StoreFailed("gone"), NoKey("no"), Conflict("broken"), RuntimeError("?")])
    def test_a_failure_is_told_once_and_tried_again(self, error: Exception) -> None:
        told: list[str] = []
        store = Failing(error, error, error)
        running = start(store, report=told.append)
        running.mark("acme")
        assert store.done.wait(PATIENCE)
        running.close()
        assert len(told) == 1
        assert "`acme`" in told[0]

    def test_one_that_fails_keeps_no_other_waiting(self) -> None:
        store = Failing(StoreFailed("gone"))
        running = Sealer(store, delay=3_600, report=lambda _: None)  # type: ignore[arg-type]
        running.mark("acme")
        running.mark("globex")
        running.close()
        assert store.asked == ["acme", "globex"]

    def test_a_tenant_whose_store_is_gone_is_left(self) -> None:
        told: list[str] = []
        store = Failing(NoStore("erased"))
        store.expected = 1
        running = start(store, report=told.append)
        running.mark("acme")
        assert store.done.wait(PATIENCE)
        running.close()
        assert store.asked == ["acme"]
        assert told == []

    def test_it_ends_without_a_mark_and_takes_none_then(self) -> None:
        store = Failing()
        running = start(store)
        running.close()
        running.mark("acme")
        running.close()
        assert store.asked == []

    def test_a_child_process_has_a_thread_of_its_own_and_no_marks(self) -> None:
        store = Failing()
        running = Sealer(store, delay=3_600)  # type: ignore[arg-type]
        running.mark("parent")
        child = os.fork()
        if child == 0:
            signal.alarm(round(PATIENCE))  # a child that waits for its parent's thread waits for ever
            try:
                running.mark("child")
                running.close()
            finally:
                os._exit(0 if store.asked == ["child"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        running.close()
        assert store.asked == ["parent"]
