"""Rotation of the KEK: killed at any point, every row opens, and running it again finishes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from policy_service.config import Settings
from policy_service.errors import StoreFailed
from policy_service.store.control import KeyRow
from policy_service.store.data_keys import DataKeys
from policy_service.store.keyring import Wrapped, open_keyring, rotate_file
from policy_service.store.private_files import replace_private
from policy_service.store.rotation import move, rotate
from policy_service.store.tables import SERVICE
from tests.stores import Place
from tests.unit.store.memory_keys import MemoryTable, file_keyring, file_settings

NAMES = ("zeta", SERVICE, "acme", "globex", "initech")


class Killed(BaseException):
    """What nothing catches, as nothing catches a SIGKILL."""


class Mortal(MemoryTable):
    """A table whose process dies before, or right after, the write that comes after `lives` others."""

    def __init__(self) -> None:
        super().__init__()
        self.lives: int | None = None
        self.order: list[str] = []

    def rewrap(self, row: KeyRow, wrapped: Wrapped) -> bool:
        if self.lives == 0:
            raise Killed
        done = super().rewrap(row, wrapped)
        self.order.append(row.account)
        if self.lives is not None:
            self.lives -= 1
        return done


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return file_settings(tmp_path)


@pytest.fixture
def table(tmp_path: Path) -> Mortal:
    table = Mortal()
    keys = DataKeys(table, file_keyring(tmp_path))
    for name in NAMES:
        keys.active(name)
    return table


def secrets(settings: Settings, table: MemoryTable) -> dict[str, bytes]:
    keys = DataKeys(table, open_keyring(settings))
    return {name: keys.active(name).secret for name in NAMES}


def silent(done: int, total: int) -> None:
    pass


def test_every_row_is_wrapped_by_a_new_key(settings: Settings, table: Mortal) -> None:
    before, old = secrets(settings, table), open_keyring(settings).current()
    reports: list[tuple[int, int]] = []
    done = rotate(settings, table, lambda *report: reports.append(report))
    assert done == (open_keyring(settings).current(), False, 5)
    assert done.kek != old
    assert {row.kek for row in table.all()} == {done.kek}
    assert reports == [(number, 5) for number in range(1, 6)]
    assert secrets(settings, table) == before


@pytest.mark.parametrize("lives", range(6))
def test_killed_at_any_row_every_row_opens_and_the_next_run_does_the_rest(
    settings: Settings, table: Mortal, lives: int
) -> None:
    before = secrets(settings, table)
    table.lives = lives
    if lives < 5:
        with pytest.raises(Killed):
            rotate(settings, table, silent)
    else:
        rotate(settings, table, silent)
    added = open_keyring(settings).current()
    assert secrets(settings, table) == before
    table.lives = None
    if lives < 5:
        assert rotate(settings, table, silent) == (added, True, 5 - lives)
    assert {row.kek for row in table.all()} == {added}
    assert secrets(settings, table) == before


def test_an_unfinished_rotation_that_is_a_year_old_gets_a_new_key(settings: Settings, table: Mortal) -> None:
    rotate_file(settings)
    path = settings.data / "keyring.json"
    keys = json.loads(path.read_text())
    for key in keys["keys"]:
        key["created"] = "2020-01-01T00:00:00Z"
    replace_private(path, json.dumps(keys).encode())
    old = open_keyring(settings).current()
    done = rotate(settings, table, silent)
    assert not done.resumed
    assert done.kek != old
    assert {row.kek for row in table.all()} == {done.kek}


def test_a_row_that_is_erased_meanwhile_stays_erased(
    settings: Settings, table: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrap = table.rewrap

    def erase_first(row: KeyRow, wrapped: Wrapped) -> bool:
        table.rows.pop(("acme", 1), None)
        return rewrap(row, wrapped)

    monkeypatch.setattr(table, "rewrap", erase_first)
    assert rotate(settings, table, silent).rewrapped == 4
    assert ("acme", 1) not in table.rows


def test_a_row_that_is_added_meanwhile_is_not_left_behind(settings: Settings, table: Mortal) -> None:
    """A server that has not looked at the keyring yet may still wrap by the key of before."""
    old = open_keyring(settings)
    late = old.wrap(bytes(32), "late", 1)

    def add_late(done: int, total: int) -> None:
        table.add(table.rows["acme", 1]._replace(account="late", kek=late.kek, wrapped=late.blob))

    done = rotate(settings, table, add_late)
    assert done.rewrapped == 6
    assert {row.kek for row in table.all()} == {done.kek}


def test_rows_that_never_stay_put_are_an_error(
    settings: Settings, table: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "rewrap", lambda row, wrapped: False)
    with pytest.raises(StoreFailed, match="another process"):
        rotate(settings, table, silent)


def test_a_move_leaves_the_service_s_own_key_for_last(settings: Settings, table: Mortal, tmp_path: Path) -> None:
    """It opens the control tables: the old keyring has to open them until no row is left there."""
    new = replace(settings, keyring=str(tmp_path / "new.json"))
    before = secrets(settings, table)
    table.lives = 3
    with pytest.raises(Killed):
        move(table, open_keyring(settings), open_keyring(new, create=True), silent)
    assert table.rows[SERVICE, 1].kek == open_keyring(settings).current()
    table.lives = None
    assert move(table, open_keyring(settings), open_keyring(new), silent).rewrapped == 2
    assert table.order[-1] == SERVICE
    assert secrets(new, table) == before


def test_on_both_databases_a_server_that_runs_goes_on_and_opens_what_it_did(place: Place) -> None:
    store = place.open()
    try:
        names = ("acme", "globex", SERVICE)
        before = {name: store.keys.active(name).secret for name in names}
        with place.as_owner() as owner:
            done = rotate(place.settings, owner.key_table, silent)
            assert done.rewrapped >= 3
            assert {row.kek for row in owner.key_table.all()} == {done.kek}
        store.keys.forget()
        assert {name: store.keys.active(name).secret for name in names} == before
        with store.session("acme"):
            pass
    finally:
        store.close()
