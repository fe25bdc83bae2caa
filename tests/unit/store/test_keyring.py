"""The keyring in a file: who may read it, what it opens, how it is written."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from policy_service.config import Settings
from policy_service.errors import NoKey
from policy_service.store.keyring import Wrapped, open_keyring, rotate_file
from policy_service.store.private_files import lock_folder, read_private, replace_private

KEY = bytes(range(32))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


def read(path: Path) -> list[dict[str, str]]:
    return json.loads(path.read_text())["keys"]


def test_what_was_wrapped_opens_after_a_restart(settings: Settings, path: Path) -> None:
    wrapped = open_keyring(settings, create=True).wrap(KEY, "acme", 1)
    assert KEY not in wrapped.blob
    assert wrapped.kek == read(path)[0]["id"]
    assert open_keyring(settings).unwrap(wrapped, "acme", 1) == KEY


@pytest.mark.parametrize(("account", "version"), [("globex", 1), ("acme", 2), ("acm", 1), ("", 1)])
def test_a_wrapped_key_opens_as_no_other_account_or_version(settings: Settings, account: str, version: int) -> None:
    keyring = open_keyring(settings, create=True)
    with pytest.raises(NoKey, match="doesn't open"):
        keyring.unwrap(keyring.wrap(KEY, "acme", 1), account, version)


def test_every_changed_byte_of_a_wrapped_key_is_found(settings: Settings) -> None:
    keyring = open_keyring(settings, create=True)
    kek, blob = keyring.wrap(KEY, "acme", 1)
    for place in range(len(blob)):
        changed = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
        with pytest.raises(NoKey):
            keyring.unwrap(Wrapped(kek, changed), "acme", 1)
    for length in (0, 1, 20, len(blob) - 1):
        with pytest.raises(NoKey):
            keyring.unwrap(Wrapped(kek, blob[:length]), "acme", 1)


def test_another_keyring_opens_nothing_and_says_which_key_is_missing(settings: Settings, path: Path) -> None:
    wrapped = open_keyring(settings, create=True).wrap(KEY, "acme", 1)
    path.unlink()
    with pytest.raises(NoKey, match=f"doesn't hold the key `{wrapped.kek}`"):
        open_keyring(settings, create=True).unwrap(wrapped, "acme", 1)


def test_a_secret_under_the_same_id_opens_nothing(settings: Settings, path: Path) -> None:
    wrapped = open_keyring(settings, create=True).wrap(KEY, "acme", 1)
    keys = read(path)
    rotate_file(settings)
    keys[0]["secret"] = read(path)[1]["secret"]
    replace_private(path, json.dumps({"keys": keys}).encode())
    with pytest.raises(NoKey, match="doesn't open"):
        open_keyring(settings).unwrap(wrapped, "acme", 1)


def test_a_missing_file_is_refused_and_only_made_when_told_to(settings: Settings, path: Path) -> None:
    with pytest.raises(NoKey, match="there is no"):
        open_keyring(settings)
    assert not path.exists()
    open_keyring(settings, create=True)
    before = path.read_bytes()
    open_keyring(settings, create=True)
    assert path.read_bytes() == before
    with pytest.raises(NoKey, match="there is no"):
        open_keyring(replace(settings, keyring=str(path.parent / "misspelt" / "keyring.json")), create=True)


def test_the_file_is_its_owners_alone(settings: Settings, path: Path) -> None:
    before = os.umask(0)
    try:
        open_keyring(settings, create=True)
        rotate_file(settings)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o610, 0o601])
def test_a_file_that_others_reach_is_refused(settings: Settings, path: Path, mode: int) -> None:
    keyring = open_keyring(settings, create=True)
    wrapped = keyring.wrap(KEY, "acme", 1)
    path.chmod(mode)
    for attempt in (
        lambda: open_keyring(settings),
        lambda: keyring.unwrap(wrapped, "acme", 1),
        lambda: rotate_file(settings),
    ):
        with pytest.raises(NoKey, match=f"mode {mode:04o}.*chmod 600"):
            attempt()
    path.chmod(0o400)
    assert keyring.unwrap(wrapped, "acme", 1) == KEY


def test_a_link_is_followed_and_its_target_has_to_be_in_order(settings: Settings, path: Path) -> None:
    open_keyring(settings, create=True)
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    target = path.rename(elsewhere / "real.json")
    path.symlink_to(target)
    wrapped = open_keyring(settings).wrap(KEY, "acme", 1)
    rotate_file(settings)
    assert path.is_symlink()
    assert len(read(target)) == 2
    assert open_keyring(settings).unwrap(wrapped, "acme", 1) == KEY
    target.chmod(0o644)
    with pytest.raises(NoKey, match="mode 0644"):
        open_keyring(settings)


def test_what_is_no_file_is_refused_without_waiting(settings: Settings, path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(NoKey, match="is no file"):
        open_keyring(settings)
    path.unlink()
    path.mkdir(0o700)
    with pytest.raises(NoKey, match="is no file"):
        open_keyring(settings)


def test_a_file_that_is_too_large_is_not_read(path: Path) -> None:
    replace_private(path, b" " * (1024 * 1024 + 1))
    with pytest.raises(NoKey, match="more than 1048576 bytes"):
        read_private(path)


SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTMyYnk="
GOOD = {"id": "a", "created": "2026-01-01T00:00:00Z", "secret": SECRET}


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{{{SECRET}",
        "[]",
        "1",
        "null",
        '{"keys": []}',
        '{"keys": 1}',
        "[" * 100_000,
        json.dumps({"keys": [GOOD], "more": 1}),
        json.dumps({"keys": [GOOD, GOOD]}),
        json.dumps({"keys": [{**GOOD, "secret": "AAAA"}]}),
        json.dumps({"keys": [GOOD, {**GOOD, "id": "b", "secret": ""}]}),
        json.dumps({"keys": [{**GOOD, "secret": f"!{SECRET}"}]}),
        json.dumps({"keys": [{**GOOD, "secret": 7}]}),
        json.dumps({"keys": [{**GOOD, "id": ""}]}),
        json.dumps({"keys": [{**GOOD, "id": [1]}]}),
        json.dumps({"keys": [{**GOOD, "created": "yesterday"}]}),
        json.dumps({"keys": [{**GOOD, "more": 1}]}),
        json.dumps({"keys": [{"id": "a", "secret": SECRET}]}),
        json.dumps({"keys": ["a"]}),
    ],
)
def test_a_malformed_file_is_refused_without_quoting_it(settings: Settings, path: Path, text: str) -> None:
    replace_private(path, text.encode())
    with pytest.raises(NoKey, match="no keyring that can be read, put it back") as caught:
        open_keyring(settings)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert caught.value.__context__ is None
    before = path.read_bytes()
    with pytest.raises(NoKey):
        rotate_file(settings)
    assert path.read_bytes() == before


def test_a_well_formed_file_of_another_hand_is_read(settings: Settings, path: Path) -> None:
    replace_private(path, json.dumps({"keys": [GOOD]}).encode())
    health = open_keyring(settings).health()
    assert (health.current, health.created_on) == ("a", 1_767_225_600_000)


def test_no_secret_shows_in_a_repr(settings: Settings, path: Path) -> None:
    keyring = open_keyring(settings, create=True)
    text = "".join(repr(value) for value in (keyring, vars(keyring)))
    assert read(path)[0]["id"] in text
    from base64 import b64decode

    assert repr(b64decode(read(path)[0]["secret"]))[2:-1] not in text


def test_after_a_rotation_the_new_key_wraps_and_the_old_one_opens(settings: Settings) -> None:
    running = open_keyring(settings, create=True)
    old = running.wrap(KEY, "acme", 1)
    added = rotate_file(settings)
    # a process that runs already sees it at once
    assert running.current() == added != old.kek
    assert running.wrap(KEY, "acme", 1).kek == added
    assert running.unwrap(old, "acme", 1) == KEY
    new = running.rewrap(old, "acme", 1)
    assert new.kek == added
    assert running.unwrap(new, "acme", 1) == KEY


def test_a_running_process_closes_when_the_file_goes_and_recovers_when_it_is_back(
    settings: Settings, path: Path
) -> None:
    keyring = open_keyring(settings, create=True)
    wrapped = keyring.wrap(KEY, "acme", 1)
    away = path.rename(path.with_name("away.json"))
    with pytest.raises(NoKey, match="there is no"):
        keyring.unwrap(wrapped, "acme", 1)
    away.rename(path)
    assert keyring.unwrap(wrapped, "acme", 1) == KEY


def test_a_year_after_its_last_rotation_it_is_overdue(settings: Settings, path: Path) -> None:
    now = time.time()
    for age, overdue in ((364.9, False), (365.1, True)):
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - age * 86_400))
        replace_private(path, json.dumps({"keys": [{**GOOD, "created": created}]}).encode())
        health = open_keyring(settings).health()
        assert health.overdue is overdue
        assert ("run `policy-service keyring rotate`" in health.sentence) is overdue
    rotate_file(settings)
    assert not open_keyring(settings).health().overdue


def test_of_processes_that_race_to_make_the_file_one_does(settings: Settings) -> None:
    start = threading.Barrier(16)

    def use(_: int) -> Wrapped:
        start.wait()
        return open_keyring(settings, create=True).wrap(KEY, "acme", 1)

    with ThreadPoolExecutor(16) as pool:
        wrapped = list(pool.map(use, range(16)))
    # a file that a second one had replaced would have taken with it what the first one's key wrapped
    assert len({each.kek for each in wrapped}) == 1
    assert {open_keyring(settings).unwrap(each, "acme", 1) for each in wrapped} == {KEY}


def test_rotations_that_race_lose_no_key(settings: Settings, path: Path) -> None:
    open_keyring(settings, create=True)
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: rotate_file(settings), range(16)))
    assert {key["id"] for key in read(path)} >= set(added)
    assert len(read(path)) == 17


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a fork of a process with threads warns there")
def test_killed_while_it_writes_the_file_is_whole(settings: Settings, path: Path) -> None:
    open_keyring(settings, create=True)
    first = read(path)[0]
    for _ in range(5):
        child = os.fork()
        if child == 0:
            while True:
                rotate_file(settings)
        time.sleep(0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert read(path)[0] == first
        open_keyring(settings).current()


def test_a_write_that_fails_leaves_the_old_file(
    settings: Settings, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_keyring(settings, create=True)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoKey, match="can't be written: No space left on device"):
        rotate_file(settings)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_new_file_is_on_the_disk_before_it_takes_the_olds_place(
    settings: Settings, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_keyring(settings, create=True)
    done: list[str] = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("sync"), fsync(file))[1])
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("rename"), rename(*names))[1])
    rotate_file(settings)
    assert done == ["sync", "rename", "sync"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_rotation_by_root_leaves_the_file_to_its_owner(settings: Settings, path: Path) -> None:
    open_keyring(settings, create=True)
    os.chown(path, 12345, 12345)
    rotate_file(settings)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345)


def test_a_lock_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(NoKey, match="there is no"), lock_folder(tmp_path / "missing"):
        pass


@pytest.mark.parametrize("name", ["vault:x", "gcp-kms:x", "file:keyring.json", "aws-kms2:x"])
def test_an_unknown_provider_is_refused_by_name(settings: Settings, name: str) -> None:
    for create in (False, True):
        with pytest.raises(NoKey, match=f"there is no keyring provider `{name.partition(':')[0]}:`"):
            open_keyring(replace(settings, keyring=name), create=create)
