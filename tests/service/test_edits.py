"""Files and keys that change while two workers answer: nothing but old or new, in both of them, without a restart."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from policy_service.identity import keys
from tests.property.test_swaps import OPEN, QUESTIONS, TENANT, VERSIONS, learn, write_over
from tests.service.houses import fill
from tests.service.servers import (
    ALICE,
    BATCH,
    BATCH_PATH,
    LIMIT,
    SINGLE_PATH,
    Load,
    connect_to_each,
    headers_of,
    make_place,
    read_status,
    run,
    serving,
    under_load,
)
from tests.web.conftest import Server, Site, wait_for


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Site]]:
    site = make_place(tmp_path_factory.mktemp("site"))
    with serving(site) as server:
        yield server, site


def version_of(client: httpx.Client, site: Site) -> str:
    return client.post(SINGLE_PATH, json=ALICE, headers=headers_of(site.keys[TENANT])).headers["policy-version"]


def check(load: Load, known: dict[str, tuple[tuple[bool, tuple[str, ...]], ...]]) -> None:
    """No error, and no answer that is neither the one version's nor the other's."""
    assert load.told
    for told in load.told:
        assert told.status == 200, told
        if not load.void.isdisjoint(told.rounds):
            continue
        expected = known[told.version]
        if "decision" in told.body:
            assert told.body["decision"] is expected[0][0], told
            continue
        answers = [
            (item["decision"], tuple(sorted(reason["id"] for reason in item["context"]["reasons"])))
            for item in told.body["evaluations"]
        ]
        assert tuple(answers) == expected, told
        assert {item["context"]["version"] for item in told.body["evaluations"]} == {told.version}


def test_edits_under_load(place: tuple[Server, Site]) -> None:
    server, site = place
    folder, known = site.settings.tenants / TENANT, learn(site.settings)
    versions = list(known)
    with connect_to_each(server, site) as clients, under_load(server, site.keys[TENANT]) as load:
        for number in (1, 0, 1, 0):
            load.edit(partial(write_over, folder, VERSIONS[number], way="replace" if number else "in place"))
            for client in clients.values():
                wait_for(lambda c=client, n=number: version_of(c, site) == versions[n], LIMIT, server.errors.read_text)
            load.wait_for_more()
        assert set(clients) == set(server.workers())
    check(load, known)
    assert load.broken == 0
    assert {told.version for told in load.told} >= set(known)


def test_a_broken_edit_keeps_the_last_good_one_in_every_worker(place: tuple[Server, Site]) -> None:
    server, site = place
    folder, known = site.settings.tenants / TENANT, learn(site.settings)
    good = next(iter(known))
    write_over(folder, "v1")
    with connect_to_each(server, site) as clients:
        for client in clients.values():
            wait_for(lambda c=client: version_of(c, site) == good, LIMIT)
    with under_load(server, site.keys[TENANT]) as load:
        # what forbids can't be read any more, and what is beside it lets everyone in
        fill(folder, {"d.cedar": "forbid ("})
        fill(folder, {"a.cedar": OPEN})
        wait_for(lambda: f"tenants/{TENANT}/d.cedar:1:" in read_status(site)["last_error"], LIMIT)
        load.wait_for_more()
        row = read_status(site)
        assert (row["version"], row["tenant"]) == (good, TENANT)
        # a worker that starts now serves what the others do
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: victim not in server.workers() and len(server.workers()) == 2, LIMIT, server.errors.read_text)
        with connect_to_each(server, site) as clients:
            for client in clients.values():
                reply = client.post(BATCH_PATH, json=BATCH, headers=headers_of(site.keys[TENANT]))
                assert reply.headers["policy-version"] == good
                assert [item["decision"] for item in reply.json()["evaluations"]] == [True, True, False, False]
        load.wait_for_more()
    check(load, {good: known[good]})
    fill(folder, {"a.cedar": "// soon\n"})
    write_over(folder, "v1")
    wait_for(lambda: read_status(site)["last_error"] == "", LIMIT)
    assert len(QUESTIONS) == len(known[good])


def test_keys_work_and_end_in_every_worker_at_once(place: tuple[Server, Site]) -> None:
    server, site = place
    fill(site.settings.tenants / "other", {"tenant.yaml": "name: x\n"})

    def statuses(client: httpx.Client, token: str, path: str = SINGLE_PATH) -> int:
        return client.post(path, json=ALICE, headers=headers_of(token)).status_code

    with connect_to_each(server, site) as clients:
        token = run(site, "key", "new", TENANT).stdout.splitlines()[-1]
        foreign = run(site, "key", "new", "other").stdout.splitlines()[-1]
        unfit = run(site, "key", "new", TENANT, "--scope", "read").stdout.splitlines()[-1]
        for client in clients.values():
            wait_for(lambda c=client: statuses(c, token) == 200, LIMIT)
            assert statuses(client, token, f"/tenants/{TENANT}{SINGLE_PATH}") == 200
            assert statuses(client, token, f"/tenants/other{SINGLE_PATH}") == 401
            assert statuses(client, foreign, f"/tenants/{TENANT}{SINGLE_PATH}") == 401
            assert statuses(client, unfit) == 403
        assert run(site, "key", "revoke", TENANT, token.split("_")[2]).returncode == 0
        for client in clients.values():
            wait_for(lambda c=client: statuses(c, token) == 401, LIMIT)
            assert statuses(client, site.keys[TENANT]) == 200
        # a whole file at once, as git brings it
        listed = keys.entries(site.settings.tenants, TENANT)
        text = (site.settings.tenants / TENANT / "keys.yaml").read_text()
        fill(site.settings.tenants / TENANT, {"keys.yaml": "keys: 1\n"})
        for client in clients.values():
            wait_for(lambda c=client: statuses(c, site.keys[TENANT]) == 401, LIMIT)
        assert "keys.yaml:1:" in read_status(site)["keys_problem"]
        fill(site.settings.tenants / TENANT, {"keys.yaml": text})
        for client in clients.values():
            wait_for(lambda c=client: statuses(c, site.keys[TENANT]) == 200, LIMIT)
        assert keys.entries(site.settings.tenants, TENANT) == listed
        assert set(clients) == set(server.workers())
