"""The bundle that answers: first use, last good, refused, eviction, and all processes the same."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from policy_service.bundles import current as module
from policy_service.bundles import quiet as quiet_module
from policy_service.bundles.current import Bundles
from policy_service.bundles.sources import Source
from policy_service.config import Settings
from policy_service.errors import NoBundle, Refused, UnknownTenant
from tests.unit.bundles.folders import PLATFORM, QUIET, case, error, fill, ids, make, policy

Start = Callable[[Settings], Bundles]


def fresh(settings: Settings) -> Bundles:
    """As another process would begin: nothing in memory, the same folders."""
    return Bundles(settings, quiet=QUIET)


def rebuild(bundles: Bundles, name: str) -> bool:
    """As the watch does: again, until what is there has been quiet."""
    until = time.monotonic() + 20
    while not bundles.rebuild(name):
        assert time.monotonic() < until
        time.sleep(0.01)
    return True


def test_start_reads_no_tenant(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make(tmp_path, "acme", "citadel")
    monkeypatch.setattr(module, "tenant_candidate", lambda *_: pytest.fail("a tenant was loaded"))
    bundles = start(settings)
    assert sorted(bundles.names()) == ["acme", "citadel"]
    assert [status.loaded for status in bundles.status()] == [True, False, False]


def test_first_use_loads_and_the_next_is_the_same_object(tmp_path: Path) -> None:
    bundles = fresh(make(tmp_path, "acme"))
    bundle = bundles.current("acme")
    assert bundles.current("acme") is bundle
    assert ids(bundles) == {"one"}


def test_many_at_once_load_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundles = fresh(make(tmp_path, "acme"))
    made: list[str] = []
    real = module.tenant_candidate
    monkeypatch.setattr(module, "tenant_candidate", lambda *args: made.append(args[3]) or real(*args))  # type: ignore[func-returns-value]
    threads = [threading.Thread(target=bundles.current, args=("acme",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["acme"]


def test_a_tenant_without_a_folder_is_unknown_until_there_is_one(tmp_path: Path) -> None:
    settings = make(tmp_path)
    bundles = fresh(settings)
    for name in ("acme", "../policies", "@platform", ""):
        with pytest.raises(UnknownTenant):
            bundles.current(name)
    make(tmp_path, "acme")
    assert ids(bundles) == {"one"}


def test_a_missing_or_empty_platform_is_refused_at_start_whatever_was_good(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fresh(settings).current("acme")
    (settings.policies / "platform.cedar").unlink()
    with pytest.raises(Refused, match="missing or empty"):
        fresh(settings).start()
    fill(settings.policies, {"cases/a.yaml": "cases: []\n", "README.md": "x"})
    with pytest.raises(Refused, match="missing or empty"):
        fresh(settings).start()


def test_a_broken_platform_is_refused_where_none_was_good_and_the_last_good_one_answers_else(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.policies, {"platform.cedar": "nonsense"})
    with pytest.raises(Refused) as caught:
        fresh(settings).start()
    assert caught.value.findings[0].path == "policies/platform.cedar"
    fill(settings.policies, {"platform.cedar": PLATFORM})
    fresh(settings).current("acme")
    fill(settings.policies, {"platform.cedar": "nonsense"})
    bundles = fresh(settings)
    assert {policy.id for policy in bundles.current("acme").policies} == {"platform", "one"}
    assert error(bundles, "@platform").startswith("policies/platform.cedar:1:")


def test_a_tenant_that_never_was_good_has_no_bundle_and_says_why(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    bundles = fresh(settings)
    for _ in range(2):
        with pytest.raises(NoBundle, match=r"tenants/acme/a\.cedar:1: "):
            bundles.current("acme")
    assert error(bundles).startswith("tenants/acme/a.cedar:1:")


def test_the_log_says_what_is_wrong_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = make(tmp_path, "acme")
    bundles = fresh(settings)
    bundles.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    for _ in range(3):
        rebuild(bundles, "acme")
    assert caplog.text.count("tenants/acme/a.cedar:1: ") == 1
    assert "what was good before answers" in caplog.text


def test_one_broken_tenant_is_no_other_tenants_matter(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme", "citadel")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    bundles = fresh(settings)
    assert ids(bundles, "citadel") == {"one"}
    assert error(bundles, "citadel") == ""


def test_the_last_good_one_answers_after_a_restart(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    before = fresh(settings).current("acme")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    bundles = fresh(settings)
    assert ids(bundles) == {"one"}
    assert bundles.current("acme").version == before.version
    status = bundles.status()[1]
    assert status.version == before.version_text
    assert status.last_error.startswith("tenants/acme/a.cedar:1:")
    assert fresh(settings).status()[1].last_error == status.last_error  # who holds nothing knows it too
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    assert ids(fresh(settings)) == {"two"}
    assert error(fresh(settings)) == ""


def test_the_last_good_one_keeps_the_platform_it_was_good_with(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fresh(settings).current("acme")
    fill(settings.policies, {"platform.cedar": PLATFORM + policy("one")})  # the tenant's id, so the two clash
    bundles = fresh(settings)
    assert {policy.id for policy in bundles.current("acme").policies} == {"platform", "one"}
    assert "is taken by" in error(bundles)


def test_a_broken_tenant_does_not_keep_what_the_platform_forbids_since_out(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    bundles = fresh(settings)
    bundles.current("acme")
    fill(settings.tenants / "acme", {"b.cedar": "nonsense"})
    rebuild(bundles, "acme")
    fill(settings.policies, {"new.cedar": policy("new", "forbid")})
    rebuild(bundles, "@platform")
    rebuild(bundles, "acme")
    for held in (bundles, fresh(settings)):
        assert {policy.id for policy in held.current("acme").policies} == {"platform", "new", "one"}
        assert "b.cedar:1:" in error(held)
    before = bundles.current("acme")
    rebuild(bundles, "acme")
    assert bundles.current("acme") is before


def test_a_tenants_case_is_no_veto_on_what_the_platform_forbids(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"cases/a.yaml": case("allow")})
    bundles = fresh(settings)
    bundles.current("acme")
    fill(settings.policies, {"new.cedar": policy("new", "forbid")})
    rebuild(bundles, "@platform")
    rebuild(bundles, "acme")
    for held in (bundles, fresh(settings)):
        assert {policy.id for policy in held.current("acme").policies} == {"platform", "new", "one"}
        assert "expected allow, got deny (by `new`" in error(held)
    # what the tenant itself changes is held against its cases as ever
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    rebuild(bundles, "acme")
    assert ids(bundles) == {"one"}


def test_the_last_good_one_answers_after_eviction(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme", "citadel", bundles=1)
    bundles = fresh(settings)
    bundles.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    bundles.current("citadel")
    assert [status.loaded for status in bundles.status()] == [True, False, True]
    assert ids(bundles) == {"one"}


def test_the_least_recently_used_go(tmp_path: Path) -> None:
    settings = make(tmp_path, "a", "b", "c", "d", bundles=2)
    bundles = fresh(settings)
    for tenant in ("a", "b", "a", "c"):
        bundles.current(tenant)
    assert {status.tenant for status in bundles.status() if status.loaded} == {"@platform", "a", "c"}
    assert len(bundles.entries.used) == 2


def test_cases_do_not_gate_a_first_load(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"cases/a.yaml": case("deny")})
    assert ids(fresh(settings)) == {"one"}
    assert ids(fresh(settings)) == {"one"}


def test_a_refused_digest_is_taken_by_nobody(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"cases/a.yaml": case("allow")})
    first = fresh(settings)
    first.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": policy("two", "forbid")})
    assert rebuild(first, "acme")
    assert ids(first) == {"one"}
    # a first load runs no cases, so it is the record alone that keeps it out
    for bundles in (fresh(settings), fresh(settings)):
        assert ids(bundles) == {"one"}
        assert "expected allow, got deny" in error(bundles)


def test_cases_of_the_platform_gate_its_edits(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    stops = "{subject: user:alice, action: read, resource: 'doc:1', context: {stop: true}, expect: deny}"
    named = f"cases:\n  - {stops[:-1]}, reasons: [platform]}}\n"
    fill(settings.policies, {"cases/a.yaml": named})
    bundles = fresh(settings)
    bundles.current("acme")
    fill(settings.policies, {"platform.cedar": PLATFORM.replace("stop", "halt")})
    assert rebuild(bundles, "@platform")
    assert "expected the reasons `platform`, got none" in error(bundles, "@platform")
    kept = bundles.platform().serving
    assert kept
    assert [policy.text for policy in kept.what.layer.cedar] == [PLATFORM.strip()]


def test_cases_have_their_say_though_another_worker_loaded_the_edit_first(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"cases/a.yaml": case("allow")})
    first = fresh(settings)
    first.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": policy("two", "forbid")})
    second = fresh(settings)
    assert ids(second) == {"two"}
    rebuild(first, "acme")
    assert ids(first) == {"one"}
    rebuild(second, "acme")
    assert ids(second) == {"one"}
    assert ids(fresh(settings)) == {"one"}


def test_cases_that_there_was_no_time_for_are_named_and_do_not_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make(tmp_path, "acme")
    bundles = fresh(settings)
    bundles.current("acme")
    monkeypatch.setattr("policy_service.bundles.verdict.CASE_SECONDS", 0.0)
    fill(settings.tenants / "acme", {"a.cedar": policy("two"), "cases/a.yaml": case("deny")})
    rebuild(bundles, "acme")
    assert ids(bundles) == {"two"}
    assert bundles.status()[1].cases_not_run == ("user:alice read doc:1",)
    assert fresh(settings).status()[1].cases_not_run == ("user:alice read doc:1",)


def test_a_damaged_store_is_as_none(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fresh(settings).current("acme")
    for path in (settings.data / "bundles").rglob("*"):
        if path.is_file() and path.name != "lock":
            path.write_bytes(path.read_bytes()[:-3])
    assert ids(fresh(settings)) == {"one"}
    for path in (settings.data / "bundles").rglob("*"):
        if path.is_file() and len(path.name) == 64:
            path.write_bytes(b"")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    with pytest.raises(NoBundle):
        fresh(settings).current("acme")


def test_a_store_that_can_not_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = make(tmp_path, "acme")
    fill(tmp_path, {"data": "a file where the folder should be"})
    bundles = fresh(settings)
    assert ids(bundles) == {"one"}
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    rebuild(bundles, "acme")
    assert ids(bundles) == {"one"}
    assert "can't be stored" in caplog.text


def test_files_that_move_while_they_are_read_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make(tmp_path, "acme")
    bundles = fresh(settings)
    before = bundles.current("acme")
    real = quiet_module.read_layer

    def read_and_move(folder: Path, root: str) -> Source:
        source = real(folder, root)
        fill(folder, {"b.cedar": policy(f"p{time.monotonic_ns()}")})
        return source

    monkeypatch.setattr(quiet_module, "read_layer", read_and_move)
    fill(settings.tenants / "acme", {"a.cedar": policy("two")})
    assert not bundles.rebuild("acme")
    assert bundles.current("acme") is before


def test_a_first_load_waits_until_the_files_are_quiet(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    bundles = Bundles(settings, quiet=0.2)
    bundles.platform()
    done = threading.Event()

    def deploy() -> None:
        for number in range(10):
            fill(settings.tenants / "acme", {f"{number}.cedar": policy(f"p{number}")})
            time.sleep(0.03)
        done.set()

    thread = threading.Thread(target=deploy)
    thread.start()
    while not (settings.tenants / "acme" / "0.cedar").exists():
        time.sleep(0.001)
    seen = ids(bundles)
    assert done.is_set()
    thread.join()
    assert len(seen) == 11


def test_files_that_never_are_quiet_are_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make(tmp_path, "acme")
    fresh(settings).platform()
    bundles = Bundles(settings, quiet=0.3)
    monkeypatch.setattr(quiet_module, "PATIENCE", 0.1)
    stop = threading.Event()

    def scribble() -> None:
        while not stop.wait(0.005):
            fill(settings.tenants / "acme", {"a.cedar": policy(f"p{time.monotonic_ns()}")})

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        with pytest.raises(NoBundle, match="keep changing"):
            bundles.current("acme")
    finally:
        stop.set()
        thread.join()


def test_the_path_of_each_request_is_short(tmp_path: Path) -> None:
    bundles = fresh(make(tmp_path, "acme"))
    bundles.current("acme")
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(10_000):
            bundles.current("acme")
        best = min(best, (time.perf_counter() - started) / 10_000)
    assert best < 2e-6


WORKER = """
import sys, time
from pathlib import Path
from policy_service.bundles.current import Bundles
from policy_service.bundles.sources import Source
from policy_service.config import Settings
root = Path(sys.argv[1])
bundles = Bundles(Settings(root / "policies", root / "tenants", root / "data"), quiet=0.05)
bundles.start()
for line in sys.stdin:
    print(sorted(p.id for p in bundles.current("acme").policies if p.file.startswith("tenants/")), flush=True)
bundles.close()
"""


def test_two_processes_agree(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants / "acme", {"cases/a.yaml": case("allow")})
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    def answers() -> set[str]:
        said = set()
        for worker in workers:
            assert worker.stdin
            assert worker.stdout
            worker.stdin.write("?\n")
            worker.stdin.flush()
            said.add(worker.stdout.readline().strip())
        return said

    def wait_for(expected: str) -> bool:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if answers() == {expected}:
                return True
            time.sleep(0.02)
        return False

    try:
        assert answers() == {"['one']"}
        fill(settings.tenants / "acme", {"a.cedar": policy("two")})
        assert wait_for("['two']")
        fill(settings.tenants / "acme", {"a.cedar": policy("three", "forbid")})  # its case fails
        time.sleep(0.7)
        assert answers() == {"['two']"}
    finally:
        for worker in workers:
            worker.communicate()
    assert [worker.returncode for worker in workers] == [0, 0]
