"""What is recorded of a list: one record for the question, the filter that answered it, and what was shown.

It has the members of a decision's record, so that readers and masks know it, and `rows` and `filter` beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from policy_service.audit.records import record
from policy_service.model import Caller, Decision, Request

# characters of a filter: one of thousands of policies has millions
WORDS = 10_000


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
    filter_: str | None = None,
    counted: int | None = None,
    given: bool = False,
) -> Mapping[str, Any]:
    """The body of one line: `rows` says how many rows were examined and shown, and the ids of both.

    `request` asks for `PolicyService::list`, what was filtered by is its context; `facts` are those that the policies
    left over `filter_` for, with those of all rows that were decided one by one. Whether a row is shown is a decision
    of its own, so `decision` is true where any is. With `counted` rows were counted and not shown; with `given` the
    filter itself was the answer, and some row may be allowed by it. A long filter is cut short.
    """
    body = record(
        at=at,
        request_id=request_id,
        caller=caller,
        request=request,
        decision=Decision(bool(shown or counted or given), (), (), version),
        duration_us=duration_us,
        facts=facts,
        context_used=context_used,
    )
    rows: dict[str, Any] = {"examined": len(examined), "shown": len(shown), "ids": list(shown)}
    seen = set(shown)
    rows["withheld"] = [id_ for id_ in examined if id_ not in seen]
    if counted is not None:
        rows["counted"] = counted
    return {**body, "rows": rows, **({} if filter_ is None else {"filter": filter_[:WORDS]})}
