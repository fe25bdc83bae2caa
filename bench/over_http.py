"""Decisions per CPU second of one worker, against a Flask view that does nothing under the same server."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.material import groups, irrelevant, relevant, request
from bench.server import Line, bearer, cpu, free_port, running, serve
from bench.timing import Row
from policy_service.identity import keys

REQUESTS, ROUNDS = 1_500, 7


def rows() -> Iterator[Row]:
    """The decision API and the batch of 20, each against the view."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as (port, key, pid),
        null() as (null_port, null_pid),
    ):
        headers = bearer(key)
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
            f"{statistics.median(ratios):.2f}× "
            f"({1e6 / ours:.0f} / {1e6 / theirs:.0f} a second; {ours:.0f} / {theirs:.0f} µs)",
            "a do-nothing Flask view",
            "≥ 0.35, goal 0.6",
        )


def cost(port: int, pid: int, headers: dict[str, str], numbers: Iterator[int]) -> float:
    """Microseconds of the server's CPU for one request, over requests that never repeat subject and resource."""
    bodies = [json.dumps(body(next(numbers))).encode() for _ in range(REQUESTS)]
    line = Line(port)
    before = cpu(pid)
    for sent in bodies:
        answer = line.post(sent, headers)
        if answer.status != 200 or answer.body != b'{"decision":true}':
            raise SystemExit(f"unexpected answer {answer.status}: {answer.body[:200]!r}")
    used = cpu(pid) - before
    line.close()
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


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, str, int]]:
    """A service with one worker on material of its own: its port, a key and the process."""
    tenant = folder / "tenants" / "bench"
    tenant.mkdir(parents=True)
    (tenant / "tenant.yaml").write_text("name: bench\n")
    (tenant / "p.cedar").write_text(relevant(10) + "\n" + irrelevant(990))
    (tenant / "groups.csv").write_text(groups(10, members=5_000))
    key, _ = keys.create(folder / "tenants", "bench", now=time.time())
    port = free_port()
    with running(serve(folder, port, workers=1), port) as pid:
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
