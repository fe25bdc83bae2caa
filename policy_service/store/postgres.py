"""PostgreSQL: one database, shared tables, row level security, and a role that owns nothing."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, SessionTransaction

from policy_service.errors import Refused, StoreFailed
from policy_service.store import context
from policy_service.store.failures import translated
from policy_service.store.sessions import TenantSession

SCHEMA = "policy_service"
_OPTIONS = f"-c search_path={SCHEMA} -c idle_in_transaction_session_timeout=60000 -c lock_timeout=5000"
_PATIENCE = "-c statement_timeout=30000"

_PRIVILEGES = """
SELECT rolsuper, rolbypassrls, has_schema_privilege(current_user, %(schema)s, 'CREATE'),
  has_schema_privilege(current_user, %(schema)s, 'USAGE'),
  (SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname IN (%(schema)s, %(private)s) AND pg_has_role(current_user, relowner, 'MEMBER')),
  (SELECT count(*) FROM pg_namespace WHERE nspname IN (%(schema)s, %(private)s)
    AND pg_has_role(current_user, nspowner, 'MEMBER')),
  coalesce(has_schema_privilege(current_user, to_regnamespace(%(private)s), 'USAGE'), false)
FROM pg_roles WHERE rolname = current_user
"""
_UNPROTECTED = """
SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = %(schema)s AND relkind IN ('r', 'p') AND relname NOT LIKE 'alembic_version%%'
  AND NOT (relrowsecurity AND relforcerowsecurity)
"""
_NAMES = {"schema": SCHEMA, "private": f"{SCHEMA}_private"}


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
    return create_engine(
        url,
        connect_args={
            "connect_timeout": 5,
            "options": _OPTIONS if patient else f"{_OPTIONS} {_PATIENCE}",
            # a pooler may give each transaction another server, which knows no statement prepared before
            "prepare_threshold": None,
            "application_name": "policy-service",
        },
        pool_size=8,
        max_overflow=24,
        pool_timeout=5,
        json_serializer=lambda value: orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode(),
        json_deserializer=orjson.loads,
        hide_parameters=True,
    )


class Postgres:
    """Sessions on one database; each transaction begins with a context signed with what `find_key` gives."""

    def __init__(self, engine: Engine, find_key: Callable[[], bytes]) -> None:
        self._writer = engine
        self._reader = engine.execution_options(postgresql_readonly=True)
        self._find_key = find_key

    @contextlib.contextmanager
    def session(self, account: str, *, write: bool = False) -> Iterator[TenantSession]:
        """A session in the context of an account; committed at the end where it is to `write`."""
        with translated("the database"), TenantSession(self._writer if write else self._reader, account) as session:
            event.listen(session, "after_begin", self._sign)
            yield session
            if write:
                session.commit()

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold the lock of a name until the block ends; `StoreFailed` at once where another connection does."""
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        with translated("the database"):
            connection = self._writer.connect().execution_options(isolation_level="AUTOCOMMIT")
        # closed for good: a lock that is still held must not go back to the pool
        connection.detach()
        with contextlib.closing(connection):
            with translated("the database"):
                taken = connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (number,)).scalar()
            if not taken:
                raise StoreFailed(f"{name} is in use by another process, try again")
            yield

    def renew(self, session: Session) -> None:
        """Sign the context of a transaction anew: it is good for a minute, and some take longer."""
        assert isinstance(session, TenantSession)  # noqa: S101
        session.connection().exec_driver_sql(context.SET, (context.mint(self._find_key(), session.account),))

    def _sign(self, session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        assert isinstance(session, TenantSession)  # noqa: S101
        if not transaction.nested:
            connection.exec_driver_sql(context.SET, (context.mint(self._find_key(), session.account),))

    def close(self, account: str | None = None) -> None:
        """Close all connections; those of one account are not apart."""
        if account is None:
            self._writer.dispose()


def refuse_power(engine: Engine) -> None:
    """See that the role of `DATABASE_URL` can't go around row level security; else `Refused`."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql(_PRIVILEGES, _NAMES).one()
        superuser, bypass, create, usage, tables, schemas, private = found
        open_tables = connection.exec_driver_sql(_UNPROTECTED, _NAMES).scalars().all()
    if not usage:
        raise Refused("the role of DATABASE_URL may not use the tables, run `policy-service db upgrade`")
    powers = {
        "is a superuser": superuser,
        "bypasses row level security": bypass,
        "may create tables": create,
        "owns tables, or is a member of the role that does": tables or schemas,
        "may read the keys of tenants' contexts": private,
    }
    for power, held in powers.items():
        if held:
            raise Refused(f"the role of DATABASE_URL {power}: name another, which owns nothing")
    if open_tables:
        raise Refused(f"the table `{open_tables[0]}` has no row level security, run `policy-service db upgrade`")


def grant(connection: Connection, role: str) -> None:
    """What the run-time role may do, and nothing else; for the owner, after each upgrade."""
    name = connection.dialect.identifier_preparer.quote(role)
    for statement in (
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {name}",
        f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC",
        f"REVOKE ALL ON FUNCTION {SCHEMA}.current_account() FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {name}",
        f"GRANT EXECUTE ON FUNCTION {SCHEMA}.current_account() TO {name}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON entity, element, relationship, blind TO {name}",
        f"GRANT SELECT, INSERT ON trail_entry, trail_link, trail_head, data_key TO {name}",
        f"GRANT SELECT ON tenant, alembic_version_control, alembic_version_tenant TO {name}",
    ):
        connection.exec_driver_sql(statement)
