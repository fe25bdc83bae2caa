"""Whether the databases are as this program knows them, without changing any."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from policy_service.errors import NoKey, Refused, StoreFailed
from policy_service.store import migrate
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.opening import file_keys
from policy_service.store.sqlcipher import File, begin
from policy_service.store.upgrading import list_tenants


class Standing(StrEnum):
    """How the tables of a database stand to those that this program knows."""

    CURRENT = "up to date"
    BEHIND = "to be upgraded"
    NEWER = "made by a newer version"
    BROKEN = "can't be opened"


class Database(NamedTuple):
    """A database: the tenant's whose it is, empty for the one of all; `why` says what is wrong with it."""

    tenant: str
    standing: Standing
    why: str = ""


def look_over(store: Store, report: Callable[[int, int], None]) -> list[Database]:
    """Those databases that are not up to date; of files each is opened, and none upgraded."""
    if not isinstance(store.databases, Files):
        # one that is not up to date is not opened at all
        return []
    tenants = list_tenants(store)
    found = []
    for done, tenant in enumerate(tenants, 1):
        database = _look(store, store.databases, tenant)
        if database.standing is not Standing.CURRENT:
            found.append(database)
        report(done, len(tenants))
    return found


def _look(store: Store, files: Files, tenant: str) -> Database:
    name = f"the store of `{tenant}`"
    try:
        with files.gate(tenant).shared():
            path = files.path(tenant)
            if not path.exists():
                return Database(tenant, Standing.BROKEN, f"{path} is gone, restore it from a backup")
            file = File(path, file_keys(store.keys.all(tenant)))
            try:
                with file.reader.begin() as connection:
                    begin(connection, write=False)
                    current = migrate.is_current(connection, "tenant", name)
            finally:
                file.close()
    except Refused as error:
        return Database(tenant, Standing.NEWER, str(error))
    except (NoKey, StoreFailed) as error:
        return Database(tenant, Standing.BROKEN, str(error))
    return Database(tenant, Standing.CURRENT if current else Standing.BEHIND)
