"""What databases complain about, in the service's words: closed, a clear sentence, and nothing of the statement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlcipher3 import dbapi2

from policy_service.errors import NoKey, StoreFailed

_SQLITE = (
    ("file is not a database", "its key is wrong, or the file is damaged"),
    ("disk is full", "the disk is full, make room"),
    ("disk i/o error", "the disk can't be read or written"),
    ("malformed", "the file is damaged, restore it"),
    ("database is locked", "another process writes, try again"),
    ("interrupted", "it took too long, ask for less"),
    ("unable to open database file", "the file can't be opened"),
    ("readonly database", "the file can't be written, see to its folder"),
)
_POSTGRESQL = {
    "08": "the database can't be reached",
    "53": "the database has no room or no connections left",
    "55": "another process has it, try again",
    "57": "the database is stopping or took too long, try again",
    "40": "two changes met, try again",
    "42501": "the role may not do this, see `policy-service db upgrade`",
    "58": "the database's disk can't be read or written",
}


@contextlib.contextmanager
def translated(name: str) -> Iterator[None]:
    """Errors of the database as `StoreFailed` or `NoKey`; broken constraints pass, who wrote the row knows why."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise explain(name, error.orig or error) from error
    except PoolTimeoutError as error:
        raise StoreFailed(f"{name} has no connection free, try again") from error
    except (dbapi2.Error, dbapi2.Warning, psycopg.Error) as error:
        raise explain(name, error) from error
    except SQLAlchemyError as error:
        raise StoreFailed(f"{name} can't be used: {type(error).__name__}") from error


def explain(name: str, error: BaseException) -> StoreFailed | NoKey:
    """The error of a driver as ours."""
    text = str(error).lower()
    for part, why in _SQLITE:
        if part in text:
            return NoKey(f"{name} can't be opened: {why}") if "key" in why else StoreFailed(f"{name}: {why}")
    code = getattr(error, "sqlstate", None) or ""
    why = _POSTGRESQL.get(code) or _POSTGRESQL.get(code[:2]) or ""
    if not why and not code and isinstance(error, psycopg.OperationalError):
        # no code of the database: it was never reached, or let nobody in
        why = "no connection to it, see that it runs and that its URL has the right host, database, role and password"
    if not why and "tenant context" in text:
        why = "the tenant's context was refused, see that the clocks of service and database agree"
    return StoreFailed(f"{name}: {why or 'the database refused'}")
