"""Tenants made: folder, key, store; alone; anew after a kill or an erasure."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from policy_service.errors import Conflict, NoStore, Refused, StoreFailed
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.lives import alone, begin_store
from policy_service.store.tables import EntityRow
from policy_service.tenancy.creating import create
from policy_service.tenancy.erasing import erase
from policy_service.tenancy.suspending import suspend
from tests.unit.tenancy.estates import Estate, acts

ROW = {
    "id": "1",
    "type": "host",
    "key": "k",
    "source": "s",
    "scope": "",
    "properties": {},
    "tags": {},
    "version": 1,
    "created_on": 1,
    "begin_on": 1,
    "deleted": False,
    "classes": ["Host"],
}


def fill(store: Store, tenant: str) -> None:
    with store.databases.session(tenant, write=True) as session:
        session.execute(insert(EntityRow), [{"account_id": tenant, **ROW}])


def keys(store: Store, tenant: str) -> list[str]:
    with store.session(tenant) as session:
        return list(session.scalars(select(EntityRow.key)))


def test_a_tenant_gets_a_folder_a_key_and_a_store(estate: Estate, owner: Store) -> None:
    assert create(estate.settings, owner, "acme")
    assert (estate.settings.tenants / "acme" / "tenant.yaml").read_text() == 'name: "acme"\n'
    assert estate.bundle("acme").tenant == "acme"
    assert owner.state("acme") is State.ACTIVE
    assert owner.keys.active("acme").version == 1
    assert keys(owner, "acme") == []


def test_both_trails_tell_it_once(estate: Estate, owner: Store) -> None:
    create(estate.settings, owner, "acme")
    for account in ("@service", "acme"):
        ((action, detail),) = acts(owner, account)
        assert (action, set(detail)) == ("create", {"user"})


def test_a_folder_that_is_there_is_left(estate: Estate, owner: Store) -> None:
    estate.write("acme", "tenant.yaml", "name: Mine\n")
    assert not create(estate.settings, owner, "acme")
    assert (estate.settings.tenants / "acme" / "tenant.yaml").read_text() == "name: Mine\n"


@pytest.mark.parametrize("shut", [False, True])
def test_one_that_has_a_store_is_not_made_again(estate: Estate, owner: Store, shut: bool) -> None:
    create(estate.settings, owner, "acme")
    fill(owner, "acme")
    if shut:
        suspend(owner, "acme")
    with pytest.raises(Conflict, match="`acme` has a store already"):
        create(estate.settings, owner, "acme")
    assert owner.look("acme") is (State.SUSPENDED if shut else State.ACTIVE)


@pytest.mark.parametrize("name", ["", "..", "a/b", "-a", "A", "a" * 64, "@service"])
def test_a_name_that_no_tenant_has_makes_nothing(estate: Estate, owner: Store, name: str) -> None:
    with pytest.raises(Refused, match="is no tenant's name"):
        create(estate.settings, owner, name)
    assert list(estate.settings.tenants.iterdir()) == []


def test_two_at_once_are_one(estate: Estate, owner: Store) -> None:
    with estate.owner() as other, alone(other, "acme"):
        with pytest.raises(StoreFailed, match="the tenant `acme` is in use by another process"):
            create(estate.settings, owner, "acme")
        create(estate.settings, owner, "globex")
    create(estate.settings, owner, "acme")


def test_what_a_killed_run_left_never_counts(estate: Estate, owner: Store) -> None:
    begin_store(owner, "acme")
    fill(owner, "acme")
    with pytest.raises(NoStore):
        keys(owner, "acme")
    create(estate.settings, owner, "acme")
    assert keys(owner, "acme") == []
    assert len(acts(owner, "acme")) == 1


def test_a_key_that_seals_the_log_already_is_kept(estate: Estate, owner: Store) -> None:
    secret = owner.keys.active("acme").derive("log")
    create(estate.settings, owner, "acme")
    assert owner.keys.active("acme").derive("log") == secret


def test_an_erased_one_is_made_anew_with_another_key(estate: Estate, owner: Store) -> None:
    create(estate.settings, owner, "acme")
    fill(owner, "acme")
    secret = owner.keys.active("acme").derive("log")
    erase(estate.settings, owner, "acme")
    assert not create(estate.settings, owner, "acme")
    assert keys(owner, "acme") == []
    assert owner.keys.active("acme").derive("log") != secret


def test_a_new_store_uses_no_version_of_a_key_that_another_used(owner: Store) -> None:
    assert begin_store(owner, "acme", above=7).version == 8
    assert owner.keys.active("acme").version == 8
