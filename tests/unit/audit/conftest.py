"""Records to write and logs to write them to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy_service.audit.decision_log import DecisionLog
from policy_service.audit.records import record
from policy_service.model import Act, Caller, Decision, Effect, Engine, Failure, Policy, Request, Thing
from tests.logs import make_keys

READ = Policy("hosts-read", Effect.PERMIT, "tenants/acme/hosts.cedar", 3, Engine.CEDAR, "not part of a record")
FACTS = '[{"uid":{"type":"user","id":"alice"},"attrs":{"ssn":"123-45"},"parents":[]}]'
MAKE = Callable[..., dict[str, Any]]
OPEN = Callable[..., DecisionLog]


def make(**changes: Any) -> dict[str, Any]:
    """A record of an allow, in which some of what `record` takes is changed."""
    given: dict[str, Any] = {
        "at": 1_767_225_600.25,
        "request_id": "r-1",
        "caller": Caller("acme", "abcdefghijkl", frozenset({"decide"}), Thing("user", "alice")),
        "request": Request(
            Thing("user", "alice", {"ssn": "123-45", "team": "red"}),
            Act("read", {"soft": True}),
            Thing("host", "web-1", {"labels": [{"name": "a", "value": "b"}]}),
            {"ip": "10.0.0.1", "a.b": {"c": 1}},
        ),
        "decision": Decision(True, (READ,), (Failure(READ, "`alice` has no `x`"),), "abc+def"),
        "duration_us": 120,
        "facts": FACTS,
        "context_used": '{"ip":"10.0.0.1"}',
    }
    return record(**given | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "log"


@pytest.fixture
def open_log(folder: Path) -> Any:
    """Open logs on the folder; they are closed when the test ends."""
    logs: list[DecisionLog] = []

    def open_one(**changes: Any) -> DecisionLog:
        given: dict[str, Any] = {"segment_bytes": 1 << 20, "keep_bytes": 1 << 30, "keep_days": 30}
        logs.append(DecisionLog(folder, **given | {"keys": make_keys()} | changes))
        return logs[-1]

    yield open_one
    for log in logs:
        log.close()
