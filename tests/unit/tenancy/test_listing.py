"""Folders and stores as one list."""

from __future__ import annotations

import pytest

from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.lives import set_state
from policy_service.tenancy import listing
from policy_service.tenancy.erasing import erase
from policy_service.tenancy.listing import Listed, list_all
from policy_service.tenancy.suspending import suspend
from tests.stores import create_store
from tests.unit.tenancy.estates import Estate


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_PAGE", 2)


def test_every_folder_and_every_store_is_there_once(estate: Estate, owner: Store) -> None:
    for name in ("a", "c", "e"):
        estate.write(name, "tenant.yaml", "name: T\n")
    for name in ("b", "c", "d", "e"):
        create_store(owner, name)
    suspend(owner, "d")
    erase(estate.settings, owner, "e")
    set_state(owner, "f", State.CREATING)
    found = list(list_all(estate.settings, owner))
    assert [(listed.name, listed.folder, listed.state) for listed in found] == [
        ("a", True, None),
        ("b", False, State.ACTIVE),
        ("c", True, State.ACTIVE),
        ("d", False, State.SUSPENDED),
        ("e", True, State.ERASED),
        ("f", False, State.CREATING),
    ]
    assert [listed.since is None for listed in found] == [True, False, False, False, False, False]


def test_what_is_counted_is_what_is_there(estate: Estate, owner: Store) -> None:
    estate.furnish(owner, "acme")
    estate.write("files", "tenant.yaml", "name: T\n")
    set_state(owner, "begun", State.CREATING)
    counted = {listed.name: listed.counts for listed in list_all(estate.settings, owner, counts=True)}
    assert counted == {"acme": (2, 1), "begun": None, "files": None}


def test_without_a_store_the_folders_are_all(estate: Estate) -> None:
    estate.write("acme", "tenant.yaml", "name: T\n")
    assert list(list_all(estate.settings, None, counts=True)) == [Listed("acme", True)]
