"""Acts that are killed at one of their steps (SIGKILL, in a process of their own), on stores that can be had again."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from policy_service import config
from tests.stores import OWNER, RUNTIME, Place
from tests.unit.tenancy.estates import Estate

_ROOMS = tuple(f"{os.sep}policy_service{os.sep}{room}{os.sep}" for room in ("store", "tenancy"))
# what commits and what runs a statement is a step too
_STEPS = frozenset({"do_commit", "do_execute", "do_executemany"})


def count_steps(act: Callable[[], object]) -> int:
    """How many steps an act has: calls of functions that change a tenant's life, and what they have databases do."""
    reader, writer = os.pipe()
    child = _fork(act, None, writer)
    os.close(writer)
    with open(reader) as pipe:
        told = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return int(told)


def kill_at(act: Callable[[], object], step: int) -> bool:
    """Do the act and kill it at a step; false where it was over before."""
    status = os.waitpid(_fork(act, step, None), 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def spread(steps: int, points: int) -> list[int]:
    """Steps to be killed at, from the first to the last."""
    return sorted({1 + (steps - 1) * point // (points - 1) for point in range(points)})


def _fork(act: Callable[[], object], step: int | None, writer: int | None) -> int:
    child = os.fork()
    if child:
        return child
    try:
        seen = 0

        def count(frame: FrameType, event: str, _: Any) -> None:
            nonlocal seen
            if event == "call" and (
                frame.f_code.co_name in _STEPS or any(room in frame.f_code.co_filename for room in _ROOMS)
            ):
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        act()
        sys.setprofile(None)
        if writer is not None:
            os.write(writer, str(seen).encode())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(3)


@contextmanager
def copied(estate: Estate, folder: Path) -> Iterator[Estate]:
    """The estate once more, with all that is in it; nobody may have its store open."""
    folder.mkdir()
    tenants = folder / "tenants"
    shutil.copytree(estate.settings.tenants, tenants)
    cluster = estate.place.cluster
    if cluster is None:
        data = folder / "data"
        if estate.settings.data.exists():
            shutil.copytree(estate.settings.data, data)
        settings = replace(estate.settings, data=data, tenants=tenants)
        yield Estate(Place("sqlite", settings), settings, folder)
        return
    name = f"policy_{uuid.uuid4().hex[:12]}"
    cluster.execute(f"CREATE DATABASE {name} TEMPLATE {estate.place.database} OWNER {OWNER}")
    try:
        environment = {**estate.settings.environment(), "DATABASE_URL": cluster.url(RUNTIME, name)}
        settings = replace(config.read(environment), data=folder / "data", tenants=tenants)
        yield Estate(Place("postgresql", settings, cluster.url(OWNER, name), cluster, name), settings, folder)
    finally:
        cluster.drop_database(name)
