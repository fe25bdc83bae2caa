"""Databases that go away, fill up, are locked or tell another time: closed, a clear sentence, and recovery in place."""

from __future__ import annotations

import os
import resource
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from policy_service.errors import StoreFailed
from policy_service.store import context, sqlcipher
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.gates import Gate
from policy_service.store.sqlcipher import connect
from policy_service.store.tables import EntityRow
from tests.disks import fill_up, small_disk
from tests.store.conftest import Town
from tests.store.rows import MINE, SECRETS, THEIRS, entity, fill_both, see, unharmed
from tests.stores import RUNTIME, Place, make_place


def read(store: Store, tenant: str = MINE) -> set[Any]:
    with store.session(tenant) as session:
        return set(session.scalars(select(EntityRow.display_name)))


def add(store: Store, id_: str) -> None:
    with store.session(MINE, write=True) as session:
        session.add(EntityRow(**entity(id_, display_name=SECRETS[MINE])))


def ids(store: Store) -> set[str]:
    with store.session(MINE) as session:
        return set(session.scalars(select(EntityRow.id)))


END = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{RUNTIME}'"


def write_while_it_ends(village: Town) -> None:
    with village.store.session(MINE, write=True) as session:
        session.add(EntityRow(**entity("lost")))
        session.flush()
        village.own(END)


def read_while_it_ends(village: Town) -> None:
    with village.store.session(MINE) as session:
        session.execute(text("SELECT 1"))
        village.own(END)
        session.execute(text("SELECT 1"))


def test_connections_that_end_in_mid_flight_change_nothing(village: Town) -> None:
    with unharmed(village.store, MINE):
        with pytest.raises(StoreFailed, match="the database"):
            write_while_it_ends(village)
        with pytest.raises(StoreFailed, match="the database"):
            read_while_it_ends(village)
    assert read(village.store) == {SECRETS[MINE]}


def test_a_database_that_was_restarted_costs_one_answer_at_most(village: Town) -> None:
    with ExitStack() as many:
        for _ in range(6):
            many.enter_context(village.store.session(MINE)).execute(text("SELECT 1"))
    village.own(END)
    failed = 0
    for _ in range(8):
        try:
            assert read(village.store) == {SECRETS[MINE]}
        except StoreFailed:
            failed += 1
    assert failed <= 1


def test_a_database_that_lets_nobody_in(village: Town) -> None:
    name = village.place.database
    assert village.place.cluster is not None
    village.place.cluster.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        village.place.cluster.execute(END)
        for _ in range(2):
            with pytest.raises(StoreFailed, match="the database"):
                read(village.store)
            with pytest.raises(StoreFailed):
                village.store.look(MINE)
    finally:
        village.place.cluster.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert read(village.store) == {SECRETS[MINE]}


@pytest.fixture
def own_folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Place, Store]]:
    """A store on files of the test's own."""
    with make_place("sqlite", tmp_path, request) as place:
        store = place.open()
        fill_both(store)
        yield place, store
        store.close()


def test_files_that_are_gone_for_a_while(own_folder: tuple[Place, Store], tmp_path: Path) -> None:
    place, store = own_folder
    for part in ("store/tenants", "store/tenants/acme.db", "store"):
        path, aside = place.settings.data / part, tmp_path / "aside"
        path.rename(aside)
        for _ in range(2):
            with pytest.raises(StoreFailed, match="gone") as caught:
                read(store)
            assert str(tmp_path) not in str(caught.value)
        assert not path.exists()
        aside.rename(path)
        assert read(store) == {SECRETS[MINE]}


def test_a_tenants_state_that_can_not_be_known_is_a_failure(
    own_folder: tuple[Place, Store], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place, store = own_folder
    store._states.clear()
    control, aside = place.settings.data / "store" / "control.db", tmp_path / "aside"
    control.rename(aside)
    for _ in range(2):
        with pytest.raises(StoreFailed, match="control database"):
            store.has_store(MINE)
        with pytest.raises(StoreFailed, match="control database"):
            read(store, "nobody")
    aside.rename(control)
    assert read(store) == {SECRETS[MINE]}


def write_much(store: Store, count: int) -> None:
    with store.session(MINE, write=True) as session:
        rows = [
            entity(f"much-{number}", account_id=MINE, display_name=secrets.token_hex(2_000)) for number in range(count)
        ]
        session.execute(insert(EntityRow), rows)


def test_a_full_disk_under_a_file(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with small_disk(tmp_path / "disk", "8m"), make_place("sqlite", tmp_path / "disk", request) as place:
        store = place.open()
        try:
            fill_both(store)
            before = see(store, MINE)
            filler = fill_up(tmp_path / "disk")
            for _ in range(2):
                with pytest.raises(StoreFailed, match="the disk is full, make room"):
                    write_much(store, 600)
                assert see(store, MINE) == before
            filler.unlink()
            with pytest.raises(StoreFailed, match="the disk is full, make room"):
                write_much(store, 4_000)
            assert see(store, MINE) == before
            write_much(store, 100)
            assert len(ids(store)) == 102
        finally:
            store.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the user of the database gets to, which has none of pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103
        yield Path(folder)


def test_a_full_disk_under_postgresql(open_folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with small_disk(open_folder / "disk", "8m"), make_place("postgresql", tmp_path, request) as place:
        village = Town(place, place.open())
        fill_both(village.store)
        before = see(village.store, MINE)
        filler = open_folder / "disk" / "filler"
        filler.write_bytes(bytes(1024 * 1024))
        tables = open_folder / "disk" / "tables"
        tables.mkdir()
        directory = village.own("SHOW data_directory")[0][0]
        owner = os.stat(str(directory))
        os.chown(tables, owner.st_uid, owner.st_gid)
        village.own(f"CREATE TABLESPACE small LOCATION '{tables}'")
        try:
            village.own("ALTER TABLE policy_service.entity SET TABLESPACE small")
            with pytest.raises(StoreFailed, match="no room or no connections left"):
                write_much(village.store, 4_000)
            assert see(village.store, MINE) == before
            filler.unlink()
            add(village.store, "after")
            assert "after" in ids(village.store)
        finally:
            village.store.close()
            village.own("ALTER TABLE policy_service.entity SET TABLESPACE pg_default", "DROP TABLESPACE small")


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumped(village: Town, monkeypatch: pytest.MonkeyPatch, jump: int) -> None:
    now = context.time
    with monkeypatch.context() as patch:
        patch.setattr(context, "time", lambda: now() + jump)
        for _ in range(2):
            with pytest.raises(StoreFailed, match="see that the clocks of service and database agree"):
                read(village.store)
            with pytest.raises(StoreFailed, match="clocks"):
                village.store.look(MINE)
    for tenant in (MINE, THEIRS):
        assert read(village.store, tenant) == {SECRETS[tenant]}


def test_a_clock_that_is_a_little_off_is_no_matter(village: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    now = context.time
    for jump in (-context.SECONDS + 20, context.SKEW_SECONDS - 20):
        monkeypatch.setattr(context, "time", lambda jump=jump: now() + jump)
        assert read(village.store) == {SECRETS[MINE]}


def test_a_pool_that_is_exhausted(town: Town) -> None:
    databases: Any = town.store.databases
    engine = databases._find(MINE).reader if isinstance(databases, Files) else databases._engine
    with ExitStack() as many, pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.pool, "_timeout", 0.05)
        for _ in range(32):
            many.enter_context(town.store.session(MINE)).execute(text("SELECT 1"))
        with pytest.raises(StoreFailed, match="has no connection free, try again"):
            read(town.store)
    assert read(town.store) == {SECRETS[MINE]}


def test_a_file_that_another_process_writes(own_folder: tuple[Place, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    _, store = own_folder
    monkeypatch.setattr(sqlcipher, "BUSY_SECONDS", 0.05)
    store.databases.close()
    databases: Any = store.databases
    other = connect(databases.path(MINE), store.keys.active(MINE))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="another process writes, try again"):
        add(store, "waits")
    assert read(store) == {SECRETS[MINE]}
    other.execute("ROLLBACK")
    other.close()
    add(store, "waits")
    assert "waits" in ids(store)


def test_writers_that_read_first_wait_for_each_other(own_folder: tuple[Place, Store]) -> None:
    _, store = own_folder

    def count_up(_: int) -> None:
        with store.session(MINE, write=True) as session:
            version = session.scalar(select(EntityRow.version).where(EntityRow.id == "1"))
            session.execute(text("UPDATE entity SET version = :next WHERE id = '1'"), {"next": (version or 0) + 1})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count_up, range(20)))
    with store.session(MINE) as session:
        assert session.scalar(select(EntityRow.version).where(EntityRow.id == "1")) == 21


def test_a_file_that_another_has_alone(own_folder: tuple[Place, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    _, store = own_folder
    databases: Any = store.databases
    monkeypatch.setattr(Gate, "shared", partialmethod(Gate.shared, 0.05))
    with databases.gate(MINE).alone():
        with pytest.raises(StoreFailed, match=f"the store of `{MINE}` is in use by another process, try again"):
            read(store)
        assert read(store, THEIRS) == {SECRETS[THEIRS]}
    assert read(store) == {SECRETS[MINE]}
    # and whoever wants it alone waits for those inside
    with store.session(MINE), pytest.raises(StoreFailed, match="in use"), databases.gate(MINE).alone(0.05):
        pass
    assert read(store) == {SECRETS[MINE]}


def test_a_table_that_another_has_alone(village: Town) -> None:
    with village.store.session(MINE, write=True) as holder:
        holder.execute(text("UPDATE entity SET type = type"))
        with pytest.raises(StoreFailed, match="another process has it, try again"):
            _update_soon(village.store)
        holder.rollback()
    _update_soon(village.store)


def _update_soon(store: Store) -> None:
    with store.session(MINE, write=True) as session:
        session.execute(text("SET LOCAL lock_timeout = 50"))
        session.execute(text("UPDATE entity SET type = type"))


def _sleep(store: Store) -> None:
    with store.session(MINE) as session:
        session.execute(text("SET LOCAL statement_timeout = 50"))
        session.execute(text("SELECT pg_sleep(5)"))


def test_a_statement_that_takes_too_long(village: Town) -> None:
    with pytest.raises(StoreFailed, match="is stopping or took too long, try again"):
        _sleep(village.store)
    assert read(village.store) == {SECRETS[MINE]}


def take_all(taken: ExitStack) -> None:
    while True:
        taken.callback(os.close, os.open(os.devnull, os.O_RDONLY))


def test_a_process_without_a_file_handle_left(own_folder: tuple[Place, Store]) -> None:
    _, store = own_folder
    read(store)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as taken:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
            with pytest.raises(OSError, match="Too many"):
                take_all(taken)
            with pytest.raises(StoreFailed, match="too many open files"):
                read(store)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert read(store) == {SECRETS[MINE]}


def test_an_error_in_the_block_is_told_as_it_is(town: Town) -> None:
    with unharmed(town.store, MINE), pytest.raises(KeyError), town.store.session(MINE, write=True) as session:
        raise KeyError(session.execute(text("DELETE FROM element")))
    with unharmed(town.store, MINE), pytest.raises(IntegrityError), town.store.session(MINE, write=True) as session:
        session.execute(insert(EntityRow), [entity(id_, account_id=MINE) for id_ in ("new", "1")])


def test_no_statement_is_told_with_an_error(town: Town) -> None:
    with pytest.raises(StoreFailed) as caught, town.store.session(MINE) as session:
        session.execute(text("SELECT * FROM nothing WHERE x = :secret"), {"secret": SECRETS[MINE]})
    assert "SELECT" not in str(caught.value)
    assert SECRETS[MINE] not in f"{caught.value} {caught.value.__cause__}"
