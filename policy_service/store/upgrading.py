"""`policy-service db upgrade`: every schema brought up to date, and in PostgreSQL the roles' rights with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from sqlalchemy import Connection, Engine, func, select

from policy_service.config import Settings
from policy_service.errors import PolicyServiceError, Refused
from policy_service.store import context, migrate, postgres, powers
from policy_service.store.control import State, TenantRow
from policy_service.store.data_keys import DataKeys
from policy_service.store.door import Store
from policy_service.store.failures import translated
from policy_service.store.key_tables import KeyTables, ServiceKeyTable
from policy_service.store.keyring import open_keyring
from policy_service.store.opening import open_admin_engine, open_store
from policy_service.store.tables import SERVICE

Report = Callable[[int, int, str], None]  # how many are done, of how many, and which
# any number that no other program's advisory lock is likely to have
_LOCK = 0x706F6C696379


def upgrade(settings: Settings, report: Report) -> int:
    """Bring all schemas up to date, and say how many databases were looked at. Can be run again at any time."""
    if not settings.database_url:
        return _upgrade_files(settings, report)
    url = postgres.read_url(settings.database_url, "DATABASE_URL")
    if not url.username:
        raise Refused("DATABASE_URL names no role, write `postgresql://role:password@host/database`")
    engine = open_admin_engine()
    try:
        with translated("the database"):
            with _one_at_a_time(engine) as connection:
                _upgrade_database(connection)
            _install_service_key(settings, engine)
            with _one_at_a_time(engine) as connection:
                powers.grant(connection, url.username)
    finally:
        engine.dispose()
    report(1, 1, "the database")
    return 1


@contextlib.contextmanager
def _one_at_a_time(engine: Engine) -> Iterator[Connection]:
    """A transaction that waits for that of another upgrade: PostgreSQL changes no right in two at once."""
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield connection


def _upgrade_database(connection: Connection) -> None:
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {powers.SCHEMA}")
    for history in ("control", "tenant"):
        migrate.upgrade(connection, history, "the database")


def _install_service_key(settings: Settings, engine: Engine) -> None:
    own = ServiceKeyTable(engine)
    databases = postgres.Postgres(engine, lambda: b"")  # no context can be signed yet, and none is needed
    keyring = open_keyring(settings, create=not own.read(SERVICE))
    key = DataKeys(KeyTables(own, databases.session), keyring).active(SERVICE)
    with _one_at_a_time(engine) as connection:
        context.install_key(connection, key)


def _upgrade_files(settings: Settings, report: Report) -> int:
    store = open_store(settings)
    refused: list[str] = []
    try:
        tenants = list_tenants(store)
        report(0, len(tenants) + 1, "the control database")
        for done, tenant in enumerate(tenants, 1):
            try:
                with store.databases.session(tenant):
                    pass
                store.databases.close(tenant)
            except PolicyServiceError as error:  # one that is damaged keeps no other from being upgraded
                refused.append(str(error))
            report(done, len(tenants) + 1, tenant)
    finally:
        store.close()
    if refused:
        raise Refused(
            f"{len(refused):,} of {len(tenants):,} tenants' databases can't be upgraded, "
            f"see `policy-service db status`; the first: {refused[0]}"
        )
    return len(tenants) + 1


def list_tenants(store: Store, *states: State) -> list[str]:
    """The names of the tenants in one of the states, sorted; without any, those that have data: active or suspended."""
    wanted = states or (State.ACTIVE, State.SUSPENDED)
    with store.databases.session(SERVICE) as session:
        found = select(TenantRow.account_id).where(TenantRow.state.in_(wanted)).order_by(TenantRow.account_id)
        return list(session.scalars(found))


def count_states(store: Store) -> dict[str, int]:
    """How many tenants there are in each state that some are in."""
    with store.databases.session(SERVICE) as session:
        found = select(TenantRow.state, func.count()).group_by(TenantRow.state).order_by(TenantRow.state)
        return {row[0]: row[1] for row in session.execute(found)}
