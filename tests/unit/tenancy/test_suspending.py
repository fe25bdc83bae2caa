"""Tenants shut and opened again."""

from __future__ import annotations

import pytest

from policy_service.errors import Conflict, NoStore, UnknownTenant
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.lives import set_state
from policy_service.tenancy.suspending import resume, suspend
from tests.stores import create_store
from tests.unit.tenancy.estates import acts


def test_a_suspended_tenant_has_no_open_store_and_keeps_its_data(owner: Store) -> None:
    create_store(owner, "acme")
    create_store(owner, "globex")
    assert suspend(owner, "acme")
    assert owner.state("acme") is State.SUSPENDED
    with pytest.raises(NoStore), owner.session("acme"):
        pass
    with owner.session("globex"):
        pass
    assert resume(owner, "acme")
    with owner.session("acme"):
        pass
    assert [action for action, _ in acts(owner)] == ["suspend", "resume"]


def test_what_is_so_already_is_not_told_twice(owner: Store) -> None:
    create_store(owner, "acme")
    assert not resume(owner, "acme")
    assert suspend(owner, "acme")
    assert not suspend(owner, "acme")
    assert [action for action, _ in acts(owner)] == ["suspend"]


@pytest.mark.parametrize("state", [State.CREATING, State.ERASING, State.ERASED])
def test_one_without_data_stays_as_it_is(owner: Store, state: State) -> None:
    set_state(owner, "acme", state)
    for act in (suspend, resume):
        with pytest.raises(Conflict, match=f"`acme` is {state}"):
            act(owner, "acme")
    assert owner.look("acme") is state


def test_one_that_was_never_made_is_unknown(owner: Store) -> None:
    with pytest.raises(UnknownTenant, match="policy-service key revoke acme"):
        suspend(owner, "acme")
