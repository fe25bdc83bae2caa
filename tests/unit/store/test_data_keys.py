"""Data keys: made once, opened for a while, gone when their row is."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from policy_service.errors import NoKey, StoreFailed
from policy_service.store import data_keys
from policy_service.store.control import KeyRow, KeyState
from policy_service.store.data_keys import OPENED_SECONDS, ROWS_SECONDS, DataKey, DataKeys
from policy_service.store.keyring import Keyring, KeyringHealth, Wrapped
from policy_service.store.sealing import seal, unseal
from tests.unit.store.memory_keys import Clock, MemoryTable, file_keyring


class Counted:
    """A keyring that counts what it opens, and refuses when told to."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.opened = 0
        self.refuses = False

    def wrap(self, key: bytes, account: str, version: int) -> Wrapped:
        return self._keyring.wrap(key, account, version)

    def unwrap(self, wrapped: Wrapped, account: str, version: int) -> bytes:
        self.opened += 1
        if self.refuses:
            raise NoKey("the key was revoked")
        return self._keyring.unwrap(wrapped, account, version)

    def rewrap(self, wrapped: Wrapped, account: str, version: int) -> Wrapped:
        return self._keyring.rewrap(wrapped, account, version)

    def current(self) -> str:
        return self._keyring.current()

    def health(self) -> KeyringHealth:
        return self._keyring.health()


class Bench(NamedTuple):
    table: MemoryTable
    keyring: Counted
    clock: Clock
    keys: DataKeys

    def other_process(self) -> DataKeys:
        return DataKeys(self.table, self.keyring, clock=self.clock)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    table, keyring, clock = MemoryTable(), Counted(file_keyring(tmp_path)), Clock()
    return Bench(table, keyring, clock, DataKeys(table, keyring, clock=clock))


def test_a_key_is_made_on_first_use_and_is_the_same_in_every_process(bench: Bench) -> None:
    key = bench.keys.active("acme")
    assert (key.account, key.version) == ("acme", 1)
    assert [(row.version, row.state) for row in bench.table.read("acme")] == [(1, KeyState.ACTIVE)]
    assert key.secret not in bench.table.read("acme")[0].wrapped
    assert bench.other_process().active("acme").derive("log") == key.derive("log")


def test_accounts_and_uses_have_nothing_in_common(bench: Bench) -> None:
    acme, globex = bench.keys.active("acme"), bench.keys.active("globex")
    same_secret = DataKey("globex", 1, acme.secret)
    derived = [key.derive(use) for key in (acme, globex, same_secret) for use in ("sqlcipher", "log", "blind", "")]
    assert len({*derived, acme.secret, globex.secret}) == 14
    assert {len(key) for key in derived} == {32}
    assert acme.derive("log", 64)[:32] == acme.derive("log")
    assert acme.derive("log") == acme.derive("log")


def test_a_key_shows_no_secret(bench: Bench) -> None:
    key = bench.keys.active("acme")
    derived = key.derive("log")
    for text in (repr(key), str(key), repr([key]), f"{key}", repr(vars(bench.keys))):
        for secret in (key.secret, derived):
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in text
    assert repr(key) == "DataKey(account='acme', version=1)"


def test_of_two_processes_that_race_one_makes_the_key(bench: Bench) -> None:
    barrier = threading.Barrier(8)

    def use(keys: DataKeys) -> bytes:
        barrier.wait()
        return keys.active("acme").secret

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(use, [bench.other_process() for _ in range(8)]))
    assert len(found) == 1
    assert len(bench.table.rows) == 1


def test_who_loses_the_race_takes_the_winners_key(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process adds its row between our look and our own row."""
    add = bench.table.add

    def late(row: KeyRow) -> bool:
        monkeypatch.setattr(bench.table, "add", add)
        bench.other_process().active("acme")
        return add(row)

    monkeypatch.setattr(bench.table, "add", late)
    assert bench.keys.active("acme").secret == bench.other_process().active("acme").secret


def test_a_key_whose_row_is_not_kept_is_not_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.table, "add", lambda row: True)
    with pytest.raises(NoKey, match="no data key of `acme` is active"):
        bench.keys.active("acme")


def test_a_key_is_opened_once_and_rows_are_read_once_a_second(bench: Bench) -> None:
    for _ in range(100):
        bench.keys.active("acme")
    assert bench.keyring.opened == 1
    before = bench.table.reads
    bench.clock.now += ROWS_SECONDS - 0.01
    bench.keys.active("acme")
    assert bench.table.reads == before
    bench.clock.now += 0.02
    bench.keys.active("acme")
    assert (bench.table.reads, bench.keyring.opened) == (before + 1, 1)


def test_another_process_s_rekey_is_seen_after_a_second(bench: Bench) -> None:
    old = bench.keys.active("acme")
    blob = seal(old, "log", b"body")
    new = bench.other_process().pending("acme")
    assert (new.version, bench.keys.active("acme").version) == (2, 1)
    bench.table.set_state("acme", 1, KeyState.OLD)
    bench.table.set_state("acme", 2, KeyState.ACTIVE)
    bench.clock.now += ROWS_SECONDS
    assert bench.keys.active("acme").derive("log") == new.derive("log")
    # the old version opens what it sealed, and seals no more
    assert unseal(bench.keys.version("acme", 1), "log", blob) == b"body"
    assert [(row.state, key.version) for row, key in bench.keys.all("acme")] == [
        (KeyState.ACTIVE, 2),
        (KeyState.OLD, 1),
    ]


def test_a_pending_version_is_made_once_and_seals_nothing(bench: Bench) -> None:
    bench.keys.active("acme")
    first = bench.keys.pending("acme")
    assert bench.keys.pending("acme").secret == first.secret
    assert bench.other_process().pending("acme").secret == first.secret
    bench.clock.now += ROWS_SECONDS
    assert bench.keys.active("acme").version == 1
    bench.table.set_state("acme", 1, KeyState.OLD)
    bench.keys.forget()
    with pytest.raises(NoKey, match="no data key of `acme` is active"):
        bench.keys.active("acme")
    assert len(bench.table.rows) == 2


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda keys: keys.version("acme", 1), id="version"),
        pytest.param(lambda keys: keys.version("acme", 2), id="old version"),
    ],
)
def test_the_key_of_an_erased_account_is_gone_after_a_second(bench: Bench, use: Callable[[DataKeys], DataKey]) -> None:
    bench.keys.active("acme")
    bench.keys.pending("acme")
    use(bench.keys)
    bench.table.rows.clear()
    bench.clock.now += ROWS_SECONDS
    with pytest.raises(NoKey, match="is gone, and with it what it sealed"):
        use(bench.keys)
    assert bench.keys.all("acme") == []


def test_an_account_that_is_made_anew_has_another_key(bench: Bench) -> None:
    old = bench.keys.active("acme")
    blob = seal(old, "log", b"body")
    bench.table.rows.clear()
    fresh = bench.other_process().active("acme")
    bench.clock.now += ROWS_SECONDS
    assert bench.keys.active("acme").secret == fresh.secret != old.secret
    with pytest.raises(NoKey, match="doesn't open"):
        unseal(bench.keys.version("acme", 1), "log", blob)


def test_a_revoked_kek_is_noticed_when_a_key_has_been_open_for_its_time(bench: Bench) -> None:
    bench.keys.active("acme")
    bench.keyring.refuses = True
    bench.clock.now += OPENED_SECONDS - 1
    bench.keys.active("acme")
    bench.clock.now += 1
    for _ in range(2):
        with pytest.raises(NoKey, match="revoked"):
            bench.keys.active("acme")
    bench.keyring.refuses = False
    bench.keys.active("acme")


def test_nothing_is_given_out_while_the_rows_can_t_be_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.keys.active("acme")
    bench.clock.now += ROWS_SECONDS

    def fail(account: str) -> list[KeyRow]:
        raise StoreFailed("the database can't be reached")

    with monkeypatch.context() as patch:
        patch.setattr(bench.table, "read", fail)
        for attempt in (bench.keys.active, bench.keys.all, lambda name: bench.keys.version(name, 1)):
            with pytest.raises(StoreFailed):
                attempt("acme")
    bench.keys.active("acme")


def test_an_answer_that_came_late_does_not_undo_a_newer_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that read the rows before the account was erased, and was held up, must not bring its key back."""
    bench.keys.active("acme")
    bench.clock.now += ROWS_SECONDS
    read = bench.table.read

    def slow(account: str) -> list[KeyRow]:
        monkeypatch.setattr(bench.table, "read", read)
        rows = read(account)
        bench.table.rows.clear()
        bench.clock.now += 0.5
        assert bench.keys.all("acme") == []
        return rows

    monkeypatch.setattr(bench.table, "read", slow)
    bench.keys.version("acme", 1)
    with pytest.raises(NoKey):
        bench.keys.version("acme", 1)


def test_rows_that_were_swapped_between_accounts_or_versions_don_t_open(bench: Bench) -> None:
    bench.keys.active("acme")
    bench.keys.active("globex")
    bench.keys.pending("acme")
    acme, globex, second = bench.table.rows.values()
    for row, stolen in ((acme, globex), (globex, acme), (acme, second), (second, acme)):
        bench.table.rows[row.account, row.version] = row._replace(wrapped=stolen.wrapped)
        bench.keys.forget()
        with pytest.raises(NoKey, match="doesn't open"):
            bench.keys.version(row.account, row.version)
        bench.table.rows[row.account, row.version] = row


def test_forgetting_opens_anew(bench: Bench) -> None:
    for account in ("acme", "globex"):
        bench.keys.active(account)
    bench.keys.forget("acme")
    bench.keys.active("acme")
    bench.keys.active("globex")
    assert bench.keyring.opened == 3
    bench.keys.forget()
    bench.keys.active("globex")
    assert bench.keyring.opened == 4


def test_the_least_recently_used_accounts_are_let_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_keys, "HELD", 3)
    for account in ("a", "b", "c", "a", "d"):
        bench.keys.active(account)
    before = bench.keyring.opened
    for account in ("a", "c", "d"):
        bench.keys.active(account)
    assert bench.keyring.opened == before
    bench.keys.active("b")
    assert bench.keyring.opened == before + 1


def test_keys_that_nobody_uses_don_t_stay_in_memory(bench: Bench) -> None:
    for account in ("acme", "globex"):
        bench.keys.active(account)
    bench.clock.now += OPENED_SECONDS + 1
    bench.keys.active("globex")
    assert list(bench.keys._held) == ["globex"]


def test_threads_may_share_it(bench: Bench) -> None:
    def use(number: int) -> bytes:
        bench.clock.now += 0.01
        if number % 50 == 0:
            bench.keys.forget(f"t{number % 7}")
        return bench.keys.active(f"t{number % 7}").derive("log")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(use, range(2_000)))
    assert len(set(found)) == 7
    assert len(bench.table.rows) == 7


def test_no_secret_in_a_traceback(bench: Bench) -> None:
    key = bench.keys.active("acme")
    with pytest.raises(NoKey) as caught:
        bench.keys.version("acme", 9)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(shown.format())
    assert "version 9" in text
    assert repr(key.secret)[2:-1] not in text
