"""What is recorded of a list: one record for the question and every row that was looked at.

It has the members of a decision's record, so that readers and masks know it, and `rows` beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from policy_service.audit.records import record
from policy_service.model import Caller, Decision, Request


def record_list(
    *,
    at: float,
    request_id: str,
    caller: Caller,
    request: Request,
    version: str,
    duration_us: int,
    facts: str,
    context_used: bytes,
    examined: Sequence[str],
    shown: Sequence[str],
) -> Mapping[str, Any]:
    """The body of one line: `rows` says how many rows were examined and shown, and the ids of both.

    `request` asks for `PolicyService::list`, what was filtered by is its context; `facts` are those of all rows
    together. Whether a row is shown is a decision of its own, so `decision` is true where any is.
    """
    body = record(
        at=at,
        request_id=request_id,
        caller=caller,
        request=request,
        decision=Decision(bool(shown), (), (), version),
        duration_us=duration_us,
        facts=facts,
        context_used=context_used,
    )
    rows = {"examined": len(examined), "shown": len(shown), "ids": list(shown)}
    hidden = set(shown)
    return {**body, "rows": {**rows, "withheld": [id_ for id_ in examined if id_ not in hidden]}}
