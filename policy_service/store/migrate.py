"""Migrations: two histories, `control` (the service's own tables) and `tenant`, each a folder of Alembic revisions.

A file holds one tenant and is brought up to date in one transaction when it is first opened; in PostgreSQL the
owner does it, by `policy-service db upgrade`. What a newer program made is not touched.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from policy_service.errors import Refused

History = Literal["control", "tenant"]
_FOLDER = Path(__file__).parent / "migrations"


@cache
def _script(history: History) -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER / history))


def head(history: History) -> str:
    """The revision that this program knows as the newest."""
    return str(_script(history).get_current_head())


def is_current(connection: Connection, history: History, name: str) -> bool:
    """Whether nothing is to be done; `Refused` where a newer program was here. `name` is what a sentence calls it."""
    revision = _read_revision(connection, history)
    if revision is None or revision == head(history):
        return revision is not None
    if revision not in {known.revision for known in _script(history).walk_revisions()}:
        raise Refused(f"{name} was made by a newer version of this program (`{revision}`), install that one")
    return False


def has_begun(connection: Connection, history: History) -> bool:
    """Whether there is anything of it: a store that was made has at least its first tables."""
    return _read_revision(connection, history) is not None


def _read_revision(connection: Connection, history: History) -> str | None:
    table = f"alembic_version_{history}"
    if connection.dialect.name == "sqlite":
        # a file is opened often: Alembic's own look takes longer than all the rest
        found = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = ?", (table,)).scalar()
        text = f"SELECT version_num FROM {table}"  # noqa: S608  a name of our own
        return connection.exec_driver_sql(text).scalar() if found else None
    return _context(connection, history).get_current_revision()


def upgrade(connection: Connection, history: History, name: str, account: str = "") -> None:
    """Run what is missing, in the transaction that is open; `account` is the one whose rows a file may hold."""
    if is_current(connection, history, name):
        return
    script = _script(history)

    def steps(revision: Any, _: MigrationContext) -> Any:
        return script._upgrade_revs("head", revision)

    context = _context(connection, history, fn=steps, account=account)
    with Operations.context(context):
        context.run_migrations()


def _context(connection: Connection, history: History, **options: Any) -> MigrationContext:
    return MigrationContext.configure(
        connection, opts={"version_table": f"alembic_version_{history}", "transactional_ddl": True, **options}
    )
