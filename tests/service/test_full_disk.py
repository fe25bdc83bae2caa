"""A disk without space: what can't be recorded is not answered, and it goes on by itself once there is space."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.disks import fill_up, small_disk
from tests.property.test_swaps import TENANT
from tests.service.servers import (
    ALICE,
    BATCH,
    BATCH_PATH,
    LIMIT,
    SINGLE_PATH,
    connect_to_each,
    count_requests,
    headers_of,
    limit_files,
    make_place,
    serving,
)
from tests.web.conftest import Server, Site, wait_for


def test_a_full_disk(tmp_path: Path) -> None:
    site = make_place(tmp_path)
    with small_disk(site.settings.data), serving(site) as server:
        filler: list[Path] = []
        check(server, site, lambda: filler.append(fill_up(site.settings.data)), lambda: filler[0].unlink())


def test_files_that_can_not_grow(tmp_path: Path) -> None:
    site = make_place(tmp_path)
    with serving(site) as server:
        check(server, site, lambda: limit_files(server.workers(), 64), lambda: limit_files(server.workers(), -1))


def check(server: Server, site: Site, fill_disk, free_disk) -> None:
    """Answers before, refusals while there is no space, answers again: in the same workers, each in the log once."""
    answered: dict[str, int] = {}
    refused: list[str] = []

    def ask(client: httpx.Client, path: str = SINGLE_PATH) -> int:
        headers = headers_of(site.keys[TENANT])
        reply = client.post(path, json=ALICE if path == SINGLE_PATH else BATCH, headers=headers)
        if reply.status_code == 200:
            answered[headers["x-request-id"]] = 1 if path == SINGLE_PATH else len(BATCH["evaluations"])
        else:
            assert reply.status_code == 503
            assert reply.headers["content-type"] == "application/problem+json"
            assert set(reply.json()) == {"type", "title", "status", "detail", "error"}
            assert "could not be recorded" in reply.json()["detail"]
            refused.append(headers["x-request-id"])
        return reply.status_code

    with connect_to_each(server, site) as clients:
        for client in clients.values():
            assert (ask(client), ask(client, BATCH_PATH), client.get("/healthz").status_code) == (200, 200, 200)
        fill_disk()
        for client in clients.values():
            # the last page of a segment may have room for some more
            wait_for(lambda c=client: ask(c) == 503, LIMIT)
            assert [ask(client, path) for path in (BATCH_PATH, SINGLE_PATH) * 3] == [503] * 6
            health = client.get("/healthz")
            assert (health.status_code, "log can't be written" in health.json()["detail"]) == (503, True)
        free_disk()
        for client in clients.values():
            wait_for(lambda c=client: c.get("/healthz").status_code == 200, LIMIT)
            assert [ask(client, path) for path in (SINGLE_PATH, BATCH_PATH) * 3] == [200] * 6
        assert set(clients) == set(server.workers())
    records = count_requests(site)
    assert {name: records[name] for name in answered} == answered
    assert not set(refused) & set(records)
