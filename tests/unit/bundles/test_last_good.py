"""The store of last good bundles: whole, verified, bounded, and never a crash."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from policy_service.bundles import last_good
from policy_service.bundles.last_good import PLATFORM, Store
from policy_service.bundles.record import Good, Record
from policy_service.bundles.sources import digest

FILES = {"a.cedar": b"1", "cases/b.yaml": b"2"}
OTHER = {"a.cedar": b"2"}


def good(platform: dict[str, bytes], tenant: dict[str, bytes]) -> Good:
    return Good(digest(platform), digest(tenant), "", False, "", True)


def test_layers_come_back_as_they_were_stored(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep("acme", digest(FILES), FILES)
    store.keep("acme", digest(FILES), FILES)
    assert store.fetch("acme", digest(FILES)) == FILES
    assert store.fetch("acme", digest(OTHER)) is None
    assert store.fetch("citadel", digest(FILES)) is None


@pytest.mark.parametrize("damage", [b"", b"1", None])
def test_a_damaged_layer_is_as_one_that_is_not_there_and_is_written_again(tmp_path: Path, damage: bytes | None) -> None:
    store, name = Store(tmp_path), digest(FILES)
    store.keep("acme", name, FILES)
    place = tmp_path / "acme" / name
    place.write_bytes(place.read_bytes()[:-1] if damage is None else damage)
    assert store.fetch("acme", name) is None
    store.keep("acme", name, FILES)
    assert store.fetch("acme", name) == FILES


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "5", '{"service": 1}', "[" * 100_000, "\x00", '{"good": {}}'])
def test_a_damaged_pointer_is_as_one_that_is_not_there(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path)
    store.write("acme", Record().accept(good(FILES, OTHER)))
    store.pointer("acme").write_text(text)
    assert store.read("acme") == Record()
    assert "damaged" in caplog.text
    store.write("acme", Record(seen="x"))
    assert store.read("acme").seen == "x"


def test_what_no_pointer_names_goes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep("acme", digest(FILES), FILES)
    store.keep("acme", digest(OTHER), OTHER)
    (tmp_path / "acme" / ".torn").write_text("x")
    store.write("acme", Record().accept(good(FILES, FILES)))
    assert sorted(path.name for path in (tmp_path / "acme").iterdir()) == sorted([digest(FILES), "pointer.json"])
    assert store.fetch("acme", digest(FILES)) == FILES


def test_the_platforms_layer_is_stored_once(tmp_path: Path) -> None:
    store, name = Store(tmp_path), digest(FILES)
    store.keep(PLATFORM, name, FILES)
    for tenant in ("acme", "citadel"):
        store.keep(tenant, name, FILES)
        assert store.fetch(tenant, name) == FILES
    assert os.stat(tmp_path / "acme" / name).st_nlink == 3
    store.keep("acme", digest(OTHER), OTHER)
    store.write(PLATFORM, Record())
    assert store.fetch("acme", name) == FILES


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "bundles")
    store.keep("acme", digest(FILES), FILES)
    assert (tmp_path / "bundles" / "acme").stat().st_mode & 0o077 == 0
    assert (tmp_path / "bundles" / "acme" / digest(FILES)).stat().st_mode & 0o077 == 0


def test_one_holds_the_lock_at_a_time(tmp_path: Path) -> None:
    store, held, most = Store(tmp_path), 0, 0

    def work() -> None:
        nonlocal held, most
        for _ in range(5):
            with Store(tmp_path).lock("acme"):
                held += 1
                most = max(most, held)
                threading.Event().wait(0.002)
                held -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    with store.lock("acme"), store.lock("citadel"):
        pass


def test_a_lock_that_is_never_given_back_stops_nobody_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_good, "LOCK_SECONDS", 0.05)
    with Store(tmp_path).lock("acme"), Store(tmp_path).lock("acme"):
        pass
