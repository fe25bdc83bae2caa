"""Bodies of the search APIs (AuthZEN 1.0 §8) read and written.

The id of what is searched for is ignored where it is sent, and so is an action where actions are searched for; all
else is read as in `evaluation`. Results have the members of the standard and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, get_args

import orjson

from policy_service.access.candidates import Role
from policy_service.access.query import read_whole
from policy_service.access.search_filters import Form
from policy_service.assets.sql.plain_sql import DIALECTS, Dialect
from policy_service.errors import RequestError
from policy_service.model import Act, Request, Thing
from policy_service.policy.stored_values import write_json
from policy_service.web.members import (
    NOTHING,
    name_kind,
    quote,
    read_act,
    read_object,
    read_thing,
    refuse_object,
    refuse_text,
)

ROLES: tuple[Role, ...] = get_args(Role)
# results of a page where the request does not say, and at most
LIMIT, LARGEST_LIMIT = 1_000, 1_000
FORMS: tuple[Form, ...] = get_args(Form)
_Choice = TypeVar("_Choice", bound=str)


class Body(NamedTuple):
    """A search that was read.

    `request` has an empty id, or an empty name, in the place of what is searched for. `limit` is none where the
    request names none; `paged` tells whether it has a `page` at all. `filter` is the form in which it wants the
    condition on resources instead of results, `dialect` that of its SQL.
    """

    role: Role
    request: Request
    token: str = ""
    limit: int | None = None
    paged: bool = False
    filter: Form | None = None
    dialect: Dialect = "postgresql"


def read_search(role: Role, body: Any) -> Body:
    """The search of a body; `RequestError` where a required member is missing or wrong."""
    if type(body) is not dict:
        raise RequestError(f"the body is {name_kind(body)}, send an object")
    read = {name: _read_target if name == role else read_thing for name in ("subject", "resource")}
    subject, resource = (read[name](body.get(name), name) for name in ("subject", "resource"))
    act = Act("") if role == "action" else read_act(body.get("action"))
    request = Request(subject, act, resource, read_object(body, "context"))
    token, limit = _read_page(read_object(body, "page"))
    options = read_object(body, "options")
    wanted = _read_choice(options, "filter", FORMS)
    if wanted is not None and role != "resource":
        raise RequestError("`options.filter` is an option of the resource search alone, leave it out")
    dialect = _read_choice(options if role == "resource" else NOTHING, "dialect", DIALECTS) or "postgresql"
    return Body(role, request, token, limit, body.get("page") is not None, wanted, dialect)


def _read_target(raw: Any, role: str) -> Thing:
    """What is searched for: a type, and properties that every candidate has."""
    if type(raw) is not dict:
        raise refuse_object(role, raw)
    kind = raw.get("type")
    if type(kind) is not str:
        raise refuse_text(f"{role}.type", kind)
    return Thing(kind, "", read_object(raw, "properties", role))


def _read_page(page: dict[str, Any]) -> tuple[str, int | None]:
    token, asked = page.get("token"), page.get("limit")
    if token is not None and type(token) is not str:
        raise RequestError(f"`page.token` is {name_kind(token)}, send the `next_token` of the page before")
    limit = read_whole(asked)
    if asked is not None and (limit is None or limit < 0):
        what = name_kind(asked) if limit is None else f"`{limit}`"
        raise RequestError(f"`page.limit` is {what}, send a whole number from 0 on")
    read_object(page, "properties", "page")
    # none in particular is as many as there are, within what one answer holds (§8.2.1 allows 0 and leaves it open)
    return token or "", min(limit, LARGEST_LIMIT) if limit else None


def _read_choice(options: dict[str, Any], name: str, choices: tuple[_Choice, ...]) -> _Choice | None:
    wanted = options.get(name)
    if wanted is None:
        return None
    for choice in choices:
        if wanted == choice:
            return choice
    raise RequestError(f"`options.{name}` is {quote(wanted)}, use one of {', '.join(choices)}")


def write_results(body: Body, results: Sequence[Thing | Act], token: str) -> bytes:
    """The body of a page of results: `page` first, where the request has one or another page follows (§8.2.2)."""
    answer: dict[str, Any] = {"page": {"next_token": token}} if token or body.paged else {}
    return orjson.dumps({**answer, "results": [_shape(found) for found in results]})


def write_filter(condition: Mapping[str, Any]) -> bytes:
    """The body of a search that wanted a condition: no results, and the condition as its context."""
    return write_json({"context": {"filter": condition}, "results": []}).encode()


def _shape(found: Thing | Act) -> dict[str, str]:
    return {"name": found.name} if isinstance(found, Act) else {"type": found.type, "id": found.id}
