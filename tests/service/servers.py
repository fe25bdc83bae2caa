"""`policy-service serve` in processes of its own, over a site of its own, and clients that keep asking it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from policy_service.bundles.quiet import QUIET
from tests.logs import open_keys, read_segments
from tests.property.test_swaps import QUESTIONS, TENANT, write
from tests.service.houses import ROOT, fill
from tests.web.conftest import Server, Site, start_server, wait_for

# what a loaded machine may take; in life it is less than a second
LIMIT = 30.0
ALICE = {
    "subject": {"type": "user", "id": "alice"},
    "action": {"name": "read"},
    "resource": {"type": "doc", "id": "d1"},
}
BATCH = {
    "evaluations": [
        {
            "subject": {"type": question.subject.type, "id": question.subject.id},
            "action": {"name": question.action.name},
            "resource": {"type": question.resource.type, "id": question.resource.id},
        }
        for question in QUESTIONS
    ],
    "options": {"explain": "reasons"},
}
SINGLE_PATH, BATCH_PATH = "/access/v1/evaluation", "/access/v1/evaluations"
NUMBER = itertools.count()


def make_place(folder: Path) -> Site:
    """The platform's policies, and `acme` as the first of the two versions of `test_swaps`."""
    shutil.copytree(ROOT / "policies", folder / "policies")
    site = Site(folder)
    fill(folder / "tenants" / TENANT, write("v1"))
    site.keys[TENANT] = site.new_key(TENANT)
    return site


@contextlib.contextmanager
def serving(site: Site, **options: Any) -> Iterator[Server]:
    """A server that can decide; nothing of it is left afterwards."""
    server = start_server(site, **options)
    try:
        server.wait()
        yield server
    finally:
        if server.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.stop()
        for left in find_processes(site):
            with contextlib.suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        server.process.wait()


def find_processes(site: Site) -> list[int]:
    """What serves this site, whoever its parent is: workers have their parent's command line."""
    data = os.fsencode(site.settings.data)
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if data in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def run(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of `policy-service`, over the site's folders."""
    folders = {
        "POLICY_SERVICE_POLICIES": site.settings.policies,
        "POLICY_SERVICE_TENANTS": site.settings.tenants,
        "POLICY_SERVICE_DATA": site.settings.data,
    }
    return subprocess.run(
        [sys.executable, "-m", "policy_service.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=site.folder,
        env={**os.environ, **{name: str(path) for name, path in folders.items()}},
    )


def read_log(site: Site) -> list[dict[str, Any]]:
    """What `policy-service log --json` prints; nothing may be unreadable."""
    done = run(site, "log", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def count_requests(site: Site) -> Counter[str]:
    """How many records each request has in the log."""
    return Counter(record["request"] for record in read_log(site))


def read_status(site: Site, tenant: str = TENANT) -> dict[str, Any]:
    """What `policy-service status --json` says of a tenant."""
    done = run(site, "status", tenant, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    return row  # type: ignore[no-any-return]


def headers_of(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "x-request-id": f"r{next(NUMBER)}"}


def find_segments(site: Site, worker: int) -> list[Path]:
    """The files of the log that a worker wrote."""
    return sorted((site.settings.data / "log").glob(f"*-{worker}-*.jsonl"))


def find_worker(site: Site, request_id: str) -> int:
    """Which worker answered: the one whose segment of the log holds the request."""
    log = site.settings.data / "log"
    with open_keys(site.settings.data) as keys:
        for name, bodies in read_segments(log, keys).items():
            if any(body["request"] == request_id for body in bodies):
                return int(name.split("-")[1])
    raise AssertionError(f"{request_id} was answered and is not in the log")


@contextlib.contextmanager
def connect_to_each(server: Server, site: Site, tenant: str = TENANT) -> Iterator[dict[int, httpx.Client]]:
    """A connection that is kept to each of two workers, by process id."""
    clients: dict[int, httpx.Client] = {}
    with contextlib.ExitStack() as stack:

        def connect() -> bool:
            client = stack.enter_context(httpx.Client(base_url=server.url, timeout=LIMIT))
            headers = headers_of(site.keys[tenant])
            assert client.post(SINGLE_PATH, json=ALICE, headers=headers).status_code == 200
            clients.setdefault(find_worker(site, headers["x-request-id"]), client)
            return len(clients) == 2

        wait_for(connect, LIMIT, server.errors.read_text)
        yield clients


@dataclass(frozen=True)
class Told:
    """One answer, the rounds in which it was asked and given, and who asked it by which id."""

    request_id: str
    rounds: tuple[int, int]
    status: int
    version: str
    body: Any


@dataclass
class Load:
    """Clients that keep asking and write down each answer they were given."""

    server: Server
    token: str
    round: int = 0
    void: set[int] = field(default_factory=set)
    told: list[Told] = field(default_factory=list)
    # connections that broke: what was asked may be in the log or not
    broken: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def ask_on(self, path: str, body: Any, pause: float) -> None:
        while not self.stop.is_set():
            try:
                with httpx.Client(base_url=self.server.url, timeout=LIMIT) as client:
                    # a connection goes to one worker: after some requests perhaps to the other
                    for _ in range(20):
                        if not self.stop.is_set():
                            self.ask(client, path, body)
                            time.sleep(pause)
            except httpx.TransportError:
                self.broken += 1
                time.sleep(0.05)

    def ask(self, client: httpx.Client, path: str, body: Any) -> None:
        before, headers = self.round, headers_of(self.token)
        reply = client.post(path, json=body, headers=headers)
        version = reply.headers.get("policy-version", "")
        assert reply.headers["x-request-id"] == headers["x-request-id"]
        rounds = (before, self.round)
        self.told.append(Told(headers["x-request-id"], rounds, reply.status_code, version, reply.json()))

    def edit(self, write_files: Callable[[], list[float]]) -> None:
        """A round of writing; it is void where the machine paused for as long as files must be quiet."""
        self.round += 1
        if max(write_files(), default=0) > QUIET * 0.95:
            self.void.add(self.round)

    def wait_for_more(self, count: int = 20) -> None:
        """Go on until so many more answers were given."""
        until = len(self.told) + count
        wait_for(lambda: len(self.told) >= until, LIMIT, self.server.errors.read_text)


@contextlib.contextmanager
def under_load(server: Server, token: str, *, threads: int = 2, pause: float = 0.01) -> Iterator[Load]:
    """Clients that ask for single decisions and for batches until the block ends."""
    load = Load(server, token)
    kinds = [(SINGLE_PATH, ALICE), (BATCH_PATH, BATCH)]
    running = [
        threading.Thread(target=load.ask_on, args=(*kinds[number % 2], pause), daemon=True) for number in range(threads)
    ]
    for thread in running:
        thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        for thread in running:
            thread.join(timeout=LIMIT)


def limit_files(pids: list[int], size: int) -> None:
    """Let these processes write no file longer than `size`, as if the disk were full; -1 takes the limit off."""
    for pid in pids:
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size < 0 else size, hard))
