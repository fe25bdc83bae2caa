"""PostgreSQL: one database, shared tables, row level security, and a role that owns nothing."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from psycopg import IsolationLevel
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from policy_service.errors import Refused, StoreFailed
from policy_service.store import context
from policy_service.store.failures import translated
from policy_service.store.powers import SCHEMA
from policy_service.store.sessions import TenantSession
from policy_service.store.statements import Statements

_OPTIONS = f"-c search_path={SCHEMA},pg_temp -c idle_in_transaction_session_timeout=60000 -c lock_timeout=5000"
_PATIENCE = "-c statement_timeout=30000"


def read_url(text: str, variable: str) -> URL:
    """The URL for the driver; `Refused` where it is no URL of PostgreSQL. It is never repeated: it holds a secret."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise Refused(f"{variable} can't be read, write `postgresql://role:password@host/database`") from None
    if url.get_backend_name() != "postgresql":
        raise Refused(f"{variable} is no URL of PostgreSQL, write `postgresql://role:password@host/database`")
    return url.set(drivername="postgresql+psycopg")


def make_engine(url: URL, *, patient: bool = False) -> Engine:
    """The pool of connections; a statement that takes over 30 s is ended, but for a `patient` one."""
    engine = create_engine(
        url,
        connect_args={
            "connect_timeout": 5,
            # a network that swallows everything is noticed: by what is sent in 10 s, by a long statement in 60 s
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "options": _OPTIONS if patient else f"{_OPTIONS} {_PATIENCE}",
            # a pooler may give each transaction another server, which knows no statement prepared before
            "prepare_threshold": None,
            "application_name": "policy-service",
        },
        pool_size=8,
        max_overflow=24,
        pool_timeout=5,
        # what a statement that got in by injection set for its session does not stay for ever
        pool_recycle=600,
        json_serializer=lambda value: orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode(),
        json_deserializer=orjson.loads,
        hide_parameters=True,
    )
    event.listen(engine, "checkin", _forget_isolation)
    return engine.execution_options(compiled_cache=Statements())


def _forget_isolation(driver: Any, _: object) -> None:
    # who writes next has to see what the one became whom it waited for
    if driver is not None and driver.isolation_level is not None and not driver.closed:
        driver.isolation_level = None


class Postgres:
    """Sessions on one database; each transaction begins with a context signed with what `find_key` gives."""

    def __init__(self, engine: Engine, find_key: Callable[[], bytes]) -> None:
        self._engine = engine
        self._find_key = find_key

    @contextlib.contextmanager
    def session(self, account: str, *, write: bool = False) -> Iterator[TenantSession]:
        """A session in the context of an account; committed at the end where it is to `write`."""
        start = self._begin_writing if write else self._begin_reading
        with translated("the database"), TenantSession(self._engine, account, start) as session:
            session.info["write"] = write
            yield session
            if write:
                session.commit()

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold the lock of a name until the block ends; `StoreFailed` at once where another connection does."""
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        with translated("the database"):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # closed for good: a lock that is still held must not go back to the pool
        connection.detach()
        with contextlib.closing(connection):
            with translated("the database"):
                taken = connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (number,)).scalar()
            if not taken:
                raise StoreFailed(f"{name} is in use by another process, try again")
            try:
                yield
            finally:
                # the database learns only later that a connection was closed
                with contextlib.suppress(DBAPIError):
                    connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (number,))

    def renew(self, session: Session) -> None:
        """Sign the context of a transaction anew: it is good for a minute, and some take longer."""
        assert isinstance(session, TenantSession)  # noqa: S101
        session.connection().exec_driver_sql(context.SET, (context.mint(self._find_key(), session.account),))

    def _begin_reading(self, connection: Connection, account: str) -> None:
        # all of it is of one moment: what says how rows are to be read goes with the rows
        connection.connection.dbapi_connection.isolation_level = IsolationLevel.REPEATABLE_READ  # type: ignore[union-attr]
        self._begin(connection, account, "on")

    def _begin_writing(self, connection: Connection, account: str) -> None:
        self._begin(connection, account, "off")

    def _begin(self, connection: Connection, account: str, read_only: str) -> None:
        # straight to the driver: it is done for every transaction
        driver: Any = connection.connection.dbapi_connection
        driver.execute(context.BEGIN, (context.mint(self._find_key(), account), read_only))

    def close(self, account: str | None = None) -> None:
        """Close all connections; those of one account are not apart."""
        if account is None:
            self._engine.dispose()
