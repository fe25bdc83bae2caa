"""Nothing that a tenant stored can be read in any file, whatever is going on; and a store that lost a part is never
taken for an empty one."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from policy_service.audit.trail import Change, Origin, note
from policy_service.errors import NoKey, StoreFailed
from policy_service.store.control import DataKeyRow
from policy_service.store.door import Store
from policy_service.store.keyring import keyring_path
from policy_service.store.opening import open_store
from policy_service.store.tables import SERVICE, BlindRow, ElementRow, EntityRow, RelationshipRow
from tests.store.rows import MINE, SECRETS, THEIRS, entity, fill_both, relationship, see
from tests.stores import Place, make_place

# each of them is 24 characters that are nowhere else
WORDS = {name: f"{name}-{secrets.token_hex(12)}" for name in ("value", "name", "tag", "key", "element", "trail", "end")}


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Files, where a test may do anything to them."""
    with make_place("sqlite", tmp_path, request) as made:
        yield made


def read_everything(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file in the folders, and those without a name that this process has open."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield str(path), path.read_bytes()
    for name in os.listdir("/proc/self/fd"):
        link = f"/proc/self/fd/{name}"
        try:
            target = os.readlink(link)
            if target.endswith("(deleted)"):
                yield target, Path(link).read_bytes()
        except OSError:
            continue


def search(*folders: Path) -> set[str]:
    """The words that are found, in the encodings that SQLite has."""
    found = set()
    for path, content in read_everything(*folders):
        for word in WORDS.values():
            encodings = (word.encode(), word.encode("utf-16-le"), word.encode("utf-16-be"))
            found |= {f"{word} in {path}" for encoded in encodings if encoded in content}
    return found


def write(session: Any, number: int) -> None:
    """An entity and what goes with it, in every table."""
    id_ = f"{number}"
    properties = {WORDS["key"]: WORDS["value"]}
    session.add(
        EntityRow(**entity(id_, display_name=WORDS["name"], key=f"{WORDS['key']} {number}", properties=properties,
                           tags={WORDS["tag"]: WORDS["tag"]}))
    )  # fmt: skip
    session.flush()
    session.add_all(
        [
            ElementRow(name="names", value=WORDS["element"], id=id_),
            BlindRow(id=id_, name="name", digest=WORDS["element"].encode()),
            RelationshipRow(**relationship(id_, key=f"{WORDS['key']} {number}", to_id=WORDS["end"])),
        ]
    )
    note(session, [Change(WORDS["trail"], "entity", id_, None, None, Origin(WORDS["trail"]))], 1.0 + number)


def test_no_file_holds_what_was_stored(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for variable in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(variable, str(scratch))
    data = place.settings.data
    store = place.open()
    with store.session(THEIRS) as reader:
        reader.execute(text("SELECT count(*) FROM entity")).all()
        with store.session(MINE, write=True) as session:
            write(session, 0)
            large = {WORDS["key"]: f"{WORDS['value']} " * 200}
            rows = [entity(f"{number:05}", display_name=WORDS["name"], properties=large) for number in range(1_000)]
            # more than the cache holds: what is not yet committed is in the write-ahead log
            session.execute(insert(EntityRow), [row | {"account_id": MINE} for row in rows])
            assert _size(data, "acme.db-wal") > 4_000_000
            assert search(data, scratch) == set()
    with store.session(MINE) as reader:
        # a reader keeps the log from being written back
        reader.execute(text("SELECT count(*) FROM entity")).all()
        with store.session(MINE, write=True) as session:
            write(session, 3_000)
        assert search(data, scratch) == set()
        big = (
            "SELECT a.display_name || a.properties || b.id AS s FROM entity a, entity b WHERE b.id < '00003' ORDER BY s"
        )
        sorting = reader.execute(text(big))
        sorting.fetchmany(10)
        assert search(data, scratch) == set()
        sorting.close()
        reader.execute(text("SELECT DISTINCT display_name || id || properties FROM entity")).all()
        assert search(data, scratch) == set()
    with store.session(MINE, write=True) as session:
        session.execute(text("DELETE FROM element"))
        session.execute(text("UPDATE entity SET properties = '{}'"))
    assert search(data, scratch) == set()
    store.close()
    assert _size(data, "acme.db-wal") == 0
    assert _size(data, "acme.db") > 4_000_000
    assert search(data, scratch) == set()


def _size(folder: Path, name: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(name))


def test_a_plain_file_is_found_out(tmp_path: Path) -> None:
    """The search finds what is there: in a file, in its log, and in what a sort spills."""
    connection = sqlite3.connect(tmp_path / "plain.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("PRAGMA cache_size = 10")
    connection.execute("CREATE TABLE t (a TEXT)")
    connection.executemany("INSERT INTO t VALUES (?)", [(f"{WORDS['value']} {i}" * 20,) for i in range(20_000)])
    connection.commit()
    sorting = connection.execute("SELECT a || 'x' AS s FROM t ORDER BY s")
    sorting.fetchone()
    found = search(tmp_path)
    connection.close()
    assert {path.rsplit("/")[-1] for path in found if "(deleted)" not in path} >= {"plain.db-wal"}
    assert any("(deleted)" in path for path in found)
    assert any(path.endswith("plain.db") for path in search(tmp_path))


def test_no_key_is_stored_unwrapped(place: Place) -> None:
    store = place.open()
    used = {account: store.keys.active(account) for account in (SERVICE, MINE, THEIRS)}
    with store.session(SERVICE) as session:
        wrapped = session.scalars(select(DataKeyRow.wrapped)).all()
    store.close()
    for path, content in read_everything(place.settings.data):
        for key in used.values():
            for secret in (key.secret, key.derive("sqlcipher")):
                for shown in (secret, secret.hex().encode(), secret.hex().upper().encode()):
                    assert shown not in content, path
    assert len(wrapped) == 2
    assert all(key.secret not in blob for key in used.values() for blob in wrapped)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The data folder of a store with rows of two tenants."""
    with make_place("sqlite", tmp_path_factory.mktemp("template"), request) as place:
        store = place.open()
        fill_both(store)
        store.close()
        yield place.settings.data


@pytest.fixture
def filled(place: Place, template: Path) -> Place:
    """A place with a copy of it."""
    shutil.copytree(template, place.settings.data)
    return place


def file_of(place: Place, account: str) -> Path:
    folder = place.settings.data / "store"
    return folder / "control.db" if account == SERVICE else folder / "tenants" / f"{account}.db"


def flip(path: Path, *places: int) -> None:
    content = bytearray(path.read_bytes())
    for at in places:
        content[at] ^= 1
    path.write_bytes(content)


def every_page(path: Path) -> None:
    flip(path, *range(4096 + 100, path.stat().st_size, 4096))


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: os.truncate(path, 0),
    "a_few_bytes": lambda path: os.truncate(path, 100),
    "one_page": lambda path: os.truncate(path, 4096),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "salt": lambda path: flip(path, 3),
    "first_page": lambda path: flip(path, 1_000),
    "tag_of_first_page": lambda path: flip(path, 4_090),
    "every_other_page": every_page,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "random": lambda path: path.write_bytes(secrets.token_bytes(path.stat().st_size)),
    "plain": lambda path: _make_plain(path),
    "a_folder": lambda path: (path.unlink(), path.mkdir()),
}


def _make_plain(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE entity (account_id, display_name)")
    connection.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_a_failure_and_never_an_empty_store(filled: Place, damage: str) -> None:
    path, kept = file_of(filled, MINE), filled.settings.data.parent / "kept"
    store = open_store(filled.settings)
    try:
        before = see(store, MINE), see(store, THEIRS)
        store.databases.close()
        shutil.copy(path, kept)
        DAMAGES[damage](path)
        left = path.read_bytes() if path.is_file() else None
        for _ in range(2):
            with pytest.raises((NoKey, StoreFailed), match="acme") as caught:
                see(store, MINE)
            # clients are told, and where the files are is none of their business
            assert str(path.parent) not in str(caught.value)
        assert see(store, THEIRS) == before[1]
        assert (path.read_bytes() if path.is_file() else None) == left
        # what is restored is found without a restart
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        shutil.move(kept, path)
        assert see(store, MINE) == before[0]
    finally:
        store.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_control_database_is_no_start(filled: Place, damage: str) -> None:
    path = file_of(filled, SERVICE)
    kept = path.read_bytes()
    DAMAGES[damage](path)
    for _ in range(2):
        with pytest.raises((NoKey, StoreFailed), match="control"):
            open_store(filled.settings)
    assert not (path.is_file() and path.read_bytes() == kept)
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_bytes(kept)
    _check(filled)


def _check(place: Place) -> None:
    store = open_store(place.settings)
    try:
        for tenant in (MINE, THEIRS):
            assert SECRETS[tenant] in repr(see(store, tenant))
    finally:
        store.close()


def test_a_control_database_that_is_gone_is_missed_without_any_tenant(place: Place) -> None:
    open_store(place.settings).close()
    file_of(place, SERVICE).unlink()
    for _ in range(2):
        with pytest.raises(StoreFailed, match=r"control\.db is gone, restore it"):
            open_store(place.settings)
    assert not file_of(place, SERVICE).exists()


def test_a_store_of_which_tenants_alone_are_left_is_no_new_one(filled: Place) -> None:
    file_of(filled, SERVICE).unlink()
    (filled.settings.data / "store" / "service.json").unlink()
    with pytest.raises(StoreFailed, match=r"control\.db is gone"):
        open_store(filled.settings)
    assert not file_of(filled, SERVICE).exists()


def _rewrite(path: Path, **changed: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


KEY_DAMAGES: dict[str, Callable[[Path], Any]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: os.truncate(path, 0),
    "no_json": lambda path: path.write_text("{"),
    "a_list": lambda path: path.write_text("[]"),
    "readable_by_others": lambda path: path.chmod(0o644),
    "a_folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", KEY_DAMAGES)
@pytest.mark.parametrize("name", ["service.json", "keyring.json"])
def test_without_its_keys_a_store_does_not_open(filled: Place, name: str, damage: str) -> None:
    path = keyring_path(filled.settings) if name == "keyring.json" else filled.settings.data / "store" / name
    assert path is not None
    kept = path.read_bytes()
    KEY_DAMAGES[damage](path)
    with pytest.raises(NoKey, match=name):
        open_store(filled.settings)
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_bytes(kept)
    path.chmod(0o600)
    _check(filled)


def test_another_keyring_or_key_of_the_service_opens_nothing(filled: Place, tmp_path: Path) -> None:
    other = Place("sqlite", replace(filled.settings, data=tmp_path / "other"))
    open_store(other.settings).close()
    for name in ("keyring.json", "store/service.json"):
        path = filled.settings.data / name
        kept = path.read_bytes()
        shutil.copy(other.settings.data / name, path)
        with pytest.raises(NoKey):
            open_store(filled.settings)
        path.write_bytes(kept)
    # both together open, and the control database is not theirs
    for name in ("keyring.json", "store/service.json"):
        shutil.copy(other.settings.data / name, filled.settings.data / name)
    with pytest.raises(NoKey, match="its key is wrong"):
        open_store(filled.settings)


def test_without_its_keyring_a_store_in_postgresql_does_not_open(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with make_place("postgresql", tmp_path, request) as place:
        for keyring in (tmp_path / "none.json", tmp_path / "other.json"):
            if keyring.name == "other.json":
                other = replace(place.settings, database_url="", data=tmp_path / "o", keyring=str(keyring))
                open_store(other).close()
            with pytest.raises(NoKey):
                open_store(replace(place.settings, keyring=str(keyring)))


@pytest.mark.parametrize("is_open", [True, False])
def test_files_of_two_tenants_that_were_swapped_open_for_neither(filled: Place, is_open: bool) -> None:
    store = open_store(filled.settings)
    try:
        if is_open:
            see(store, MINE), see(store, THEIRS)
        _swap(filled)
        for tenant in (MINE, THEIRS):
            with pytest.raises(NoKey, match=f"{tenant}.*its key is wrong"):
                see(store, tenant)
        _swap(filled)
        for tenant in (MINE, THEIRS):
            assert SECRETS[tenant] in repr(see(store, tenant))
    finally:
        store.close()


def _swap(place: Place) -> None:
    aside = place.settings.data / "aside"
    mine, theirs = file_of(place, MINE), file_of(place, THEIRS)
    for suffix in ("", "-wal", "-shm"):
        paths = [path.with_name(path.name + suffix) for path in (mine, theirs)]
        for source, target in ((paths[0], aside), (paths[1], paths[0]), (aside, paths[1])):
            if source.exists():
                source.rename(target)


def test_a_write_ahead_log_of_another_tenant_brings_nothing(filled: Place) -> None:
    store = open_store(filled.settings)
    with store.session(THEIRS, write=True) as session:
        session.execute(text("UPDATE entity SET type = 'theirs'"))
    log = file_of(filled, THEIRS).with_name(f"{THEIRS}.db-wal")
    content = log.read_bytes()
    assert content
    store.close()
    file_of(filled, MINE).with_name(f"{MINE}.db-wal").write_bytes(content)
    _unread(filled)


def _unread(place: Place) -> None:
    """A failure, or our rows: never another's."""
    store: Store = open_store(place.settings)
    try:
        assert "theirs" not in repr(see(store, MINE))
    except (NoKey, StoreFailed):
        pass
    finally:
        store.close()
