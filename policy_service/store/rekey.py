"""Another data key for a tenant's file: a copy is rekeyed, verified, and put in the file's place at once.

Whatever kills it, one whole file is there, and its key is in the control tables: pending before the copy is made,
active after it took its place. Opening tries both. Other processes' connections to the file that was replaced stay
with that file, and SQLite leaves the new one's log alone when they are closed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from policy_service.errors import NoKey, StoreFailed
from policy_service.store.data_keys import DataKey
from policy_service.store.door import Store
from policy_service.store.failures import explain
from policy_service.store.files import Files, remove_files
from policy_service.store.lives import exclusive
from policy_service.store.opening import order_keys
from policy_service.store.private_files import settle
from policy_service.store.sqlcipher import USE, connect
from policy_service.store.tables import Base

Say = Callable[[str], None]


def rekey_file(store: Store, tenant: str, key: DataKey, say: Say) -> None:
    """Make `key`, which is pending, the key of a tenant's file; nothing is done where it is already.

    `StoreFailed` where others don't leave the file, or the copy is not what it is to be: then nothing was changed.
    """
    assert isinstance(store.databases, Files)  # noqa: S101
    path = store.databases.path(tenant)
    fresh = path.with_suffix(".rekey")
    with exclusive(store, tenant):
        try:
            remove_files(fresh)
            held, connection = _open(path, order_keys(store.keys.all(tenant)))
            if held.version == key.version:
                connection.close()
                return
            say("copying")
            try:
                counts = _count(connection)
                _copy(connection, path, fresh)
            finally:
                connection.close()
            say("rekeying")
            _change(fresh, held, key)
            say("verifying")
            _verify(fresh, key, counts)
            fresh.replace(path)
            for suffix in ("-wal", "-shm"):
                path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
            settle(path.parent)
        except dbapi2.Error as error:
            raise explain(str(fresh), error) from None
        except OSError as error:
            raise StoreFailed(f"{path} can't be rekeyed: {(error.strerror or str(error)).lower()}") from None
        finally:
            remove_files(fresh)


def _open(path: Path, keys: Sequence[DataKey]) -> tuple[DataKey, Any]:
    """The key that opens a file, and the connection."""
    for key in keys:
        try:
            return key, connect(path, key)
        except NoKey as error:
            refusal = error
    raise refusal


def _count(connection: Any) -> list[int]:
    """How many rows each table has."""
    tables = [table.name for table in Base.metadata.sorted_tables]
    return [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables]  # noqa: S608  our own


def _copy(connection: Any, path: Path, fresh: Path) -> None:
    """Copy the file, when all that was written is in it and nothing in the log."""
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreFailed(f"{path} is in use by another process, try again")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(file, "wb") as target, open(path, "rb") as source:
        shutil.copyfileobj(source, target, 1024 * 1024)
        shutil.copystat(path, fresh)


def _change(fresh: Path, held: DataKey, key: DataKey) -> None:
    connection = connect(fresh, held)
    try:
        connection.execute(f"PRAGMA rekey = \"x'{key.derive(USE).hex()}'\"")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _verify(fresh: Path, key: DataKey, counts: list[int]) -> None:
    """See that the copy opens by its key, is sound and holds as much; and that it is on the disk, whole."""
    connection = connect(fresh, key)
    try:
        sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        sound = sound and not connection.execute("PRAGMA cipher_integrity_check").fetchall()
        sound = sound and _count(connection) == counts
    finally:
        connection.close()
    if not sound or fresh.with_name(f"{fresh.name}-wal").exists():
        raise StoreFailed(f"the rekeyed copy {fresh} is not what it is to be, the file was left as it is")
    with open(fresh, "rb") as file:
        os.fsync(file.fileno())
