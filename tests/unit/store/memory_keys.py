"""A key table in memory, and a keyring in a file, for tests of what stands between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from policy_service.config import Settings
from policy_service.store.control import KeyRow, KeyState
from policy_service.store.keyring import Keyring, Wrapped, open_keyring


class MemoryTable:
    """The rows by account and version; `reads` counts how often an account was asked for."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], KeyRow] = {}
        self.reads = 0

    def read(self, account: str) -> list[KeyRow]:
        self.reads += 1
        return [row for row in self.rows.values() if row.account == account]

    def add(self, row: KeyRow) -> bool:
        if (row.account, row.version) in self.rows:
            return False
        self.rows[row.account, row.version] = row
        return True

    def all(self) -> Iterator[KeyRow]:
        yield from list(self.rows.values())

    def rewrap(self, row: KeyRow, wrapped: Wrapped) -> bool:
        if self.rows.get((row.account, row.version)) != row:
            return False
        self.rows[row.account, row.version] = row._replace(kek=wrapped.kek, wrapped=wrapped.blob)
        return True

    def set_state(self, account: str, version: int, state: KeyState) -> None:
        self.rows[account, version] = self.rows[account, version]._replace(state=state)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def file_settings(folder: Path) -> Settings:
    return Settings(data=folder)


def file_keyring(folder: Path) -> Keyring:
    return open_keyring(file_settings(folder), create=True)
