"""Servers to measure: started, asked over connections of one worker each, and stopped."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

PATH = "/access/v1/evaluation"
ROOT = Path(__file__).parents[1]


class Answer(NamedTuple):
    """What a server sent: the status, the version of the files that decided, the body."""

    status: int
    version: str
    body: bytes


class Line:
    """A connection that is kept, and with it the worker that answers."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = int(self._connection.sock.getsockname()[1])

    def post(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Ask for a decision."""
        return self._ask("POST", PATH, body, headers)

    def get(self, path: str) -> Answer:
        """Get a page."""
        return self._ask("GET", path, None, {})

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return Answer(answer.status, answer.getheader("Policy-Version", ""), answer.read())


@contextmanager
def lines(port: int, pid: int, workers: int) -> Iterator[dict[int, Line]]:
    """A connection to each worker of the server `pid`, by the worker's process."""
    opened: list[Line] = []
    found: dict[int, Line] = {}
    try:
        while len(found) < workers:
            opened.append(Line(port))
            opened[-1].get("/healthz")
            found[answering(port, opened[-1].port, pid)] = opened[-1]
        yield found
    finally:
        for line in opened:
            line.close()


def answering(port: int, client: int, pid: int) -> int:
    """Which child of `pid` holds the other end of the connection from the port `client`."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = (f":{port:04X}", f":{client:04X}")
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(ends[0]) and row[2].endswith(ends[1])}
    for child in children(pid):
        for handle in Path(f"/proc/{child}/fd").iterdir():
            with suppress(OSError):
                if os.readlink(handle) in sockets:
                    return child
    raise SystemExit(f"no process below {pid} answers on port {port}")


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu(pid: int) -> float:
    """CPU seconds of a process and its descendants so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(cpu, children(pid)))


def rss(pid: int | str = "self") -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serve(folder: Path, port: int, workers: int, policies: Path = ROOT / "policies") -> list[str]:
    """The command that serves `folder/tenants`."""
    places = ["--policies", str(policies), "--tenants", str(folder / "tenants"), "--data", str(folder / "data")]
    return [*command(), "serve", *places, "--bind", f"127.0.0.1:{port}", "--workers", str(workers)]


def command() -> list[str]:
    """The command line of this checkout."""
    return [sys.executable, "-m", "policy_service.cli"]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(arguments: list[str]) -> Iterator[int]:
    """A process, from its very start until it is told to end."""
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def running(arguments: list[str], port: int) -> Iterator[int]:
    """A process while it listens."""
    with started(arguments) as pid:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        time.sleep(1)
        yield pid


def bearer(key: str) -> dict[str, str]:
    """The headers of a request with this key."""
    return {"authorization": f"Bearer {key}", "content-type": "application/json"}


def question(subject: str, resource: str) -> bytes:
    """A small request for a decision."""
    asked = {"subject": {"type": "user", "id": subject}, "action": {"name": "read"}}
    return json.dumps({**asked, "resource": {"type": "doc", "id": resource, "properties": {"level": 0}}}).encode()
