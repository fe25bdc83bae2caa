"""The door: sessions on both databases, each pinned to its tenant."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from policy_service.errors import NoStore, PolicyServiceError
from policy_service.store import door
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.lives import drop_store, set_state
from policy_service.store.sessions import ForeignRowError
from policy_service.store.tables import EntityRow
from tests.stores import Place


def make_row(id_: str, **given: object) -> EntityRow:
    row = {
        "id": id_, "type": "host", "key": id_, "source": "api", "scope": "", "properties": {}, "tags": {},
        "version": 1, "created_on": 1, "begin_on": 1, "deleted": False, "classes": ["Host"],
    }  # fmt: skip
    return EntityRow(**row | given)


@pytest.fixture
def filled(store: Store) -> Store:
    for tenant in ("acme", "globex"):
        with store.session(tenant, write=True) as session:
            session.add(make_row("1", display_name=tenant))
    return store


def test_each_tenant_reads_its_own(filled: Store) -> None:
    for tenant in ("acme", "globex"):
        with filled.session(tenant) as session:
            assert session.scalars(select(EntityRow.display_name)).all() == [tenant]
            assert session.scalar(text("SELECT count(*) FROM entity")) == 1


def test_a_tenant_without_a_store_has_no_session(filled: Store) -> None:
    with pytest.raises(NoStore), filled.session("nobody"):
        pass


def test_what_a_suspended_tenant_owns_is_opened_for_those_who_only_look(place: Place, filled: Store) -> None:
    with place.as_owner() as owner:
        set_state(owner, "acme", State.SUSPENDED)
    filled.forget("acme")
    with pytest.raises(NoStore), filled.session("acme"):
        pass
    with filled.admit_suspended().session("acme") as session:
        assert session.scalar(text("SELECT count(*) FROM entity")) == 1


def test_a_foreign_row_is_refused_at_the_flush(filled: Store) -> None:
    with pytest.raises(ForeignRowError), filled.session("acme", write=True) as session:
        session.add(make_row("2", account_id="globex"))


def test_a_foreign_row_is_refused_below_the_session(filled: Store) -> None:
    with pytest.raises((DBAPIError, PolicyServiceError)), filled.session("acme", write=True) as session:
        session.execute(text("INSERT INTO element (account_id, name, value, id) VALUES ('globex', 'a', 'b', '1')"))


def test_a_reading_session_writes_nothing(filled: Store) -> None:
    with pytest.raises(PolicyServiceError), filled.session("acme") as session:
        session.execute(update(EntityRow).values(type="other"))


def test_an_error_in_the_block_undoes_everything(filled: Store) -> None:
    with pytest.raises(ZeroDivisionError), filled.session("acme", write=True) as session:
        raise ZeroDivisionError(session.execute(delete(EntityRow)))
    with filled.session("acme") as session:
        assert session.scalar(select(func.count()).select_from(EntityRow)) == 1


def test_bulk_inserts_are_checked(filled: Store) -> None:
    row = {key: value for key, value in vars(make_row("3", account_id="globex")).items() if not key.startswith("_")}
    with pytest.raises(ForeignRowError), filled.session("acme", write=True) as session:
        session.execute(insert(EntityRow), [row])


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_files_are_their_owner_s_alone(filled: Store, place: Place) -> None:
    with filled.session("acme") as session:
        assert session.execute(text("SELECT 1")).scalar() == 1
        files = [path for path in (place.settings.data / "store").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"control.db", "acme.db", "acme.db-wal", "acme.db-shm", "service.json"}
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


def test_what_is_shut_is_let_go_of_by_every_process(
    filled: Store, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "STATE_SECONDS", 0.0)
    with filled.session("acme") as session:
        assert session.execute(select(func.count()).select_from(EntityRow)).scalar() == 1
    filled.keys.active("acme")
    assert filled.shut() == frozenset()
    with place.as_owner() as owner:
        drop_store(owner, "acme")
        set_state(owner, "acme", State.ERASED)
    assert filled.shut() == {"acme"}
    assert "acme" not in filled.keys._held
    if isinstance(filled.databases, Files):
        assert "acme" not in filled.databases._files
