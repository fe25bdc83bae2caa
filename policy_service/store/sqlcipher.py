"""A SQLCipher file and its connections: one key, one tenant.

The key is raw (a passphrase would cost 80 ms an opening) and is set on the driver's connection before anything
else, so that it is in no URL and no statement that could be logged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine
from sqlcipher3 import dbapi2

from policy_service.errors import NoKey
from policy_service.store.authorizer import authorize
from policy_service.store.data_keys import DataKey
from policy_service.store.failures import explain
from policy_service.store.statements import Statements

BUSY_SECONDS = 5.0
# a statement of a reader that takes longer is ended, as on PostgreSQL; it is looked at each so many steps of SQLite, of
# which one may read a long text
STATEMENT_SECONDS = 30.0
_STEPS = 1_000
USE = "sqlcipher"

_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    # what was acknowledged survives power loss
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -4000",
    "PRAGMA trusted_schema = OFF",
)


class _Cursor(dbapi2.Cursor):
    """A cursor that notes when its statement began."""

    def execute(self, *given: Any) -> Any:
        connection: Any = self.connection
        connection.began = monotonic()
        return super().execute(*given)


class _Connection(dbapi2.Connection):
    """A connection that knows when its last statement began."""

    began = 0.0

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def limit(self) -> None:
        """End statements that take too long from now on."""
        self.set_progress_handler(lambda: monotonic() - self.began > STATEMENT_SECONDS, _STEPS)


def connect(path: Path, key: DataKey, *, create: bool = False) -> Any:
    """A connection of the driver; `NoKey` where the key does not open the file, which must exist but for `create`."""
    mode = "rwc" if create else "rw"
    try:
        connection = dbapi2.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_SECONDS,
            factory=_Connection,
        )
    except dbapi2.Error as error:
        raise explain(path.name, error) from None
    try:
        # else SQLCipher writes to standard error that a key was wrong, in its own words
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{key.derive(USE).hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if create:
            connection.execute("PRAGMA journal_mode = WAL")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException as error:
        connection.close()
        if isinstance(error, dbapi2.Error):
            raise explain(path.name, error) from None
        raise
    return connection


def begin(connection: Connection, *, write: bool) -> None:
    """Begin the transaction of a connection of a `File`: without this each statement would be one of its own."""
    # straight to the driver, and no events: what begins a transaction would take as long as what is read in it
    execute = connection.connection.dbapi_connection.execute  # type: ignore[union-attr]
    # a writer takes its lock at once: one that read first could not wait for another's
    execute("BEGIN IMMEDIATE" if write else "BEGIN")


class File:
    """An open file: `reader` and `writer` are pools of connections; `is_same` tells whether it was replaced since.

    They are apart because to turn a connection from one to the other would forget all that was prepared on it.
    """

    def __init__(self, path: Path, keys: Sequence[DataKey], *, create: bool = False) -> None:
        self.path = path
        self.key, first = _find_key(path, keys, create)
        status = os.stat(path)
        self._identity = status.st_dev, status.st_ino
        self._is_settled = False
        self._ready = [first]
        self.reader = _make_engine(lambda: self._connect(write=False), size=2)
        self.writer = _make_engine(lambda: self._connect(write=True), size=1)

    def _connect(self, *, write: bool) -> Any:
        try:
            connection = self._ready.pop()
        except IndexError:
            connection = connect(self.path, self.key)
        if not write:
            connection.execute("PRAGMA query_only = ON")
            connection.limit()
        connection.set_authorizer(self._authorize)
        return connection

    def settle(self) -> None:
        """From now on only rows are read and changed, no table."""
        self._is_settled = True

    def _authorize(self, action: int, *names: str | None) -> int:
        return authorize(action, *names) if self._is_settled else 0

    def is_same(self) -> bool:
        """Whether the file at the path is still the one that is open."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def close(self) -> None:
        """Close the connections that nobody uses now; those in use are closed when they are given back."""
        self.reader.dispose()
        self.writer.dispose()
        while self._ready:
            self._ready.pop().close()


def _find_key(path: Path, keys: Sequence[DataKey], create: bool) -> tuple[DataKey, Any]:
    """The first key that opens the file, and the connection."""
    refusal: NoKey | None = None
    for key in keys:
        try:
            return key, connect(path, key, create=create)
        except NoKey as error:
            refusal = error
    raise refusal or NoKey(f"{path.name} can't be opened: there is no key for it")


# a statement is compiled once for all files: the dialect and what was compiled for it belong to this engine
_PATTERN = create_engine(
    "sqlite://",
    module=dbapi2,
    poolclass=NullPool,
    json_serializer=lambda value: orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode(),
    json_deserializer=orjson.loads,
)
_PATTERN.connect().close()  # the dialect learns what its SQLite can
_COMPILED = Statements()


def _make_engine(creator: Callable[[], Any], size: int) -> Engine:
    pool = QueuePool(creator, pool_size=size, max_overflow=30, timeout=BUSY_SECONDS, dialect=_PATTERN.dialect)
    engine = Engine(pool, _PATTERN.dialect, _PATTERN.url, hide_parameters=True)
    return engine.execution_options(compiled_cache=_COMPILED)
