"""The address to listen on, and the processes that do: granian, with workers that come back."""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from granian.constants import Interfaces, Loops, SSLProtocols
from granian.log import LogLevels
from granian.server.mp import MPServer

from policy_service import config
from policy_service.cli import worker
from policy_service.config import Settings
from policy_service.errors import Refused

# decisions take turns at the interpreter; the others are for requests that wait for the disk or for a slow client
THREADS = 32

# by name: the command line does not import the web room, only its workers do
APPLICATION = "policy_service.web:create_app"

_HANDLERS = {
    name: {"formatter": kind, "class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
    for name, kind in (("console", "generic"), ("access", "access"))
}


class Server(MPServer):
    """granian's server, except that it never gives up on a worker.

    granian ends when one worker dies twice within some seconds, and may miss one of two that die together.
    """

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait()
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                break
            if self.reload_signal:
                self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            dead = [worker.idx for worker in self.wrks if not worker.inner.is_alive()]
            self.interrupt_children.clear()
            if dead:
                self._respawn_workers(dead, spawn_target, target_loader)


def read_bind(bind: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; an IPv6 host stands in brackets. Anything else is `Refused`."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:\s]+):(\d{1,5})", bind, re.ASCII)
    if not match or int(match[2]) > 65535:
        raise Refused(f"`{bind}` is no address to listen on, write `HOST:PORT`, for example `127.0.0.1:8080`")
    return match[1].strip("[]"), int(match[2])


def find_port(host: str, port: int) -> int:
    """The port itself where it is free, a free one where it is 0; `Refused` where it can't be listened on.

    The workers share their port (SO_REUSEPORT), so that without this look a second server would join unnoticed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
            return int(probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused(f"`{host}:{port}` is in use, stop what listens there or choose another `--bind`") from None
        reason = (error.strerror or str(error)).lower()
        raise Refused(f"can't listen on `{host}:{port}`: {reason}, choose another `--bind`") from None


def require_private(settings: Settings) -> None:
    """See that nobody reads along: beyond loopback only with TLS, or for proxies that speak it, else `Refused`."""
    proxies = config.read_networks(settings.behind_proxy)
    address = _resolve(*read_bind(settings.bind))
    if not (settings.ssl_cert or proxies or ip_address(address.partition("%")[0]).is_loopback):
        raise Refused(
            f"`{settings.bind}` is not on loopback and what goes there could be read on its way, give --ssl-cert and "
            "--ssl-key, or name the proxies that speak TLS in its place with --behind-proxy"
        )


def _resolve(host: str, port: int) -> str:
    return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])


def write_address(host: str, port: int) -> str:
    """`HOST:PORT` as URLs write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(settings: Settings, on_start: Callable[[], None] | None = None) -> None:
    """Serve until interrupted; `on_start` is called once the parent listens, before workers start."""
    host, port = read_bind(settings.bind)
    config.forget_admin_url()
    config.write(settings)
    server = Server(
        APPLICATION,
        address=_resolve(host, port),
        port=port,
        ssl_cert=Path(settings.ssl_cert) if settings.ssl_cert else None,
        ssl_key=Path(settings.ssl_key) if settings.ssl_key else None,
        ssl_protocol_min=SSLProtocols.tls12,
        interface=Interfaces.WSGI,
        loop=Loops.asyncio,
        workers=settings.workers,
        blocking_threads=THREADS,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig={"handlers": _HANDLERS},
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )
    if on_start is not None:
        server.on_startup(on_start)
    sys.stderr.flush()
    server.serve(target_loader=partial(worker.load, os.getpid(), APPLICATION), wrap_loader=False)
