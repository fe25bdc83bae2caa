"""Tenants erased: nothing of them is left but a receipt."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from policy_service.audit.trail_pages import read_last_head
from policy_service.errors import Conflict, NoKey, NoStore, Unauthenticated, UnknownTenant
from policy_service.identity import keys
from policy_service.store.control import DataKeyRow, State
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.lives import set_state
from policy_service.store.sealing import seal, unseal
from policy_service.store.tables import SERVICE, Base
from policy_service.tenancy import erasing
from policy_service.tenancy.creating import create
from policy_service.tenancy.erasing import erase
from policy_service.tenancy.suspending import suspend
from tests.stores import create_store
from tests.unit.tenancy.estates import Estate, acts


def count_rows(store: Store, tenant: str) -> int:
    """How many rows of the tenant there are in any table, keys included."""
    with store.databases.session(SERVICE) as session:
        found = session.scalar(select(func.count()).where(DataKeyRow.account_id == tenant)) or 0
    if isinstance(store.databases, Files):
        return found + len([path for path in files_of(store, tenant) if path.suffix == ".db"])
    with store.databases.session(tenant) as session:
        for table in Base.metadata.sorted_tables:
            found += session.scalar(select(func.count()).select_from(table)) or 0
    return found


def files_of(store: Store, tenant: str) -> list[Path]:
    assert isinstance(store.databases, Files)
    return list(store.databases.path(tenant).parent.glob(f"{tenant}.*"))


def test_nothing_is_left_but_a_receipt(estate: Estate, owner: Store) -> None:
    estate.furnish(owner, "acme")
    bundles = estate.settings.data / "bundles" / "acme"
    bundles.mkdir(parents=True)
    (bundles / "pointer.json").write_text("{}")
    sealed = seal(owner.keys.active("acme"), "log", b"a body of the log")
    with owner.session("acme") as session:
        head = read_last_head(session, "acme")
    held = erase(estate.settings, owner, "acme")
    assert count_rows(owner, "acme") == 0
    assert not bundles.exists()
    assert owner.state("acme") is State.ERASED
    with pytest.raises(NoStore), owner.session("acme"):
        pass
    with pytest.raises(NoKey, match="gone"):
        unseal(owner.keys.version("acme", 1), "log", sealed)
    assert held is not None
    assert head is not None
    assert (held["entities"], held["relationships"], held["trail"], held["keys"]) == (3, 1, 9, 1)
    assert held["head"]["seq"] > head.seq  # what was not sealed yet was, before it went
    told = acts(owner)
    assert [action for action, _ in told] == ["create", "erase", "erased"]
    assert {name: value for name, value in told[-1][1].items() if name != "user"} == held
    assert told[-1][1]["user"]


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_api_keys_end_with_the_tenant(estate: Estate, owner: Store, broken: bool) -> None:
    create(estate.settings, owner, "acme")
    token, _ = keys.create(estate.settings.tenants, "acme", now=time.time())
    file = estate.settings.tenants / "acme" / "keys.yaml"
    if broken:
        file.write_text("keys: 7\n")
    erase(estate.settings, owner, "acme")
    create(estate.settings, owner, "acme")
    with pytest.raises(Unauthenticated):
        keys.KeyRing(estate.settings.tenants).find(token, now=time.time())
    assert keys.entries(estate.settings.tenants, "acme") == ()


def test_nothing_can_be_sealed_for_an_erased_tenant(estate: Estate, owner: Store) -> None:
    create(estate.settings, owner, "acme")
    erase(estate.settings, owner, "acme")
    with pytest.raises(NoStore, match="was erased"):
        owner.keys.active("acme")


def test_others_lose_nothing(estate: Estate, owner: Store) -> None:
    estate.furnish(owner, "globex")
    estate.furnish(owner, "acme")
    before = count_rows(owner, "globex")
    erase(estate.settings, owner, "acme")
    assert count_rows(owner, "globex") == before > 0
    with owner.session("globex"):
        pass


@pytest.mark.parametrize("step", ["drop_store", "_drop_bundles", "scrub", "record"])
def test_what_stopped_on_the_way_is_finished_by_the_next(
    estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    estate.furnish(owner, "acme")
    real = getattr(erasing, step)

    def stop(*args: object, **given: object) -> None:
        if step != "record" or args[1] == erasing.RECEIPT:
            raise KeyboardInterrupt
        real(*args, **given)

    with monkeypatch.context() as patched:
        patched.setattr(erasing, step, stop)
        with pytest.raises(KeyboardInterrupt):
            erase(estate.settings, owner, "acme")
    assert owner.look("acme") is State.ERASING
    with pytest.raises(Conflict, match="policy-service tenant erase acme"):
        create(estate.settings, owner, "acme")
    held = erase(estate.settings, owner, "acme")
    assert held is not None
    assert (held["entities"], held["trail"]) == (3, 9)
    assert count_rows(owner, "acme") == 0
    assert [action for action, _ in acts(owner)] == ["create", "erase", "erased"]


def test_twice_is_once(estate: Estate, owner: Store) -> None:
    create(estate.settings, owner, "acme")
    assert erase(estate.settings, owner, "acme")
    (estate.settings.data / "bundles" / "acme").mkdir(parents=True)  # a worker was about to write it
    assert erase(estate.settings, owner, "acme") is None
    assert not (estate.settings.data / "bundles" / "acme").exists()
    assert [action for action, _ in acts(owner)] == ["create", "erase", "erased"]


def test_a_suspended_one_goes_too(estate: Estate, owner: Store) -> None:
    create(estate.settings, owner, "acme")
    suspend(owner, "acme")
    held = erase(estate.settings, owner, "acme")
    assert held is not None
    assert (held["trail"], held["head"]["seq"]) == (1, 1)


def test_one_with_files_only_loses_its_keys_and_its_name(estate: Estate, owner: Store) -> None:
    estate.write("files", "tenant.yaml", "name: F\n")
    owner.keys.active("files")
    held = erase(estate.settings, owner, "files")
    assert held is not None
    assert (held["keys"], held["entities"]) == (1, None)
    assert owner.look("files") is State.ERASED
    assert count_rows(owner, "files") == 0
    assert (estate.settings.tenants / "files" / "tenant.yaml").exists()


def test_what_nobody_knows_is_not_erased(estate: Estate, owner: Store) -> None:
    with pytest.raises(UnknownTenant, match="no tenant `nobody`"):
        erase(estate.settings, owner, "nobody")
    assert owner.look("nobody") is None
    assert acts(owner) == []


@pytest.mark.parametrize("state", [State.CREATING, State.ACTIVE])
def test_one_that_nobody_can_read_goes_all_the_same(estate: Estate, owner: Store, state: State) -> None:
    create_store(owner, "acme")
    set_state(owner, "acme", state)
    if isinstance(owner.databases, Files):
        owner.databases.path("acme").write_bytes(b"no database" * 500)
    held = erase(estate.settings, owner, "acme")
    assert held is not None
    assert owner.look("acme") is State.ERASED
    assert count_rows(owner, "acme") == 0


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_of_a_file_nothing_stays(estate: Estate, owner: Store) -> None:
    estate.furnish(owner, "acme")
    erase(estate.settings, owner, "acme")
    assert {path.suffix for path in files_of(owner, "acme")} <= {".lock", ".life"}


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_the_log_of_the_control_database_is_emptied_before_the_receipt(
    estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(estate.settings, owner, "acme")
    sizes = []
    real = erasing.scrub

    def look(store: Store) -> None:
        wal = estate.settings.data / "store" / "control.db-wal"
        sizes.append(wal.stat().st_size)
        real(store)
        sizes.append(wal.stat().st_size if wal.exists() else 0)

    monkeypatch.setattr(erasing, "scrub", look)
    erase(estate.settings, owner, "acme")
    assert sizes[0] > 0
    assert sizes[1] == 0


def test_a_receipt_is_found_for_its_own_tenant(estate: Estate, owner: Store) -> None:
    for name in ("acme", "acme-2"):
        create(estate.settings, owner, name)
    estate.import_(owner, "acme-2", estate.write_lines(json.loads('{"_key":"a","_type":"t","_class":"C"}')))
    for name in ("acme-2", "acme"):
        set_state(owner, name, State.ACTIVE)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(erasing, "drop_store", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                erase(estate.settings, owner, name)
    counts = [erase(estate.settings, owner, name) for name in ("acme", "acme-2")]
    assert [held["entities"] if held else None for held in counts] == [0, 1]
