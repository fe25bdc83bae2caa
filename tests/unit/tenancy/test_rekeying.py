"""Another data key for a tenant: everything is readable before, during and after, and the old key opens less."""

from __future__ import annotations

import base64

import pytest
from sqlalchemy import select

from policy_service.assets import entities
from policy_service.assets.inventory import open_inventory
from policy_service.audit.trail_check import verify
from policy_service.errors import NoKey, NoStore, StoreFailed
from policy_service.store import rekey as rekey_module
from policy_service.store.control import KeyState
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.opening import open_store
from policy_service.store.sealing import seal, sealed_version, unseal
from policy_service.store.sqlcipher import connect
from policy_service.store.tables import EntityRow, RelationshipRow
from policy_service.tenancy import rekeying, resealing
from policy_service.tenancy.rekeying import rekey
from policy_service.tenancy.suspending import suspend
from tests.unit.assets.inventories import find_equal
from tests.unit.tenancy.estates import LINES, Estate, acts


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekeying, "_SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(resealing, "PAGE", 1)


def run(store: Store, tenant: str = "acme") -> int:
    return rekey(store, tenant, lambda _: None, lambda *_: None)


def read_ssn(estate: Estate, store: Store) -> object:
    with store.session("acme") as session:
        inventory = open_inventory(store, session, estate.bundle("acme"))
        host = entities.find_by_key(inventory, "cmdb", "", "host-1")
        assert host is not None
        return host.properties["ssn"]


def sealed_by(store: Store) -> set[int]:
    with store.databases.session("acme") as session:
        rows = [row for table in (EntityRow, RelationshipRow) for row in session.scalars(select(table.sealed))]
    return {sealed_version(base64.b64decode(text)) for row in rows if row for text in row.values()}


def test_everything_is_there_by_another_key(estate: Estate, owner: Store) -> None:
    estate.furnish(owner, "acme")
    before = estate.export(owner, "acme", estate.root / "before.ndjson")
    body = seal(owner.keys.active("acme"), "log", b"body")
    assert run(owner) == 2
    assert owner.keys.active("acme").version == 2
    assert [(row.version, row.state) for row, _ in owner.keys.all("acme")] == [(2, KeyState.ACTIVE), (1, KeyState.OLD)]
    assert unseal(owner.keys.version("acme", 1), "log", body) == b"body"
    after = estate.export(owner, "acme", estate.root / "after.ndjson")
    for kind in ("entity", "relationship"):
        assert after["digests"][kind] == before["digests"][kind]
    assert verify(owner, "acme").problems == ()
    for account in ("@service", "acme"):
        assert ("rekey", 2) in [(action, detail.get("version")) for action, detail in acts(owner, account)]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_what_is_sealed_by_property_is_sealed_anew_and_found(estate: Estate, owner: Store) -> None:
    estate.furnish(owner, "acme")
    assert sealed_by(owner) == {1}
    run(owner)
    assert sealed_by(owner) == {2}
    assert read_ssn(estate, owner) == "078-05-1120"
    with owner.session("acme") as session:
        inventory = open_inventory(owner, session, estate.bundle("acme"))
        host = entities.find_by_key(inventory, "cmdb", "", "host-1")
        assert host is not None
        assert find_equal(inventory, "ssn", "078-05-1120") == [host.id]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_one_that_was_stopped_while_sealing_is_finished_with_the_same_key(
    estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.furnish(owner, "acme")
    estate.import_(owner, "acme", estate.write_lines({**LINES[1], "_key": "host-9"}))
    real, seen = resealing._seal_again, []

    def stop(*given: object) -> None:
        seen.append(given)
        if len(seen) == 2:
            raise KeyboardInterrupt
        real(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(resealing, "_seal_again", stop)
        with pytest.raises(KeyboardInterrupt):
            run(owner)
    assert sealed_by(owner) == {1, 2}
    assert read_ssn(estate, owner) == "078-05-1120"
    assert run(owner) == 2
    assert sealed_by(owner) == {2}


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_what_a_worker_sealed_by_the_old_key_meanwhile_is_sealed_anew(
    estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.furnish(owner, "acme")
    worker = open_store(estate.settings)
    try:
        old, active = worker.keys.active("acme"), worker.keys.active
        real, late = rekeying.reseal, []

        def reseal(*given: object) -> int:
            done = real(*given)  # type: ignore[arg-type]
            if not late:
                late.append(1)
                monkeypatch.setattr(worker.keys, "active", lambda name: old if name == "acme" else active(name))
                estate.import_(worker, "acme", estate.write_lines({**LINES[1], "_key": "late"}))
            return done

        monkeypatch.setattr(rekeying, "reseal", reseal)
        run(owner)
        assert late
        assert sealed_by(owner) == {2}
    finally:
        worker.close()


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
class TestFiles:
    """The embedded store: one key opens a whole file."""

    def test_the_old_key_opens_it_no_more(self, estate: Estate, owner: Store) -> None:
        estate.furnish(owner, "acme")
        assert isinstance(owner.databases, Files)
        path = owner.databases.path("acme")
        old = owner.keys.version("acme", 1)
        connect(path, old).close()
        run(owner)
        with pytest.raises(NoKey):
            connect(path, old)
        connect(path, owner.keys.version("acme", 2)).close()

    def test_a_worker_that_has_it_open_goes_on(self, estate: Estate, owner: Store) -> None:
        estate.furnish(owner, "acme")
        worker = open_store(estate.settings)
        try:
            assert read_ssn(estate, worker) == "078-05-1120"
            run(owner)
            assert read_ssn(estate, worker) == "078-05-1120"
            estate.import_(worker, "acme", estate.write_lines({**LINES[1], "ssn": "new"}))
            assert read_ssn(estate, owner) == "new"
        finally:
            worker.close()
        assert read_ssn(estate, owner) == "new"

    def test_a_file_that_someone_reads_is_left(
        self, estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        estate.furnish(owner, "acme")
        monkeypatch.setattr("policy_service.store.gates.Gate.alone.__wrapped__.__defaults__", (0.05,))
        with estate.owner() as other, other.session("acme"), pytest.raises(StoreFailed, match="in use"):
            run(owner)
        assert run(owner) == 2

    @pytest.mark.parametrize("step", ["_copy", "_change", "_verify"])
    def test_a_copy_that_fails_changes_nothing(
        self, estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        estate.furnish(owner, "acme")

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(rekey_module, step, fail)
            with pytest.raises(StoreFailed, match="no space left on device"):
                run(owner)
        assert owner.keys.active("acme").version == 1
        assert read_ssn(estate, owner) == "078-05-1120"
        assert not list((estate.settings.data / "store" / "tenants").glob("*.rekey*"))
        assert run(owner) == 2

    def test_a_copy_that_lost_something_does_not_take_the_place(
        self, estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        estate.furnish(owner, "acme")
        real = rekey_module._change

        def lose(fresh: object, held: object, key: object) -> None:
            real(fresh, held, key)  # type: ignore[arg-type]
            connection = connect(fresh, key)  # type: ignore[arg-type]
            connection.execute("DELETE FROM relationship")
            connection.close()

        monkeypatch.setattr(rekey_module, "_change", lose)
        with pytest.raises(StoreFailed, match="is not what it is to be"):
            run(owner)
        with owner.session("acme") as session:
            assert len(session.scalars(select(RelationshipRow.id)).all()) == 1

    def test_a_file_of_an_old_key_is_opened_by_another_rekey_alone(self, estate: Estate, owner: Store) -> None:
        estate.furnish(owner, "acme")
        path = estate.settings.data / "store" / "tenants" / "acme.db"
        owner.databases.close("acme")
        before = path.read_bytes()
        assert run(owner) == 2
        owner.databases.close("acme")
        path.with_name("copy").write_bytes(before)
        path.with_name("copy").replace(path)
        with pytest.raises(NoKey, match="its key is wrong"):
            read_ssn(estate, owner)
        assert run(owner) == 3
        assert read_ssn(estate, owner) == "078-05-1120"

    @pytest.mark.parametrize("step", ["_switch", "rekey_file"])
    def test_one_that_was_stopped_is_finished_with_the_same_key(
        self, estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        estate.furnish(owner, "acme")

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(rekeying, step, stop)
            with pytest.raises(KeyboardInterrupt):
                run(owner)
        worker = open_store(estate.settings)
        try:
            assert read_ssn(estate, worker) == "078-05-1120"
            assert run(owner) == 2
            assert read_ssn(estate, worker) == "078-05-1120"
        finally:
            worker.close()


def test_a_suspended_one_is_rekeyed_too(estate: Estate, owner: Store) -> None:
    estate.furnish(owner, "acme")
    suspend(owner, "acme")
    assert run(owner) == 2


def test_without_a_store_there_is_nothing_to_rekey(owner: Store) -> None:
    with pytest.raises(NoStore, match="`acme` has no store"):
        run(owner)
