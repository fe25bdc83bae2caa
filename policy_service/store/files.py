"""The embedded store: a SQLCipher file for each tenant, and the control database beside them.

At most `held` files are open, the least recently used are closed. A file that was replaced (rekeyed, restored) is
opened again by the next session; one that is gone is a failure, never an empty store.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection

from policy_service.errors import StoreFailed
from policy_service.store import migrate
from policy_service.store.data_keys import DataKey
from policy_service.store.failures import translated
from policy_service.store.gates import Gate
from policy_service.store.private_files import settle
from policy_service.store.sessions import TenantSession
from policy_service.store.sqlcipher import File, begin
from policy_service.store.tables import SERVICE

FindKeys = Callable[[str], Sequence[DataKey]]


class Files:
    """Sessions on files; `find_keys` gives the keys that may open an account's file, the likeliest first, read anew."""

    def __init__(self, folder: Path, held: int, find_keys: FindKeys) -> None:
        self._folder = folder
        self._tenants = folder / "tenants"
        self._held = held
        self._find_keys = find_keys
        self._files: OrderedDict[str, File] = OrderedDict()
        self._lock = threading.Lock()
        # two tenants that share a lock wait for each other, and no lock is ever left behind
        self._opening = [threading.Lock() for _ in range(64)]

    def path(self, account: str) -> Path:
        """The file of an account."""
        return self._folder / "control.db" if account == SERVICE else self._tenants / f"{account}.db"

    def gate(self, account: str) -> Gate:
        """Who may use the file of an account."""
        # text, because making paths takes longer than locking
        path = f"{self._folder}/control.lock" if account == SERVICE else f"{self._tenants}/{account}.lock"
        return Gate(path, _name(account))

    @contextlib.contextmanager
    def session(self, account: str, *, write: bool = False) -> Iterator[TenantSession]:
        """A session on the file of an account; committed at the end where it is to `write`."""
        with self.gate(account).shared():
            file = self._find(account)
            engine, start = (file.writer, _begin_writing) if write else (file.reader, _begin_reading)
            with translated(_name(account)), TenantSession(engine, account, start) as session:
                session.info["write"] = write
                yield session
                if write:
                    session.commit()

    def control(self, account: str, *, write: bool = False) -> AbstractContextManager[TenantSession]:
        """A session on the control tables, which are in one file for every account."""
        del account
        return self.session(SERVICE, write=write)

    def create(self, account: str, key: DataKey) -> None:
        """Make the file of an account where there is none; seen by others once it is whole."""
        path = self.path(account)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.gate(account).alone():
            if path.exists():
                return
            fresh = path.with_suffix(".new")
            remove_files(fresh)
            # 0600 whatever the umask, for a folder's mode is lost when a file is copied out of it
            os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            file = File(fresh, [key], create=True)
            try:
                self._upgrade(file, account, fresh=True)
            finally:
                file.close()
            # the write-ahead log goes when the last connection closes it: what is renamed is the whole file
            fresh.replace(path)
            settle(path.parent)

    def close(self, account: str | None = None) -> None:
        """Close the file of an account, or all."""
        with self._lock:
            names = list(self._files) if account is None else [account]
            closed = [file for name in names if (file := self._files.pop(name, None))]
        for file in closed:
            file.close()

    def count(self) -> int:
        """How many files are open now."""
        return len(self._files)

    def _find(self, account: str) -> File:
        file = self._get(account)
        if file is not None and file.is_same():
            return file
        with self._opening[hash(account) % len(self._opening)]:
            file = self._get(account)
            if file is None or not file.is_same():
                self.close(account)
                file = self._open(account)
                self._keep(account, file)
        return file

    def _get(self, account: str) -> File | None:
        with self._lock:
            file = self._files.get(account)
            if file is not None:
                self._files.move_to_end(account)
            return file

    def _keep(self, account: str, file: File) -> None:
        closed = []
        with self._lock:
            self._files[account] = file
            while len(self._files) > self._held:
                name = next(name for name in self._files if name not in (SERVICE, account))
                closed.append(self._files.pop(name))
        for old in closed:
            old.close()

    def _open(self, account: str) -> File:
        path = self.path(account)
        try:
            if not path.exists():
                raise StoreFailed(f"{_name(account)}: its file is gone, restore it from a backup")
            file = File(path, self._find_keys(account))
        except OSError as error:
            raise StoreFailed(f"{_name(account)} can't be opened: {(error.strerror or str(error)).lower()}") from None
        try:
            self._upgrade(file, account)
        except BaseException:
            file.close()
            raise
        file.settle()
        return file

    def _upgrade(self, file: File, account: str, *, fresh: bool = False) -> None:
        """Bring the file up to date; of two processes that race the second waits and finds nothing to do."""
        histories: tuple[migrate.History, ...] = ("control", "tenant") if account == SERVICE else ("tenant",)
        name = _name(account)
        with translated(name):
            with file.reader.begin() as connection:
                begin(connection, write=False)
                if not fresh and not migrate.has_begun(connection, histories[-1]):
                    # SQLite takes a file that was cut to nothing for a new database, whatever the key
                    raise StoreFailed(f"{name}: the file is damaged, its tables are gone, restore it from a backup")
                if all(migrate.is_current(connection, history, name) for history in histories):
                    return
            with file.writer.begin() as connection:
                begin(connection, write=True)
                for history in histories:
                    migrate.upgrade(connection, history, name, account)


def _begin_reading(connection: Connection, _account: str) -> None:
    begin(connection, write=False)


def _begin_writing(connection: Connection, _account: str) -> None:
    begin(connection, write=True)


def remove_files(path: Path) -> None:
    """Remove a database file and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def _name(account: str) -> str:
    return "the control database" if account == SERVICE else f"the store of `{account}`"
