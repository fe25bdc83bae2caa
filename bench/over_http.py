"""Decisions per CPU second of one worker, against a Flask view that does nothing under the same server."""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.material import groups, irrelevant, relevant, request
from bench.timing import Row

REQUESTS, ROUNDS = 1_500, 7
PATH = "/access/v1/evaluation"
ROOT = Path(__file__).parents[1]


def rows() -> Iterator[Row]:
    """The decision API and the batch of 20, each against the view."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as (port, key, pid),
        null() as (null_port, null_pid),
    ):
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        ratios, costs = [], []
        numbers = iter(range(10**9))
        for _ in range(ROUNDS):
            ours = cost(port, pid, headers, numbers)
            theirs = cost(null_port, null_pid, headers, numbers)
            ratios.append(theirs / ours)
            costs.append((ours, theirs))
        ours, theirs = (statistics.median(pair[side] for pair in costs) for side in (0, 1))
        yield Row(
            "decisions per CPU second, one worker, key and log on",
            f"{statistics.median(ratios):.2f}× ({1e6 / ours:.0f} / {1e6 / theirs:.0f} a second; {ours:.0f} / {theirs:.0f} µs)",
            "a do-nothing Flask view",
            "≥ 0.35, goal 0.6",
        )


def cost(port: int, pid: int, headers: dict[str, str], numbers: Iterator[int]) -> float:
    """Microseconds of the server's CPU for one request, over requests that never repeat subject and resource."""
    bodies = [json.dumps(body(next(numbers))).encode() for _ in range(REQUESTS)]
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    before = cpu(pid)
    for sent in bodies:
        connection.request("POST", PATH, sent, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or text != b'{"decision":true}':
            raise SystemExit(f"unexpected answer {answer.status}: {text[:200]!r}")
    used = cpu(pid) - before
    connection.close()
    return used / REQUESTS * 1e6


def body(number: int) -> dict[str, object]:
    """A request nobody sent before; its subject is in ten groups."""
    asked = request(number, user=f"u{number % 5_000}")
    return {
        "subject": {"type": "user", "id": asked.subject.id, "properties": asked.subject.properties},
        "action": {"name": "read"},
        "resource": {"type": "doc", "id": asked.resource.id, "properties": asked.resource.properties},
        "context": asked.context,
    }


def cpu(pid: int) -> float:
    """CPU seconds of a process and its descendants so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu(int(child)) for child in children)


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, str, int]]:
    """A service with one worker on material of its own: its port, a key and the process."""
    tenant = folder / "tenants" / "bench"
    tenant.mkdir(parents=True)
    (tenant / "tenant.yaml").write_text("name: bench\n")
    (tenant / "p.cedar").write_text(relevant(10) + "\n" + irrelevant(990))
    (tenant / "groups.csv").write_text(groups(10, members=5_000))
    places = ["--policies", str(ROOT / "policies"), "--tenants", str(folder / "tenants")]
    key = subprocess.run(
        [*command(), "key", "new", "bench", "--tenants", str(folder / "tenants")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()[-1]
    port = free_port()
    arguments = [
        *command(),
        "serve",
        *places,
        "--data",
        str(folder / "data"),
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "1",
    ]
    with running(arguments, port) as pid:
        yield port, key, pid


@contextmanager
def null() -> Iterator[tuple[int, int]]:
    """The do-nothing view with one worker: its port and process."""
    port = free_port()
    arguments = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--workers",
        "1",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "bench.null_app:app",
    ]
    with running(arguments, port) as pid:
        yield port, pid


@contextmanager
def running(arguments: list[str], port: int) -> Iterator[int]:
    """A process while it listens."""
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        time.sleep(1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def command() -> list[str]:
    """The command line of this checkout."""
    return [sys.executable, "-m", "policy_service.cli"]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
