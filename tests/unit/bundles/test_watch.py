"""Files changed on disk are live within a second, by whole bundles, whatever happens on the way."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy_service.bundles import look as look_module
from policy_service.bundles import watch as module
from policy_service.bundles.current import Bundles
from policy_service.bundles.last_good import PLATFORM
from policy_service.bundles.look import Roots
from policy_service.bundles.quiet import QUIET
from policy_service.bundles.watch import names_of
from policy_service.config import Settings
from policy_service.errors import NoBundle, UnknownTenant
from tests.unit.bundles.folders import case, error, fill, ids, make, policy, wait_until
from tests.unit.bundles.test_revision import git

Start = Callable[[Settings], Bundles]


def is_unknown(bundles: Bundles, tenant: str = "acme") -> bool:
    try:
        bundles.current(tenant)
    except UnknownTenant:
        return True
    return False


@pytest.fixture(params=["events", "looking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the kernel's events, and where it gives none."""
    if request.param == "looking":

        def refuse(*_: Any, **__: Any) -> Any:
            raise OSError("no space left on device (os error 28)")

        monkeypatch.setattr(module.watchfiles, "watch", refuse)
    return str(request.param)


def test_an_edit_is_live_within_a_second_and_touches_nobody_else(tmp_path: Path, start: Start, way: str) -> None:
    settings = make(tmp_path, "acme", "citadel")
    bundles = start(settings)
    other = bundles.current("citadel")
    assert ids(bundles) == {"one"}
    started = time.monotonic()
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    assert wait_until(lambda: ids(bundles) == {"two"})
    assert time.monotonic() - started < 1.5
    assert bundles.current("citadel") is other
    fill(settings.tenants / "acme", {"sub/b.cedar": policy("three")})
    assert wait_until(lambda: ids(bundles) == {"two", "three"})
    shutil.rmtree(settings.tenants / "acme" / "sub")
    assert wait_until(lambda: ids(bundles) == {"two"})


def test_a_broken_edit_never_unseats_and_its_repair_is_taken(tmp_path: Path, start: Start, way: str) -> None:
    settings = make(tmp_path, "acme")
    bundles = start(settings)
    before = bundles.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    assert wait_until(lambda: error(bundles).startswith("tenants/acme/a.cedar:1:"))
    assert bundles.current("acme") is before
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    assert wait_until(lambda: ids(bundles) == {"two"})
    assert error(bundles) == ""


def test_a_failing_case_gates_a_live_edit(tmp_path: Path, start: Start) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"cases/a.yaml": case("allow")})
    bundles = start(settings)
    bundles.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": policy("two", "forbid")})
    assert wait_until(lambda: "expected allow, got deny" in error(bundles))
    assert ids(bundles) == {"one"}


def test_a_swapped_link_of_a_tenant_is_seen(
    tmp_path: Path, start: Start, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_module, "ROUND", 10**9)  # not by chance, in the round that looks at everything
    settings = make(tmp_path)
    for name in ("v1", "v2"):
        fill(tmp_path / "releases" / name, {"tenant.yaml": "name: x\n", "a.cedar": policy(name)})
    link = settings.tenants / "acme"
    link.symlink_to(tmp_path / "releases" / "v1")
    bundles = start(settings)
    assert ids(bundles) == {"v1"}
    (tmp_path / "next").symlink_to(tmp_path / "releases" / "v2")
    os.replace(tmp_path / "next", link)
    assert wait_until(lambda: ids(bundles) == {"v2"})
    fill(tmp_path / "releases" / "v2", {"a.cedar": policy("edited")})
    assert wait_until(lambda: ids(bundles) == {"edited"})


def test_a_swapped_link_needs_no_fingerprint(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make(tmp_path, "v1")
    link = settings.tenants / "acme"
    link.symlink_to("v1")
    bundles = start(settings)
    bundles.current("acme")
    fill(settings.tenants / "v2", {"tenant.yaml": "name: x\n", "a.cedar": policy("two")})
    monkeypatch.setattr(look_module.Looker, "_compare", lambda *_: None)  # thousands of links take their turns
    (tmp_path / "next").symlink_to("v2")
    monkeypatch.setattr(module, "names_of", lambda *_: [])
    os.replace(tmp_path / "next", link)
    assert wait_until(lambda: ids(bundles) == {"two"})


def test_a_volume_of_kubernetes_is_swapped_through_a_link_that_is_ignored(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_module, "ROUND", 10**9)
    settings = make(tmp_path)
    volume = settings.tenants / "acme"
    for name in ("one", "two"):
        fill(volume / f"..{name}", {"tenant.yaml": "name: x\n", "a.cedar": policy(name)})
    (volume / "..data").symlink_to("..one")
    for name in ("tenant.yaml", "a.cedar"):
        (volume / name).symlink_to(f"..data/{name}")
    bundles = start(settings)
    assert ids(bundles) == {"one"}
    (volume / "..data_tmp").symlink_to("..two")
    os.replace(volume / "..data_tmp", volume / "..data")
    assert wait_until(lambda: ids(bundles) == {"two"})


def test_a_swapped_root_is_seen_and_edits_after_it_too(tmp_path: Path, start: Start, way: str) -> None:
    for name in ("r1", "r2"):
        fill(tmp_path / name / "tenants" / "acme", {"tenant.yaml": "name: x\n", "a.cedar": policy(name)})
        fill(tmp_path / name / "policies", {"p.cedar": policy(f"platform-{name}", "forbid")})
    (tmp_path / "live").symlink_to("r1")
    settings = Settings(tmp_path / "live" / "policies", tmp_path / "live" / "tenants", tmp_path / "data")
    bundles = start(settings)
    assert ids(bundles) == {"r1"}
    (tmp_path / "next").symlink_to("r2")
    os.replace(tmp_path / "next", tmp_path / "live")
    both = {"r2", "platform-r2"}
    assert wait_until(lambda: {policy.id for policy in bundles.current("acme").policies} == both)
    fill(tmp_path / "r2" / "tenants" / "acme", {"a.cedar": policy("edited")})
    assert wait_until(lambda: ids(bundles) == {"edited"})


def test_an_edit_of_the_platform_rebuilds_what_is_loaded(tmp_path: Path, start: Start, way: str) -> None:
    settings = make(tmp_path, "acme", "citadel", "idle")
    bundles = start(settings)
    for tenant in ("acme", "citadel"):
        bundles.current(tenant)
    fill(settings.policies, {"more.cedar": policy("more", "forbid")})
    for tenant in ("acme", "citadel"):
        assert wait_until(lambda tenant=tenant: "more" in {p.id for p in bundles.current(tenant).policies})  # type: ignore[misc]
    assert bundles.current("acme").platform is bundles.current("citadel").platform  # parsed once
    assert {policy.id for policy in bundles.current("idle").policies} == {"platform", "more", "one"}
    fill(settings.policies, {"more.cedar": "nonsense"})
    assert wait_until(lambda: error(bundles, PLATFORM).startswith("policies/more.cedar:1:"))
    assert "more" in {policy.id for policy in bundles.current("acme").policies}


def test_an_emptied_platform_unseats_nothing(tmp_path: Path, start: Start) -> None:
    settings = make(tmp_path, "acme")
    bundles = start(settings)
    bundles.current("acme")
    (settings.policies / "platform.cedar").unlink()
    assert wait_until(lambda: "holds no policy" in error(bundles, PLATFORM))
    assert {policy.id for policy in bundles.current("acme").policies} == {"platform", "one"}


def test_a_removed_tenant_decides_no_longer_and_a_new_one_of_its_name_does(
    tmp_path: Path, start: Start, way: str
) -> None:
    settings = make(tmp_path, "acme")
    bundles = start(settings)
    bundles.current("acme")
    shutil.rmtree(settings.tenants / "acme")
    started = time.monotonic()
    assert wait_until(lambda: is_unknown(bundles))
    assert time.monotonic() - started < 1.5
    fill(settings.tenants / "acme", {"tenant.yaml": "name: x\n", "a.cedar": policy("again")})
    assert wait_until(lambda: ids(bundles) == {"again"})


def test_tenants_stay_while_their_root_is_away(tmp_path: Path, start: Start) -> None:
    settings = make(tmp_path, "acme")
    bundles = start(settings)
    bundles.current("acme")
    settings.tenants.rename(tmp_path / "away")
    time.sleep(0.7)
    assert ids(bundles) == {"one"}
    fill(tmp_path / "away" / "acme", {"a.cedar": policy("two")})
    (tmp_path / "away").rename(settings.tenants)
    assert wait_until(lambda: ids(bundles) == {"two"})


def test_a_tenant_without_a_bundle_is_good_when_it_is_repaired(tmp_path: Path, start: Start, way: str) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    bundles = start(settings)
    with pytest.raises(NoBundle):
        bundles.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    assert wait_until(lambda: ids(bundles) == {"two"})


def test_half_a_deploy_is_never_a_bundle(tmp_path: Path, start: Callable[..., Bundles]) -> None:
    settings = make(tmp_path, "acme")
    names = [f"{number}.cedar" for number in range(8)]
    fill(settings.tenants / "acme", {name: policy(f"old-{name}") for name in names} | {"a.cedar": policy("a")})
    bundles = start(settings, quiet=0.4)
    old = ids(bundles)
    seen: set[frozenset[str]] = set()
    for name in names:
        fill(settings.tenants / "acme", {name: policy(f"new-{name}")})
        for _ in range(3):
            seen.add(frozenset(ids(bundles)))
            time.sleep(0.008)
    new = {f"new-{name}" for name in names} | {"a"}
    assert wait_until(lambda: ids(bundles) == new)
    assert seen <= {frozenset(old), frozenset(new)}


def test_other_workers_verdicts_are_followed(tmp_path: Path, start: Start) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"cases/a.yaml": case("allow")})
    first = Bundles(settings, quiet=0.0)
    first.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": policy("two", "forbid")})
    second = start(settings)
    assert ids(second) == {"two"}  # a first load, so without cases
    first.rebuild("acme")
    assert wait_until(lambda: ids(second) == {"one"})


def test_a_commit_changes_the_version_of_what_answers(tmp_path: Path, start: Start) -> None:
    settings = make(tmp_path, "acme")
    fill(tmp_path, {".gitignore": "data\n"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "x")
    bundles = start(settings)
    first = bundles.current("acme").version
    assert (first.commit, first.dirty) == (git(tmp_path, "rev-parse", "HEAD"), False)
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    assert wait_until(lambda: bundles.current("acme").version.dirty)
    git(tmp_path, "commit", "-q", "-a", "-m", "y")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert wait_until(lambda: bundles.current("acme").version.commit == commit)
    assert not bundles.current("acme").version.dirty
    assert bundles.status()[1].version == bundles.current("acme").version_text
    assert git(tmp_path, "status", "--porcelain") == ""


def test_keys_and_prose_rebuild_nothing(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make(tmp_path, "acme")
    bundles = start(settings)
    before = bundles.current("acme")
    time.sleep(0.3)
    monkeypatch.setattr(bundles, "rebuild", lambda name: pytest.fail(f"{name} was rebuilt"))
    fill(settings.tenants / "acme", {"keys.yaml": "keys: []\n", "README.md": "x", ".a.swp": "x"})
    time.sleep(0.5)
    assert bundles.current("acme") is before


def test_the_watch_goes_on_after_an_error(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make(tmp_path, "acme")
    bundles = start(settings)
    bundles.current("acme")
    real, failed = look_module.Looker.look, []

    def fail_once(self: Any, **options: Any) -> None:
        if not failed:
            failed.append(1)
            raise ZeroDivisionError("out of luck")
        real(self, **options)

    monkeypatch.setattr(look_module.Looker, "look", fail_once)
    assert wait_until(lambda: bool(failed))
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    assert wait_until(lambda: ids(bundles) == {"two"})


def test_a_fifo_holds_up_nobody(tmp_path: Path, start: Start) -> None:
    settings = make(tmp_path, "acme")
    bundles = start(settings)
    bundles.current("acme")
    os.mkfifo(settings.tenants / "acme" / "b.cedar")
    assert wait_until(lambda: "no regular file" in error(bundles))
    assert ids(bundles) == {"one"}


def test_close_ends_the_threads(tmp_path: Path) -> None:
    bundles = Bundles(make(tmp_path), quiet=0.0)
    bundles.start()
    watch = bundles._watch
    assert watch is not None
    bundles.close()
    assert not any(thread.is_alive() for thread in watch._threads)


def test_it_is_fast_as_it_is_shipped(tmp_path: Path, start: Callable[..., Bundles], shipped: None) -> None:
    settings = make(tmp_path, "acme")
    bundles = start(settings, quiet=QUIET)
    bundles.current("acme")
    time.sleep(0.3)
    started = time.monotonic()
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    assert wait_until(lambda: ids(bundles) == {"two"})
    assert time.monotonic() - started < 1.0
    started = time.monotonic()
    shutil.rmtree(settings.tenants / "acme")
    assert wait_until(lambda: is_unknown(bundles))
    assert time.monotonic() - started < 1.0


def test_whose_a_changed_path_is() -> None:
    roots = Roots("/p", "/t")
    paths = {
        "/p/a.cedar": [(PLATFORM, True)],
        "/p/.git/index": [(PLATFORM, False)],
        "/p/README.md": [(PLATFORM, False)],
        "/t/acme": [("acme", True)],
        "/t/acme/a.cedar": [("acme", True)],
        "/t/acme/keys.yaml": [("acme", False)],
        "/t/acme/..data": [("acme", False)],
        "/t/acme/cases/.x": [("acme", False)],
        "/tt/acme": [],
        "/p": [],
    }
    assert {path: list(names_of(roots, [path])) for path in paths} == paths
    assert list(names_of(Roots("", "/t"), ["/p/a.cedar"])) == []
