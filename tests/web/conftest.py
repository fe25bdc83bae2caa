"""A site with the demo tenants and keys, a service over it in this process, and one behind a real server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from policy_service.access.authorize import Service
from policy_service.config import Settings
from policy_service.identity import keys
from policy_service.web.application import open_service
from policy_service.web.authzen import answer

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """Folders of their own, and a key of each demo tenant."""

    folder: Path
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(
            policies=self.folder / "policies",
            tenants=self.folder / "tenants",
            data=self.folder / "data",
            public_url="https://pdp.example.com",
        )

    def new_key(self, tenant: str, **options: Any) -> str:
        return keys.create(self.settings.tenants, tenant, now=options.pop("now", time.time()), **options)[0]


def make_site(folder: Path) -> Site:
    for name in ("policies", "tenants"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("keys.yaml"))
    site = Site(folder)
    for tenant in ("citadel", "acme"):
        site.keys[tenant] = site.new_key(tenant)
    return site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def service(site: Site) -> Service:
    return open_service(site.settings)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Asks `answer` in this process, as a front would."""

    service: Service
    key: str

    def send(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str | None
    ) -> Reply:
        """Headers are keywords (`content_type`); `None` leaves one out."""
        sent = {
            "authorization": f"Bearer {self.key}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        status, own, payload = answer(
            self.service,
            method,
            path,
            {name: value for name, value in sent.items() if value is not None},
            json.dumps(body).encode() if raw is None else raw,
            "127.0.0.1",
        )
        names = [name for name, _ in own]
        assert len(names) == len(set(names)), "a header stands twice"
        return Reply(status, dict(own), payload)

    def evaluate(self, body: Any = None, **options: Any) -> Reply:
        return self.send("POST", "/access/v1/evaluation", body, **options)

    def evaluate_all(self, body: Any = None, **options: Any) -> Reply:
        return self.send("POST", "/access/v1/evaluations", body, **options)


@pytest.fixture
def client(service: Service, site: Site) -> Client:
    """A client with a key of citadel."""
    return Client(service, site.keys["citadel"])


@dataclass
class Server:
    """`policy-service serve` in processes of its own."""

    process: subprocess.Popen[bytes]
    url: str
    errors: Path

    def workers(self) -> list[int]:
        """The children of the serving process that answer."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def wait(self) -> None:
        wait_for(lambda: is_healthy(self.url), 30, lambda: self.errors.read_text())

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


def start_server(site: Site, *options: str, workers: int = 2, environment: Mapping[str, str] | None = None) -> Server:
    port = free_port()
    errors = site.folder / f"serve-{port}.txt"
    settings = site.settings
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "policy_service.cli", "serve",
                "--policies", str(settings.policies), "--tenants", str(settings.tenants), "--data", str(settings.data),
                "--bind", f"127.0.0.1:{port}", "--workers", str(workers), *options,
            ],
            stdout=file, stderr=file, cwd=site.folder, start_new_session=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
    return Server(process, f"http://127.0.0.1:{port}", errors)


@pytest.fixture(scope="session")
def server(site: Site) -> Iterator[Server]:
    """One server for all tests that do not harm it."""
    server = start_server(site)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture
def http(server: Server, site: Site) -> Iterator[httpx.Client]:
    """An HTTP client with a key of citadel."""
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {site.keys['citadel']}"}) as client:
        yield client


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(condition: Callable[[], bool], seconds: float, say: Callable[[], str] = lambda: "") -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} seconds {say()}"
        time.sleep(0.05)
