"""What is recorded of a decision, and what a mask takes out of it.

A record is enough to evaluate the decision again without any store: the request as it was asked, the facts
and the context that were used (Cedar JSON), and the version of the files. Where a mask took something out,
the record says so: `"replayable": false` and the list `masked`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from policy_service.errors import Refused
from policy_service.model import Caller, Decision, Request, Thing

MASKED = "***"

# a mask names one of these, or something below it; `None`: anything may be below
_FIELDS: Mapping[str, frozenset[str] | None] = {
    "subject": frozenset({"type", "id", "properties"}),
    "action": frozenset({"name", "properties"}),
    "resource": frozenset({"type", "id", "properties"}),
    "context": None,
    "caller": frozenset({"key", "subject"}),
    "facts": frozenset(),
}
_OPEN = frozenset({"properties", "context", "caller.subject"})


def record(
    *,
    at: float,
    request_id: str,
    caller: Caller,
    request: Request,
    decision: Decision,
    duration_us: int,
    facts: bytes | str | None = None,
    context_used: bytes | str | None = None,
) -> dict[str, Any]:
    """The body of one line, as it is before it is sealed.

    `at` is the time in seconds; `facts` and `context_used` are JSON texts (Cedar's format) that are embedded
    as they are, `None` where nothing was looked up.
    """
    subject, action, resource, context = request
    return {
        "time": instant(at),
        "request": request_id,
        "tenant": caller.tenant,
        "caller": {"key": caller.key_id, "subject": _thing(caller.subject)}
        if caller.subject
        else {"key": caller.key_id},
        "subject": _thing(subject),
        "action": {"name": action.name, "properties": action.properties}
        if action.properties
        else {"name": action.name},
        "resource": _thing(resource),
        "context": context,
        "decision": decision.allowed,
        "reasons": [
            {
                "id": policy.id,
                "effect": policy.effect,
                "file": policy.file,
                "line": policy.line,
                "engine": policy.engine,
            }
            for policy in decision.reasons
        ],
        "errors": [{"id": failure.policy.id, "why": failure.why} for failure in decision.errors],
        "version": decision.version,
        "duration_us": duration_us,
        "facts": _embed(facts),
        "context_used": _embed(context_used),
    }


def instant(at: float | datetime) -> str:
    """A time as records have it, RFC 3339 in UTC with microseconds; two of them compare as texts."""
    seconds = at.timestamp() if isinstance(at, datetime) else at
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{micros:06d}Z"


@lru_cache(maxsize=16)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat()[:19]


def _thing(thing: Thing) -> dict[str, Any]:
    if thing.properties:
        return {"type": thing.type, "id": thing.id, "properties": thing.properties}
    return {"type": thing.type, "id": thing.id}


def _embed(text: bytes | str | None) -> orjson.Fragment | None:
    return None if text is None else orjson.Fragment(text)


class Mask:
    """Fields to replace by `***`: `subject.id`, `resource.properties.ssn`, `context.ip`, `facts`.

    What a mask hides can stand in the facts, in the context that was used and in the sentence of an engine's error or
    of a refused request, so a mask on anything but `facts` hides all of these too. Any mask hides the filter of a list,
    which says what facts say; one on `subject` hides the same of the caller's subject, one on `resource` the ids of the
    rows of a list. Who decided can't be masked: another path is `Refused`.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(dict.fromkeys(paths))
        for path in self.paths:
            _check(path)
        hidden = list(self.paths)
        if any(path != "facts" for path in self.paths):
            hidden += ["facts", "context_used", "errors.why", "refused"]
        # it is made of all of these
        hidden += ["filter"] if self.paths else []
        hidden += [f"caller.{path}" for path in self.paths if path.partition(".")[0] == "subject"]
        # the ids of the rows of a list
        if any(path.partition(".")[0] == "resource" for path in self.paths):
            hidden += ["rows.ids", "rows.withheld"]
        self._hidden = [(path, path.split(".")) for path in dict.fromkeys(hidden)]

    def __bool__(self) -> bool:
        return bool(self.paths)

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The record without what is hidden; the one that was given stays as it is."""
        masked: Any = body
        for _, parts in self._hidden:
            masked = _hide(masked, parts)
        return {**masked, "replayable": False, "masked": [path for path, _ in self._hidden]}


def _check(path: str) -> None:
    root, *below = path.split(".")
    known = _FIELDS.get(root, frozenset())
    if root not in _FIELDS:
        raise Refused(f"`{path}` can't be masked, a mask names {_list(_FIELDS)} or a part of them")
    if "" in below:
        raise Refused(f"`{path}` can't be masked, a part of it is empty")
    if below and known is not None and below[0] not in known:
        choice = f"below `{root}` there is {_list(sorted(known))}" if known else f"`{root}` goes as a whole"
        raise Refused(f"`{path}` can't be masked, {choice}")
    if len(below) > 1 and not _OPEN & {root, below[0], f"{root}.{below[0]}"}:
        raise Refused(f"`{path}` can't be masked, `{root}.{below[0]}` has no parts")


def _list(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _hide(value: Any, parts: Sequence[str]) -> Any:
    """A copy of `value` in which what the path names is `***`, in each element where there is a list.

    A member's name may hold dots itself, so every way to read the path is followed.
    """
    if isinstance(value, list | tuple):
        return [_hide(part, parts) for part in value]
    if not isinstance(value, Mapping):
        return value
    changed = dict(value)
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        if changed.get(name) is not None:
            changed[name] = MASKED if end == len(parts) else _hide(changed[name], parts[end:])
    return changed


def dumps(body: Mapping[str, Any]) -> bytes:
    """The JSON text of a record, numbers as they were sent; `TypeError` where a value is none that JSON can hold."""
    try:
        return orjson.dumps(body, _spell)
    except TypeError:
        # integers beyond 64 bits are rare, and the only thing that orjson does not ask `_spell` about
        return orjson.dumps(_spell_integers(body), _spell)


def read_body(text: bytes) -> dict[str, Any]:
    """The record of a JSON text, every number exact (fractions as `Decimal`); `ValueError` where there is none."""
    try:
        body = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("it is no record")
    return body


def _spell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"`{type(value).__name__}` is no JSON value")


def _spell_integers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _spell_integers(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_spell_integers(part) for part in value]
    if isinstance(value, int) and value.bit_length() > 63:
        return orjson.Fragment(str(value))
    return value


def _refuse_constant(text: str) -> Callable[[], None]:
    raise ValueError(f"`{text}` is not a JSON number")
