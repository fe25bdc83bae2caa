"""The decision API in the OpenAPI document: flask-smorest describes, `authzen.answer` answers.

Nothing here parses or validates a request: the views are the mount itself, documented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import flask_smorest
from flask import Response

from policy_service.web.schemas import Schema, refer

View: TypeAlias = Callable[..., Response]

_smorest: Any = flask_smorest  # it has no types

_MORTY = "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"
_TODO = {"type": "todo", "id": "7240d0db-8ff0-41ec-98b2-34a096273b9f"}
_QUESTION = {
    "subject": {"type": "user", "id": _MORTY},
    "action": {"name": "can_update_todo"},
    "resource": {**_TODO, "properties": {"ownerID": "morty@the-citadel.com"}},
}
_FOREIGN = {**_QUESTION, "resource": {**_TODO, "properties": {"ownerID": "rick@the-citadel.com"}}}
_SINGLE = {
    "allow": {"summary": "may Morty update his own todo?", "value": _QUESTION},
    "deny": {
        "summary": "may he update Rick's? with reasons",
        "value": {**_FOREIGN, "options": {"explain": "reasons"}},
    },
}
_BATCH = {
    "batch": {
        "summary": "two todos at once",
        "value": {
            "subject": _QUESTION["subject"],
            "action": _QUESTION["action"],
            "evaluations": [{"resource": _QUESTION["resource"]}, {"resource": _FOREIGN["resource"]}],
        },
    }
}
_PARAMETERS = [
    {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "Any string of printable ASCII; the answer carries it back.",
    }
]
_TENANT = {
    "name": "tenant",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
    "description": "The tenant of the key.",
}
_ID_HEADER = {"X-Request-ID": {"schema": {"type": "string"}, "description": "As it was sent, or a new one."}}
_VERSION_HEADER = {"Policy-Version": {"schema": {"type": "string"}, "description": "The files that decided."}}
_REFUSALS = {
    "400": "The request can't be read.",
    "401": "No valid key was sent.",
    "403": "The key lacks the scope `decide`.",
    "413": "The body is too large.",
    "503": "The service can't decide, or can't record the decision.",
}
_SUBJECTS = {
    "subjects": {
        "summary": "who may read all todos?",
        "value": {"subject": {"type": "user"}, "action": {"name": "can_read_todos"}, "resource": _TODO},
    }
}
_RESOURCES = {
    "resources": {
        "summary": "which users may Morty look at?",
        "value": {**_QUESTION, "action": {"name": "can_read_user"}, "resource": {"type": "user"}, "page": {"limit": 2}},
    }
}
_ACTIONS = {
    "actions": {
        "summary": "what may Morty do with his own todo?",
        "value": {"subject": _QUESTION["subject"], "resource": _QUESTION["resource"]},
    }
}
_DECISIONS = (
    ("evaluation", "EvaluationRequest", "Decision", _SINGLE, "Decide one request"),
    ("evaluations", "EvaluationsRequest", "EvaluationsResponse", _BATCH, "Decide many requests"),
    ("search/subject", "SubjectSearchRequest", "SubjectSearchResponse", _SUBJECTS, "Find who may do it"),
    ("search/resource", "ResourceSearchRequest", "ResourceSearchResponse", _RESOURCES, "Find what it may be done to"),
    ("search/action", "ActionSearchRequest", "ActionSearchResponse", _ACTIONS, "Find what may be done"),
)
_PATHS = ("", "/tenants/<tenant>")
_WELL_KNOWN = (
    "/.well-known/authzen-configuration",
    "/.well-known/authzen-configuration/<tenant>",
    "/.well-known/authzen-configuration/tenants/<tenant>",
)


def publish(api: Any, mount: View) -> None:
    """Serve the decision API by `mount`, and put it into the document of `api`."""
    blueprint = _smorest.Blueprint("authzen", __name__, description="AuthZEN Authorization API 1.0")
    for prefix in _PATHS:
        for name, body, response, examples, summary in _DECISIONS:
            own = name.replace("/", "_")
            operation = _operation(f"{own}{'_of_tenant' if prefix else ''}", summary, refer(response), _REFUSALS)
            operation["responses"]["200"]["headers"] = {**_ID_HEADER, **_VERSION_HEADER}
            operation["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": refer(body), "examples": examples}},
            }
            operation["security"] = [{"bearer": []}]
            _serve(blueprint, mount, f"{prefix}/access/v1/{name}", "POST", operation)
    for number, path in enumerate(_WELL_KNOWN):
        refusals = {"404": "No tenant can have that name."} if "<" in path else {}
        operation = _operation(f"metadata_{number}", "Describe the decision point", refer("Metadata"), refusals)
        _serve(blueprint, mount, path, "GET", operation)
    refusals = {"503": "The service can't decide now."}
    _serve(blueprint, mount, "/healthz", "GET", _operation("health", "Can it decide?", refer("Health"), refusals))
    api.register_blueprint(blueprint)


def _serve(blueprint: Any, mount: View, path: str, method: str, operation: dict[str, Any]) -> None:
    parameters = [_TENANT] if "<tenant>" in path else None
    view = blueprint.doc(**operation)(mount)
    blueprint.add_url_rule(path, operation["operationId"], view, methods=[method], parameters=parameters)


def _operation(name: str, summary: str, response: Schema, refusals: dict[str, str]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": refer("Problem")}}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": _PARAMETERS,
        "security": [],
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _ID_HEADER,
                "content": {"application/json": {"schema": response}},
            },
            **{
                status: {"description": text, "headers": _ID_HEADER, "content": problem}
                for status, text in refusals.items()
            },
        },
    }
