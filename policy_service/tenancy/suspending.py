"""`tenant suspend` and `tenant resume`: the keys of a suspended tenant answer as wrong ones, its data stay."""

from __future__ import annotations

from policy_service.errors import Conflict, UnknownTenant
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.lives import alone, put_state
from policy_service.store.tables import SERVICE
from policy_service.tenancy.acts import record, require_name, seal_trails


def suspend(store: Store, tenant: str) -> bool:
    """Shut a tenant; false where it was already. Every worker sees it within a second or two."""
    return _move(store, tenant, State.ACTIVE, State.SUSPENDED, "suspend")


def resume(store: Store, tenant: str) -> bool:
    """Open a suspended tenant again; false where it was open."""
    return _move(store, tenant, State.SUSPENDED, State.ACTIVE, "resume")


def _move(store: Store, tenant: str, old: State, new: State, action: str) -> bool:
    require_name(tenant)
    if store.look(tenant) is None:
        raise UnknownTenant(
            f"the tenant `{tenant}` has no store that could be shut, "
            f"take its keys back with `policy-service key revoke {tenant}`"
        )
    with alone(store, tenant):
        state = store.look(tenant)
        if state is new:
            return False
        if state is not old:
            raise Conflict(f"the tenant `{tenant}` is {state}, only one that is {old} can be {new}")
        with store.databases.session(SERVICE, write=True) as session:
            put_state(session, tenant, new)
            record(session, action, tenant)
        store.forget(tenant)
    seal_trails(store, SERVICE)
    return True
