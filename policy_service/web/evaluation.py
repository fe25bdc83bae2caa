"""Bodies of the Access Evaluation and Access Evaluations APIs (AuthZEN 1.0 §5 to §7) read and written.

What is checked by hand here is described by `schemas` in the OpenAPI document; a property test holds both
equal. `null` is as if the member was not sent, unknown members are ignored at every level, and types are
never converted. An answer is bare (`decision` alone) unless the request asked for reasons.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from policy_service.errors import RequestError
from policy_service.model import Decision, Policy, Request
from policy_service.policy.failures import tell
from policy_service.web.errors import TooLarge
from policy_service.web.members import NOTHING, name_kind, quote, read_act, read_object, read_thing

ITEMS = 1_000
# what a batch may be once its defaults stand in each item: so much is evaluated and recorded, and the log is finite
WRITTEN_OUT = 16 * 1024 * 1024
# each with the decision that ends the batch (§7.1.2.1)
SEMANTICS: dict[str, bool | None] = {
    "execute_all": None,
    "deny_on_first_deny": False,
    "permit_on_first_permit": True,
}
REASONS = "reasons"

_PARTS = ("subject", "action", "resource", "context")
_ALLOW, _DENY = b'{"decision":true}', b'{"decision":false}'


class Body(NamedTuple):
    """A body that was read: the items in order, each a question or why it is none.

    `until` is the decision that ends the batch. `single` is set where the answer is one decision and not an
    array: on the Access Evaluation API, and where `evaluations` is absent or empty.
    """

    items: list[Request | RequestError]
    explain: bool
    until: bool | None = None
    single: bool = True


def read_single(body: Any) -> Body:
    """The one question of an Access Evaluation body; `RequestError` where a required member is missing or wrong."""
    if type(body) is not dict:
        raise RequestError(f"the body is {name_kind(body)}, send an object")
    explain = _read_explain(read_object(body, "options")) if "options" in body else False
    return Body([_read_request(body)], explain)


def read_batch(body: Any) -> Body:
    """The questions of an Access Evaluations body, defaults applied; what is wrong with one item stays with it.

    `RequestError` where the body as a whole can't be read (§7.1): a default that is no object, an unknown
    semantic, more than `ITEMS` items; `TooLarge` where the defaults make it more than `WRITTEN_OUT` bytes.
    """
    if type(body) is not dict:
        raise RequestError(f"the body is {name_kind(body)}, send an object")
    options = read_object(body, "options")
    explain, semantic = _read_explain(options), options.get("evaluations_semantic")
    if semantic is not None and (type(semantic) is not str or semantic not in SEMANTICS):
        raise RequestError(f"`options.evaluations_semantic` is {quote(semantic)}, use one of {', '.join(SEMANTICS)}")
    items = body.get("evaluations")
    if items is None:
        items = []
    elif type(items) is not list:
        raise RequestError(f"`evaluations` is {name_kind(items)}, send an array")
    if not items:
        return Body([_read_request(body)], explain)
    if len(items) > ITEMS:
        raise RequestError(f"`evaluations` holds {len(items)} items, send at most {ITEMS}")
    defaults = {part: read_object(body, part) for part in _PARTS if body.get(part) is not None}
    if defaults and len(items) * len(json.dumps(defaults, default=str)) > WRITTEN_OUT:
        raise TooLarge(f"with its defaults in each item the batch is larger than {WRITTEN_OUT} bytes, split it")
    until = SEMANTICS[semantic] if semantic else None
    return Body([_read_item(item, defaults) for item in items], explain, until, single=False)


def _read_item(item: Any, defaults: dict[str, Any]) -> Request | RequestError:
    """One item over the defaults, by whole member (§7.1.1): an object of the item is never merged with a default."""
    if type(item) is not dict:
        return RequestError(f"the item is {name_kind(item)}, send an object")
    own = {part: item[part] for part in _PARTS if item.get(part) is not None}
    try:
        return _read_request({**defaults, **own} if own else defaults)
    except RequestError as error:
        return error


def _read_request(body: dict[str, Any]) -> Request:
    act = read_act(body.get("action"))
    context = read_object(body, "context") if "context" in body else NOTHING
    return Request(
        read_thing(body.get("subject"), "subject"), act, read_thing(body.get("resource"), "resource"), context
    )


def _read_explain(options: dict[str, Any]) -> bool:
    wanted = options.get("explain")
    if wanted is None:
        return False
    if wanted != REASONS:
        raise RequestError(f"`options.explain` is {quote(wanted)}, the one value it takes is `{REASONS}`")
    return True


def write_single(decision: Decision, explain: bool) -> bytes:
    """The body of one decision."""
    if explain:
        return orjson.dumps(_shape(decision, True))
    return _ALLOW if decision.allowed else _DENY


def write_batch(decisions: Sequence[Decision | RequestError], explain: bool) -> bytes:
    """The body of a batch: `evaluations` in the order of the request and no `decision` beside it (§7.2)."""
    return orjson.dumps({"evaluations": [_shape(decision, explain) for decision in decisions]})


def _shape(decision: Decision | RequestError, explain: bool) -> dict[str, Any]:
    if isinstance(decision, RequestError):
        message = str(decision).encode("utf-8", "replace").decode()
        return {"decision": False, "context": {"error": {"status": 400, "message": message}}}
    if not explain:
        return {"decision": decision.allowed}
    return {"decision": decision.allowed, "context": _explain(decision)}


def _explain(decision: Decision) -> dict[str, Any]:
    context: dict[str, Any] = {
        "reasons": [_shape_policy(policy) for policy in decision.reasons],
        "errors": [{**_shape_policy(failure.policy), "error": tell(failure)} for failure in decision.errors],
        "version": decision.version,
    }
    if decision.unsatisfied:
        context["unsatisfied"] = [
            {"id": policy.id, "file": policy.file, "line": policy.line} for policy in decision.unsatisfied
        ]
    return context


def _shape_policy(policy: Policy) -> dict[str, Any]:
    return {
        "id": policy.id,
        "effect": policy.effect.value,
        "file": policy.file,
        "line": policy.line,
        "message": policy.message,
        "engine": policy.engine.value,
    }
