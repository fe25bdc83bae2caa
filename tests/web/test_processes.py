"""Workers come back when they die, and go when their parent does; a start that can't succeed says why."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.web.conftest import Server, Site, is_healthy, is_running, make_site, start_server, wait_for
from tests.web.test_checklist import ALLOW


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[Server, Site]]]:
    started: list[Server] = []

    def begin(**options: Any) -> tuple[Server, Site]:
        site = make_site(tmp_path)
        server = start_server(site, **options)
        started.append(server)
        server.wait()
        return server, site

    yield begin
    for server in started:
        if server.process.poll() is None:
            for worker in server.workers():
                os.kill(worker, signal.SIGKILL)
            server.process.kill()
            server.process.wait()


def decide(server: Server, site: Site) -> Any:
    headers = {"authorization": f"Bearer {site.keys['citadel']}"}
    return httpx.post(f"{server.url}/access/v1/evaluation", json=ALLOW, headers=headers).json()


def test_a_worker_that_dies_comes_back_however_often(start: Callable[..., tuple[Server, Site]]) -> None:
    """granian itself ends when one worker dies twice within some seconds."""
    server, site = start(workers=1)
    for _ in range(3):
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        wait_for(
            lambda dead=worker: dead not in server.workers() and is_healthy(server.url), 15, server.errors.read_text
        )
        assert decide(server, site) == {"decision": True}
    assert server.stop() == 0


def test_workers_that_die_together_come_back(start: Callable[..., tuple[Server, Site]]) -> None:
    server, site = start(workers=2)
    old = set(server.workers())
    for worker in old:
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: len(set(server.workers()) - old) == 2 and is_healthy(server.url), 15, server.errors.read_text)
    assert decide(server, site) == {"decision": True}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_parent(start: Callable[..., tuple[Server, Site]], number: int) -> None:
    server, _ = start(workers=2)
    workers = server.workers()
    assert len(workers) == 2
    code = server.stop(number)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0), server.errors.read_text()
    wait_for(lambda: not any(is_running(worker) for worker in workers), 10)
    assert not is_healthy(server.url)


def test_ctrl_c_in_a_terminal_ends_it_cleanly(start: Callable[..., tuple[Server, Site]]) -> None:
    """A terminal sends the signal to the whole group of processes."""
    server, _ = start(workers=2)
    workers = server.workers()
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(timeout=20) == 0
    assert not any(is_running(worker) for worker in workers)
    assert "Unexpected exit" not in server.errors.read_text()


def test_clients_that_send_slowly_do_not_keep_others_waiting(start: Callable[..., tuple[Server, Site]]) -> None:
    server, site = start(workers=1)
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = b"POST /access/v1/evaluation HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"
    slow = [socket.create_connection((host, int(port))) for _ in range(16)]
    try:
        for connection in slow:
            connection.sendall(head)
        assert decide(server, site) == {"decision": True}
    finally:
        for connection in slow:
            connection.close()
    assert decide(server, site) == {"decision": True}


def test_a_second_server_does_not_join_the_first(server: Server, site: Site) -> None:
    """Workers share their port, so that without a look a second server would answer every other request."""
    ended = subprocess.run(
        [sys.executable, "-m", "policy_service.cli", "serve", "--bind", server.url.removeprefix("http://")],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=site.folder,
        check=False,
    )
    assert (ended.returncode, "is in use" in ended.stderr) == (2, True)
