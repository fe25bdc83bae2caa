"""Other processes of the tests, which say what they do and can be killed. They are forked from one that has imported
all, so that they begin at once."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from policy_service.config import Settings
from policy_service.errors import PolicyServiceError
from policy_service.store import migrate
from policy_service.store.opening import open_store
from policy_service.store.tables import SERVICE, ElementRow, EntityRow, TrailEntryRow
from policy_service.store.upgrading import upgrade
from tests.store.rows import MINE, entity
from tests.stores import admin_url

PARTS = 4

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__])

Act = Callable[..., Any]


class Worker:
    """A process that waits to be told to begin; `said` are the lines it said so far."""

    def __init__(self, act: Act, *given: Any) -> None:
        self._ours, theirs = _forks.Pipe()
        self._process = _forks.Process(target=_work, args=(theirs, act, given), daemon=True)
        self._process.start()
        theirs.close()
        self.said: list[str] = []
        assert self.hear() == "ready"

    def begin(self) -> None:
        """Let it go on."""
        self._ours.send("begin")

    def hear(self) -> str | None:
        """The next line; `None` where there is no more."""
        try:
            line: str = self._ours.recv()
        except (EOFError, ConnectionResetError):
            return None
        self.said.append(line)
        return line

    def kill(self) -> None:
        """End it at once, and hear what it had said before."""
        self._process.kill()
        self.end()

    def end(self) -> str:
        """Wait until it ended, and return the last line."""
        while self.hear() is not None:
            pass
        self._process.join()
        return self.said[-1]


@contextmanager
def working(count: int, act: Act, *given: Any) -> Iterator[list[Worker]]:
    """Processes that are about to act; whatever still runs at the end is killed."""
    with ExitStack() as stack:
        workers = [Worker(act, *given) for _ in range(count)]
        for worker in workers:
            stack.callback(worker.kill)
        yield workers


def _work(pipe: Connection, act: Act, given: tuple[Any, ...]) -> None:
    pipe.send("ready")
    pipe.recv()
    try:
        act(pipe.send, *given)
    except PolicyServiceError as error:
        pipe.send(f"refused: {error}")
    except Exception as error:
        pipe.send(f"failed: {error!r}")


def write(say: Act, settings: Settings, name: str) -> None:
    """Entities without end, each in one transaction with rows beside it; said once they are committed."""
    store = open_store(settings)
    for number in range(1_000_000):
        id_ = f"{name}-{os.getpid()}-{number}"
        with store.session(MINE, write=True) as session:
            session.add(EntityRow(**entity(id_)))
            session.flush()
            session.add_all(ElementRow(name="part", value=str(part), id=id_) for part in range(PARTS))
            session.add(TrailEntryRow(id=id_, body=id_))
        say(id_)


def begin(say: Act, settings: Settings) -> None:
    """Open the store, and say what the key of the service is."""
    store = open_store(settings)
    say(store.keys.active(SERVICE).secret.hex())
    store.close()


def open_later(say: Act, settings: Settings, revisions: Path) -> None:
    """Open a tenant's file with a program that has more revisions."""
    migrate._FOLDER = revisions
    store = open_store(settings)
    with store.session(MINE) as session:
        say(str(session.connection().exec_driver_sql("SELECT max(version) FROM entity").scalar()))


def upgrade_database(say: Act, settings: Settings, admin: str) -> None:
    """What `policy-service db upgrade` does."""
    with admin_url(admin):
        say(str(upgrade(settings, lambda *_: None)))
