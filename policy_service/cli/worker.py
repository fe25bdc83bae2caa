"""A worker process: it loads the application and ends when the process that started it is gone.

granian's workers outlive a parent that is killed (*tried*), and would go on answering from a port that
nobody can stop. Linux is asked to send a signal; a thread watches too, for other systems and for a parent
that died before the kernel was asked.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import sys
import threading
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5
_GRACE_SECONDS = 5.0
# a worker that can't start is respawned at once, so it takes its time to fail
_FAILURE_SECONDS = 1.0

_log = logging.getLogger(__name__)


def load(parent: int, target: str) -> Any:
    """What `target` (`module:factory`) makes, in a worker of the process `parent`; it reads the environment."""
    # until granian takes them, signals do what the parent's handlers, which a fork inherits, would swallow
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    follow(parent)
    # a terminal sends Ctrl-C to every process of its group; only the parent is to act on it
    os.setsid()
    try:
        module, _, factory = target.partition(":")
        return getattr(importlib.import_module(module), factory)()
    except Exception:
        _log.exception("the worker can't start")
        time.sleep(_FAILURE_SECONDS)
        raise


def follow(parent: int) -> None:
    """End this process, gracefully where it can, when `parent` is no longer its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    threading.Thread(target=_watch, args=(parent,), name="follow-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)
