"""A tenant's life, killed at any step: what was or what was to be, never a third, and the next run finishes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from policy_service.audit.trail_check import verify
from policy_service.errors import NoStore
from policy_service.store import migrate
from policy_service.store.control import DataKeyRow, KeyState, State
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.opening import open_store
from policy_service.store.tables import SERVICE, EntityRow
from policy_service.store.upgrading import upgrade
from policy_service.tenancy import rekeying
from policy_service.tenancy.creating import create
from policy_service.tenancy.erasing import erase
from policy_service.tenancy.rekeying import rekey
from tests.service.killings import copied, count_steps, kill_at, spread
from tests.stores import Place
from tests.unit.tenancy.estates import LINES, Estate, acts, make_estate

Act = Callable[[Estate, Store], object]
# how often each act is killed
POINTS = {"sqlite": 7, "postgresql": 3}


@pytest.fixture
def estate(place: Place, tmp_path: Path) -> Estate:
    return make_estate(place, tmp_path)


def kills(estate: Estate, act: Act, folder: Path) -> Iterator[Estate]:
    """The estate after the act was killed, at steps from its first to its last."""

    def run(place: Estate) -> None:
        with place.owner() as store:
            act(place, store)

    with copied(estate, folder / "count") as whole:
        steps = count_steps(lambda: run(whole))
    died = 0
    for step in spread(steps, POINTS[estate.place.kind]):
        with copied(estate, folder / f"kill-{step}") as place:
            died += kill_at(lambda place=place: run(place), step)  # type: ignore[misc]
            yield place
    assert died >= POINTS[estate.place.kind] - 1


def as_worker(place: Estate, look: Callable[[Store], Any]) -> Any:
    """What a server sees."""
    worker = open_store(place.settings)
    try:
        return look(worker)
    finally:
        worker.close()


def count_entities(store: Store) -> int | None:
    """How many entities a server sees; none where the tenant is shut."""
    try:
        with store.session("acme") as session:
            return session.scalar(select(func.count()).where(EntityRow.account_id == "acme"))
    except NoStore:
        return None


def actions(store: Store, account: str = SERVICE) -> list[str]:
    return [action for action, _ in acts(store, account)]


def test_create(estate: Estate, tmp_path: Path) -> None:
    with estate.owner():
        pass

    def act(place: Estate, store: Store) -> None:
        create(place.settings, store, "acme")

    for place in kills(estate, act, tmp_path):
        before = as_worker(place, lambda store: (store.look("acme"), count_entities(store)))
        assert before in [(None, None), (State.CREATING, None), (State.ACTIVE, 0)]
        with place.owner() as store:
            if before[0] is not State.ACTIVE:
                act(place, store)
            assert (actions(store), actions(store, "acme")) == (["create"], ["create"])
        assert as_worker(place, count_entities) == 0


def test_erase(estate: Estate, tmp_path: Path) -> None:
    with estate.owner() as store:
        estate.furnish(store, "acme")

    def act(place: Estate, store: Store) -> None:
        erase(place.settings, store, "acme")

    for place in kills(estate, act, tmp_path):
        before = as_worker(place, lambda store: (store.look("acme"), count_entities(store)))
        assert before in [(State.ACTIVE, 3), (State.ERASING, None), (State.ERASED, None)]
        with place.owner() as store:
            act(place, store)
            assert actions(store) == ["create", "erase", "erased"]
            assert acts(store)[-1][1]["entities"] == 3
            assert store.look("acme") is State.ERASED
            with store.databases.session(SERVICE) as session:
                assert session.scalars(select(DataKeyRow.version).where(DataKeyRow.account_id == "acme")).all() == []
            if isinstance(store.databases, Files):
                assert not list(place.settings.data.glob("store/tenants/*.db*"))
            create(place.settings, store, "acme")
        assert as_worker(place, count_entities) == 0


def test_rekey(estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekeying, "_SETTLE_SECONDS", 0.0)
    with estate.owner() as store:
        estate.furnish(store, "acme")
        digests = estate.export(store, "acme", tmp_path / "before.ndjson")["digests"]

    def act(_: Estate, store: Store) -> None:
        rekey(store, "acme", lambda _: None, lambda *_: None)

    for place in kills(estate, act, tmp_path):
        assert as_worker(place, count_entities) == 3
        with place.owner() as store:
            act(place, store)
            after = place.export(store, "acme", place.root / "after.ndjson")["digests"]
            assert [after[kind] for kind in ("entity", "relationship")] == [
                digests[kind] for kind in ("entity", "relationship")
            ]
            assert verify(store, "acme").problems == ()
            states = [row.state for row, _ in store.keys.all("acme")]
            assert states == [KeyState.ACTIVE, *[KeyState.OLD] * (len(states) - 1)]


def test_import_of_an_export(estate: Estate, tmp_path: Path) -> None:
    path = tmp_path / "acme.ndjson"
    with estate.owner() as store:
        estate.furnish(store, "acme")
        digests = estate.export(store, "acme", path)["digests"]
        erase(estate.settings, store, "acme")

    def act(place: Estate, store: Store) -> None:
        place.import_(store, "acme", path)

    for place in kills(estate, act, tmp_path):
        before = as_worker(place, lambda store: (store.look("acme"), count_entities(store)))
        assert before in [(State.ERASED, None), (State.CREATING, None), (State.ACTIVE, 3)]
        with place.owner() as store:
            act(place, store)
            assert actions(store).count("import") == 1
            assert place.export(store, "acme", place.root / "after.ndjson")["digests"] == digests
            assert verify(store, "acme").problems == ()


def test_import_of_lines(estate: Estate, tmp_path: Path) -> None:
    with estate.owner() as store:
        create(estate.settings, store, "acme")
    path = estate.write_lines(*LINES)

    def act(place: Estate, store: Store) -> None:
        place.import_(store, "acme", path)

    for place in kills(estate, act, tmp_path):
        done = as_worker(place, count_entities)
        assert done in (0, 3)
        with place.owner() as store:
            assert actions(store, "acme") == ["create", "import"][: 2 if done else 1]
            act(place, store)
            assert verify(store, "acme").problems == ()
        assert as_worker(place, count_entities) == 3


REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "tenant_0003"
down_revision = "tenant_0002"


def upgrade() -> None:
    op.create_table("later", sa.Column("account_id", sa.Text, primary_key=True))
    op.add_column("entity", sa.Column("later", sa.Text))
    op.execute("UPDATE entity SET later = key")
"""


def know_revision(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a program that knows one more revision."""
    shutil.copytree(migrate._FOLDER, folder)
    (folder / "tenant" / "versions" / "0003_later.py").write_text(REVISION)
    monkeypatch.setattr(migrate, "_FOLDER", folder)
    migrate._script.cache_clear()


@pytest.fixture
def _one_script() -> Iterator[None]:
    yield
    migrate._script.cache_clear()


@pytest.mark.usefixtures("_one_script")
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_migrate(estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with estate.owner() as store:
        for tenant in ("acme", "globex"):
            estate.furnish(store, tenant)
    know_revision(tmp_path / "migrations", monkeypatch)

    def act(place: Estate, _: Store) -> None:
        upgrade(place.settings, lambda *_: None)

    for place in kills(estate, act, tmp_path):
        # a file that was upgraded is whole, one that was not is upgraded when it is opened
        assert as_worker(place, count_entities) == 3
        with place.owner() as store:
            act(place, store)
            for tenant in ("acme", "globex"):
                with store.session(tenant) as session:
                    rows = session.connection().exec_driver_sql("SELECT key, later FROM entity").all()
                    assert [row.key for row in rows] == [row.later for row in rows]
                    assert len(rows) == 3


def test_a_killed_act_is_dead(tmp_path: Path) -> None:
    """The tests above would prove nothing if nothing was killed."""
    path = tmp_path / "told"
    assert kill_at(lambda: (migrate.head("tenant"), path.write_text(json.dumps(1))), 1)
    assert not path.exists()
    assert not kill_at(lambda: path.write_text(json.dumps(1)), 10_000)
    assert path.exists()
