"""The JSON schemas of the search APIs (AuthZEN 1.0 §8): what `searching` accepts, to the letter."""

from __future__ import annotations

from typing import Any

from policy_service.assets.sql.plain_sql import DIALECTS
from policy_service.web.schemas import CONTEXT, OPEN, Schema, describe, describe_text, refer
from policy_service.web.searching import FORMS, LARGEST_LIMIT, ROLES

_PAGE: Schema = {
    "type": ["object", "null"],
    "description": "Which page; the first where there is no token. All else has to be as on the page before.",
    "properties": {
        "token": {"type": ["string", "null"], "description": "The `next_token` of the page before."},
        "limit": {
            "type": ["integer", "null"],
            "minimum": 0,
            "description": f"As many results at most; {LARGEST_LIMIT} where it is 0, more or absent.",
        },
        "properties": {"type": ["object", "null"], "description": "Nothing is read of it."},
    },
}
_FILTER: Schema = {
    "type": ["object", "null"],
    "description": "Unknown options are ignored.",
    "properties": {
        "filter": {
            "enum": [*FORMS, None],
            "description": "Answer, instead of results, the condition on resources: as SQL, as UCAST, as a tree.",
        },
        "dialect": {"enum": [*DIALECTS, None], "description": "Of the SQL; `postgresql` where it is absent."},
    },
}


def _target(noun: str) -> Schema:
    return describe(
        f"The type of {noun} to search for; an `id` is ignored.",
        ["type"],
        type=describe_text("The type."),
        properties=OPEN,
    )


def _request(role: str) -> Schema:
    parts: dict[str, Schema] = {"subject": refer("Subject"), "action": refer("Action"), "resource": refer("Resource")}
    if role == "action":
        del parts["action"]
    else:
        parts[role] = refer(f"{role.capitalize()}Target")
    options = {"options": _FILTER} if role == "resource" else {}
    return describe(f"Search for {role}s (§8).", [*parts], **parts, context=CONTEXT, page=_PAGE, **options)


def _results(role: str) -> Schema:
    members: dict[str, Any] = (
        {"name": describe_text("The name.")}
        if role == "action"
        else {"type": describe_text("The type that was asked for."), "id": describe_text("The id.")}
    )
    page = describe(
        "Only where the request has a `page` or another page follows.",
        ["next_token"],
        next_token=describe_text("Empty after the last page, however short a page is."),
    )
    context: dict[str, Schema] = (
        {"context": {"type": "object", "description": "Only with `options.filter`: the condition, as `filter`."}}
        if role == "resource"
        else {}
    )
    results = {"type": "array", "items": describe(f"A found {role}.", [*members], **members)}
    return describe("A page of results.", ["results"], page=page, **context, results=results)


SEARCH_SCHEMAS: dict[str, Schema] = {
    "SubjectTarget": _target("subject"),
    "ResourceTarget": _target("resource"),
    **{f"{role.capitalize()}SearchRequest": _request(role) for role in ROLES},
    **{f"{role.capitalize()}SearchResponse": _results(role) for role in ROLES},
}
