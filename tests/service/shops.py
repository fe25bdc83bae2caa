"""`serve` in processes of its own over each of the databases, with tenants that have stores, and clients that write."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from policy_service.cli import main
from policy_service.store.door import STATE_SECONDS
from policy_service.store.files import Files
from policy_service.store.opening import open_store
from tests.service.houses import ROOT, fill
from tests.service.servers import LIMIT, serving
from tests.stores import Place, make_place
from tests.web.conftest import Server, Site, wait_for

TENANTS = ("acme", "globex", "doomed")
# ada does everything; bob may read what the store says is red
POLICIES = """
@id("ada") permit(principal == user::"ada", action, resource);
@id("red") permit(principal == user::"bob", action == Action::"use", resource)
when { resource has color && resource.color == "red" };
"""
API, EVALUATION = "/api/v1/entities", "/access/v1/evaluation"
NUMBER = itertools.count()


@dataclass(frozen=True)
class Shop:
    """A server, where its store is, and keys by tenant and name: `ada` is ada's, `act` names anybody."""

    place: Place
    server: Server
    site: Site
    # keeps no connection
    client: httpx.Client

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str = "ada", tenant: str = "acme", **headers: str
    ) -> httpx.Response:
        """What one of the workers answers, by a connection of its own."""
        return self.client.request(method, path, json=body, headers=self.headers(key, tenant, **headers))

    def headers(self, key: str = "ada", tenant: str = "acme", **headers: str) -> dict[str, str]:
        given = {"authorization": f"Bearer {self.site.keys[f'{tenant}/{key}']}", "x-request-id": f"r{next(NUMBER)}"}
        if key == "act":
            given["policy-subject"] = "user:ada"
        return given | {name.replace("_", "-"): value for name, value in headers.items()}

    def ask_often(self, method: str, path: str, body: Any = None, **options: Any) -> list[httpx.Response]:
        """What several connections are answered, for the most part by each of the workers."""
        return [self.ask(method, path, body, **options) for _ in range(6)]

    def command(self, *arguments: str) -> str:
        """What a command of the owner says, by the settings of this shop."""
        environment = self.place.settings.environment() | {"DATABASE_ADMIN_URL": self.place.admin}
        done = CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def make(self, **properties: Any) -> dict[str, Any]:
        """A new entity of a key of its own, as it is shown."""
        made = self.ask("POST", API, draft(f"made-{next(NUMBER)}", **properties))
        assert made.status_code == 201, made.text
        return made.json()  # type: ignore[no-any-return]

    def path(self, tenant: str) -> Path:
        """The file of a tenant of an embedded store."""
        with contextlib.closing(open_store(self.place.settings)) as store:
            assert isinstance(store.databases, Files)
            return store.databases.path(tenant)

    def settle(self) -> None:
        """Wait for as long as a worker may answer by what it knew before."""
        time.sleep(STATE_SECONDS + 0.1)

    def wait(self, method: str, path: str, status: int, **options: Any) -> None:
        """Wait until several connections are answered with a status, which may all be one worker's."""
        wait_for(
            lambda: {reply.status_code for reply in self.ask_often(method, path, **options)} == {status},
            LIMIT,
            self.server.errors.read_text,
        )


def draft(key: str, **properties: Any) -> dict[str, Any]:
    return {"_key": key, "_type": "host", "_class": "Host", **properties}


@contextlib.contextmanager
def open_shop(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A shop with two workers over a database."""
    shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("cases"))
    site = Site(folder)
    for tenant in TENANTS:
        fill(site.settings.tenants / tenant, {"tenant.yaml": f"name: {tenant}\n", "own.cedar": POLICIES})
        scopes = ("decide", "read", "write")
        site.keys[f"{tenant}/ada"] = site.new_key(tenant, scopes=scopes, subject="user:ada")
        site.keys[f"{tenant}/act"] = site.new_key(tenant, scopes=("act", *scopes))
        site.keys[f"{tenant}/wrong"] = site.keys[f"{tenant}/ada"][:-1]
    with make_place(kind, folder, request, site.settings) as place:
        place.open(TENANTS).close()
        settings = place.settings
        environment = {"DATABASE_URL": settings.database_url, "POLICY_SERVICE_KEYRING": settings.keyring}
        with (
            serving(site, environment=environment) as server,
            httpx.Client(
                base_url=server.url, timeout=LIMIT, limits=httpx.Limits(max_keepalive_connections=0)
            ) as client,
        ):
            yield Shop(place, server, site, client)


@dataclass
class Writers:
    """Clients that make entities and change each, and write down what was acknowledged."""

    shop: Shop
    # by the id of the request: the entity's id, its version, what was written
    acknowledged: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    refused: list[httpx.Response] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def write_on(self) -> None:
        while not self.stop.is_set():
            # a connection that broke was acknowledged nothing: what it wrote is there or not
            with (
                contextlib.suppress(httpx.TransportError),
                httpx.Client(base_url=self.shop.server.url, timeout=LIMIT) as client,
            ):
                for _ in range(10):
                    number = next(NUMBER)
                    made = self._send(client, "POST", API, draft(f"w-{number}", size=number), number)
                    if made is not None and not self.stop.is_set():
                        self._send(client, "PATCH", f"{API}/{made}", {"size": number + 1}, number + 1)

    def _send(self, client: httpx.Client, method: str, path: str, body: Any, written: int) -> str | None:
        headers = self.shop.headers()
        reply = client.request(method, path, json=body, headers=headers)
        if not reply.is_success:
            self.refused.append(reply)
            time.sleep(0.05)
            return None
        shown = reply.json()
        self.acknowledged[headers["x-request-id"]] = shown["_id"], shown["_version"], written
        return str(shown["_id"])

    def wait_for_more(self, count: int = 20) -> None:
        """Go on until so many more were acknowledged."""
        until = len(self.acknowledged) + count
        wait_for(lambda: len(self.acknowledged) >= until, LIMIT, self.shop.server.errors.read_text)


@contextlib.contextmanager
def writing(shop: Shop, threads: int = 3) -> Iterator[Writers]:
    """Clients that write until the block ends."""
    writers = Writers(shop)
    running = [threading.Thread(target=writers.write_on, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield writers
    finally:
        writers.stop.set()
        for thread in running:
            thread.join(timeout=LIMIT)


def kill(shop: Shop, worker: int) -> None:
    """Kill a worker, and wait until there are two again."""
    os.kill(worker, 9)
    server = shop.server
    wait_for(lambda: worker not in server.workers() and len(server.workers()) == 2, LIMIT, server.errors.read_text)
