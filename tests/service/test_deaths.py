"""Workers and their parent killed: no answered decision is missing from the log, no worker is left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx

from tests.property.test_swaps import OPEN, TENANT, learn, write_over
from tests.service.houses import fill
from tests.service.servers import (
    ALICE,
    BATCH,
    LIMIT,
    SINGLE_PATH,
    count_requests,
    find_processes,
    find_segments,
    headers_of,
    make_place,
    read_log,
    read_status,
    serving,
    under_load,
)
from tests.web.conftest import Server, Site, is_running, wait_for


def ask(server: Server, token: str) -> httpx.Response:
    with httpx.Client(base_url=server.url, timeout=LIMIT) as client:
        return client.post(SINGLE_PATH, json=ALICE, headers=headers_of(token))


def kill_one(server: Server, site: Site) -> int:
    """Kill a worker once both have decided something, and wait until there are two again."""
    wait_for(lambda: all(find_segments(site, worker) for worker in server.workers()), LIMIT, server.errors.read_text)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in server.workers() and len(server.workers()) == 2, LIMIT, server.errors.read_text)
    return victim


def test_no_answered_decision_is_lost(tmp_path: Path) -> None:
    site = make_place(tmp_path)
    with serving(site) as server:
        with under_load(server, site.keys[TENANT], threads=4, pause=0) as load:
            load.wait_for_more(50)
            victims = [kill_one(server, site)]
            load.wait_for_more(50)
            # a record that a writer did not get to end, as a power cut leaves it
            (segment,) = find_segments(site, victims[0])
            whole = segment.read_bytes()
            with segment.open("ab") as file:
                file.write(b'{"tenant":"acme","key_version":1,"time":"2026-01-01T00:00:00.000000Z","body":"AQAA')
            victims.append(kill_one(server, site))
            load.wait_for_more(50)
        # repaired by the worker that started last
        wait_for(lambda: segment.read_bytes() == whole, LIMIT)
        assert {told.status for told in load.told} == {200}
        check(site, load.told)
        answered = list(load.told)

        with under_load(server, site.keys[TENANT], threads=4, pause=0) as load:
            load.wait_for_more(50)
            workers = server.workers()
            server.process.kill()
            server.process.wait()
            wait_for(lambda: not any(is_running(worker) for worker in workers), LIMIT)
            assert find_processes(site) == []
        answered += load.told
        check(site, answered)

    with serving(site) as server:
        reply = ask(server, site.keys[TENANT])
        assert reply.json() == {"decision": True}
        records = check(site, answered)
        assert records[reply.headers["x-request-id"]] == 1


def check(site: Site, answered: list) -> dict[str, int]:
    """Each request that was answered is in the log once, a batch by each of its items."""
    records = count_requests(site)
    for told in answered:
        items = len(BATCH["evaluations"]) if "evaluations" in told.body else 1
        assert records[told.request_id] == items, told
    assert max(records.values()) == len(BATCH["evaluations"])
    return records


def test_a_restart_serves_the_last_good_one(tmp_path: Path) -> None:
    site = make_place(tmp_path)
    folder, known = site.settings.tenants / TENANT, learn(site.settings)
    fill(site.settings.tenants / "fresh", {"tenant.yaml": "name: x\n", "a.cedar": "permit ("})
    fresh = site.new_key("fresh")
    with serving(site) as server:
        assert ask(server, site.keys[TENANT]).json() == {"decision": True}
        assert ask(server, fresh).status_code == 503
    fill(folder, {"a.cedar": OPEN, "d.cedar": "forbid ("})
    with serving(site) as server:
        for _ in range(10):
            reply = ask(server, site.keys[TENANT])
            assert (reply.status_code, reply.headers["policy-version"]) == (200, next(iter(known)))
            reply = ask(server, fresh)
            assert reply.status_code == 503
            assert reply.headers["content-type"] == "application/problem+json"
            assert "decision" not in reply.json()
        assert f"tenants/{TENANT}/d.cedar:1:" in read_status(site)["last_error"]
        assert "tenants/fresh/a.cedar:1:" in read_status(site, "fresh")["last_error"]
        # mended while it runs
        fill(site.settings.tenants / "fresh", {"a.cedar": OPEN})
        wait_for(lambda: ask(server, fresh).status_code == 200, LIMIT, server.errors.read_text)
        fill(folder, {"a.cedar": "// soon\n"})
        write_over(folder, "v2")
        wait_for(lambda: ask(server, site.keys[TENANT]).json() == {"decision": False}, LIMIT)
    assert {record["tenant"] for record in read_log(site)} == {TENANT, "fresh"}


def test_a_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    site = make_place(tmp_path)
    with serving(site) as server, under_load(server, site.keys[TENANT], threads=4, pause=0) as load:
        load.wait_for_more(50)
        workers = server.workers()
        assert server.stop() == 0
        assert not any(is_running(worker) for worker in workers)
    assert {told.status for told in load.told} <= {200, 503}
    check(site, [told for told in load.told if told.status == 200])
