"""How a process opens the store: files in the data folder, or PostgreSQL where `DATABASE_URL` names one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sqlalchemy import Engine

from policy_service import config
from policy_service.config import Settings
from policy_service.errors import NoKey, Refused, StoreFailed
from policy_service.store import context, migrate, postgres, powers
from policy_service.store.control import KeyRow, KeyState
from policy_service.store.data_keys import DataKey, DataKeys
from policy_service.store.door import Store
from policy_service.store.failures import translated
from policy_service.store.files import Files
from policy_service.store.gates import Gate
from policy_service.store.key_tables import KeyFile, KeyTables, ServiceKeyTable
from policy_service.store.keyring import open_keyring
from policy_service.store.postgres import Postgres
from policy_service.store.tables import SERVICE

_LIKELIEST = {KeyState.ACTIVE: 0, KeyState.PENDING: 1, KeyState.OLD: 2}


def open_store(settings: Settings) -> Store:
    """The store for a process that answers requests: as the role that owns nothing.

    On files, a first start makes the keyring and the control database. `NoKey` where the keyring is missing or not the
    one that this store was made with, `Refused` where PostgreSQL is not as it has to be, `StoreFailed` where it can't
    be reached.
    """
    if not settings.database_url:
        return _open_files(settings)
    engine = postgres.make_engine(postgres.read_url(settings.database_url, "DATABASE_URL"))
    return _open_postgresql(settings, engine, powers.refuse_power)


def is_made(settings: Settings) -> bool:
    """Whether there is a store to open: `open_store` makes one where there is none, and a look is no reason to."""
    return bool(settings.database_url) or (settings.data / "store").exists()


def open_admin_store(settings: Settings) -> Store:
    """The store for a command that changes a tenant's life: on PostgreSQL as the role of `DATABASE_ADMIN_URL`."""
    if not settings.database_url:
        return _open_files(settings)
    return _open_postgresql(settings, open_admin_engine())


def open_admin_engine() -> Engine:
    """PostgreSQL as the owner of the tables; `Refused` where `DATABASE_ADMIN_URL` is not given."""
    url = config.read_admin_url()
    if not url:
        raise Refused("this is done as the owner of the tables, name its role with DATABASE_ADMIN_URL")
    return postgres.make_engine(postgres.read_url(url, "DATABASE_ADMIN_URL"), patient=True)


def require_current(engine: Engine) -> None:
    """See that the tables are those that this program knows; else `Refused`."""
    with engine.connect() as connection:
        for history in ("control", "tenant"):
            if not migrate.is_current(connection, history, "the database"):
                raise Refused("the database lacks tables of this version, run `policy-service db upgrade`")


def _open_files(settings: Settings) -> Store:
    folder = settings.data / "store"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # a restrictive mode may have been lost by a copy
        os.chmod(folder, 0o700)
        (folder / "tenants").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreFailed(f"{folder} can't be used: {(error.strerror or str(error)).lower()}") from None
    with Gate(folder / "opening.lock", "the store").alone():
        own = KeyFile(folder / "service.json")
        # there from before the first file to after the last: without it, a first start that was killed and a store
        # that lost its control database would look the same
        mark = folder / "beginning"
        is_new = _see_parts(folder, own.read(SERVICE), mark.exists())
        if is_new:
            mark.touch(mode=0o600)
        keyring = open_keyring(settings, create=is_new)

        def find_keys(account: str) -> Sequence[DataKey]:
            keys.forget(account)
            return file_keys(keys.all(account))

        files = Files(folder, settings.stores, find_keys)
        table = KeyTables(own, files.control)
        keys = DataKeys(table, keyring)
        files.create(SERVICE, keys.active(SERVICE))
        store = Store("sqlite", files, keys, table)
        store.look(SERVICE)
        mark.unlink(missing_ok=True)
    return store


def file_keys(rows: Iterable[tuple[KeyRow, DataKey]]) -> list[DataKey]:
    """The keys by which the file of an account is opened and written: the active one, then the pending one.

    No old one: whoever knows a key that leaked, and was changed for that, could put a file of his own there.
    """
    return order_keys((row, key) for row, key in rows if row.state is not KeyState.OLD)


def order_keys(rows: Iterable[tuple[KeyRow, DataKey]]) -> list[DataKey]:
    """The keys of an account, the one that is likeliest to open its file first."""
    return [key for row, key in sorted(rows, key=lambda held: (_LIKELIEST[held[0].state], -held[0].version))]


def _see_parts(folder: Path, own: Sequence[KeyRow], is_beginning: bool) -> bool:
    """Whether a store is to be made here; refuse one of which a part is gone: it would look like an empty one."""
    control = folder / "control.db"
    if control.exists():
        if not own:
            raise NoKey(f"{folder / 'service.json'} is gone, restore it: without it the store can't be opened")
        return False
    if any((folder / "tenants").glob("*.db")) or (own and not is_beginning):
        raise StoreFailed(f"{control} is gone, restore it from a backup: it holds the keys of the tenants")
    return not own


def _open_postgresql(settings: Settings, engine: Engine, *checks: Callable[[Engine], None]) -> Store:
    """The store on an engine that passes the checks, the tables' version last; one that fails is closed."""
    try:
        with translated("the database"):
            for check in (*checks, require_current):
                check(engine)
        return _wire_postgresql(settings, engine)
    except BaseException:
        engine.dispose()
        raise


def _wire_postgresql(settings: Settings, engine: Engine) -> Store:
    own = ServiceKeyTable(engine)
    if not own.read(SERVICE):
        raise Refused("the database has no key of the service, run `policy-service db upgrade`")
    databases = Postgres(engine, lambda: keys.active(SERVICE).derive(context.USE))
    table = KeyTables(own, databases.session)
    keys = DataKeys(table, open_keyring(settings))
    store = Store("postgresql", databases, keys, table)
    store.look(SERVICE)
    return store
