"""`tenant create`: a folder with `tenant.yaml` where there is none, then key and store."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from policy_service.config import Settings
from policy_service.errors import Conflict, Refused
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.lives import alone, begin_store, put_state
from policy_service.store.tables import SERVICE
from policy_service.tenancy.acts import record, require_name, seal_trails

SETTINGS = "tenant.yaml"


def create(settings: Settings, store: Store, tenant: str) -> bool:
    """Make a tenant, and say whether its folder had no `tenant.yaml`. What a killed run began is finished.

    `Conflict` where it has a store, or is being erased; `Refused` where it can't have this name, or its folder can't
    be written.
    """
    require_name(tenant)
    with alone(store, tenant):
        if store.look(tenant) in (State.ACTIVE, State.SUSPENDED):
            raise Conflict(f"the tenant `{tenant}` has a store already")
        fresh = write_settings(settings.tenants, tenant)
        begin_store(store, tenant)
        with store.databases.session(tenant, write=True) as session:
            record(session, "create", tenant)
        open_up(store, tenant, "create")
    seal_trails(store, SERVICE, tenant)
    return fresh


def open_up(store: Store, tenant: str, action: str, **detail: object) -> None:
    """Let a store that was begun count, and write in the service's trail by which act."""
    with store.databases.session(SERVICE, write=True) as session:
        put_state(session, tenant, State.ACTIVE)
        record(session, action, tenant, **detail)
    store.forget(tenant)


def write_settings(tenants: Path, tenant: str) -> bool:
    """Write `tenant.yaml` where there is none, whole or not at all; whether it was missing."""
    path = tenants / tenant / SETTINGS
    if path.exists():
        return False
    fresh = path.with_name(f".{SETTINGS}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.write_text(f'name: "{tenant}"\n', encoding="utf-8")
            # never over what somebody wrote meanwhile
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(f"{path} can't be written: {(error.strerror or str(error)).lower()}") from None
    return True
