"""What stands in a decision log, opened without the reader that is under test, and keys to write one with."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from policy_service.audit.sealed_lines import Opener, read_line
from policy_service.audit.segments import find_segments
from policy_service.config import Settings
from policy_service.errors import NoStore
from policy_service.store.control import KeyRow, KeyState
from policy_service.store.data_keys import DataKeys
from policy_service.store.opening import open_store
from policy_service.store.wrapping import Wrapped


class Table:
    """Wrapped keys in memory: of each account but the erased ones, in so many versions, from the start of 2020."""

    def __init__(self, versions: int, erased: Collection[str], made_on: int) -> None:
        self._versions, self._erased, self._made_on = versions, erased, made_on

    def read(self, account: str) -> list[KeyRow]:
        if account in self._erased:
            return []
        return [
            KeyRow(
                account,
                version,
                hashlib.sha256(f"{account} {version}".encode()).digest(),
                "test",
                KeyState.ACTIVE if version == self._versions else KeyState.OLD,
                self._made_on,
            )
            for version in range(1, self._versions + 1)
        ]

    def add(self, row: KeyRow) -> bool:
        raise NoStore(f"`{row.account}` was erased")


class Unwrapping:
    """A keyring that wraps nothing."""

    def wrap(self, key: bytes, account: str, version: int) -> Wrapped:
        return Wrapped("test", key)

    def unwrap(self, wrapped: Wrapped, account: str, version: int) -> bytes:
        return wrapped.blob


def make_keys(versions: int = 1, erased: Collection[str] = (), made_on: int = 1_577_836_800_000) -> DataKeys:
    """Keys that need no store, the same in every process; the last version is active, `made_on` in milliseconds."""
    return DataKeys(Table(versions, erased, made_on), Unwrapping())  # type: ignore[arg-type]


@contextmanager
def open_keys(data: Path) -> Iterator[DataKeys]:
    """The keys of the store in a data folder."""
    store = open_store(Settings(data=data))
    try:
        yield store.keys
    finally:
        store.close()


def read_segments(folder: Path, keys: DataKeys) -> dict[str, list[dict[str, Any]]]:
    """The records of each segment, by file name; what follows the last line feed is still being written."""
    opener = Opener(keys)
    found: dict[str, list[dict[str, Any]]] = {}
    for segment in find_segments(folder):
        lines = (folder / segment.name).read_bytes().split(b"\n")[:-1]
        opened = [opener.open(read_line(line)) for line in lines]
        assert None not in opened, f"{segment.name} has records of an erased tenant"
        found[segment.name] = [body for body in opened if body is not None]
    return found


def read_bodies(data: Path) -> list[dict[str, Any]]:
    """All records of the log in a data folder, segment by segment."""
    with open_keys(data) as keys:
        return [body for bodies in read_segments(data / "log", keys).values() for body in bodies]
