"""The asset API in the OpenAPI document: flask-smorest describes, `asset_answers.answer` answers."""

from __future__ import annotations

from typing import Any, NamedTuple

import flask_smorest

from policy_service.access.query import SORTS
from policy_service.assets.walk import DEPTH
from policy_service.web.asset_requests import DIRECTIONS, LARGEST_LIMIT, LIMIT, PREFIX, WALKED
from policy_service.web.authzen_api import View
from policy_service.web.schemas import Schema, refer

_smorest: Any = flask_smorest  # it has no types


class _Operation(NamedTuple):
    """One endpoint: its method, path below the prefix, what it does, and what it takes and gives."""

    method: str
    path: str
    summary: str
    name: str
    status: str
    gives: str | None
    takes: str | None = None
    parameters: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


_REFUSALS = {
    "400": "The request can't be read, or asks for more than is answered at once.",
    "401": "No valid key was sent.",
    "403": "The key has no subject or lacks the scope, or the policies do not allow it, or hide what it is about.",
    "404": "Nothing has this id, or it is not yours to see.",
    "409": "The tenant has no store, or what is stored does not let this be done.",
    "412": "It is not what `If-Match` says any more.",
    "413": "The body is too large.",
    "503": "The service can't answer safely now.",
}
_ALWAYS = ("400", "401", "403", "409", "503")
_ONE = ("404",)
_WRITE = ("413",)
_CHANGE = ("404", "412", "413")


def _query(name: str, schema: Schema, text: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}


def _header(name: str, text: str) -> Schema:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}


def _whole(default: int, largest: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": largest, "default": default}


_TEXT: Schema = {"type": "string", "minLength": 1}
_PARAMETERS: dict[str, Schema] = {
    "X-Request-ID": _header("X-Request-ID", "Any string of printable ASCII; the answer carries it back."),
    "Policy-Subject": _header("Policy-Subject", "In whose name it is asked, by a key with the scope `act`."),
    "If-Match": _header("If-Match", "The `ETag` that the asset must have still."),
    "If-None-Match": _header("If-None-Match", "The `ETag` that the client has; 304 where it is the same."),
    "type": _query("type", _TEXT, "Only those of this type."),
    "class": _query("class", _TEXT, "Only those of this class."),
    "sort": _query("sort", {"enum": [sign + name for name in SORTS for sign in ("", "-")]}, "The order; `_id`."),
    "limit": _query("limit", _whole(LIMIT, LARGEST_LIMIT), "How many a page has at most."),
    "cursor": _query("cursor", _TEXT, "The `cursor` of the page before."),
    "direction": _query("direction", {"enum": list(DIRECTIONS), "default": "both"}, "Along which relationships."),
    "types": _query("type", {"type": "array", "items": _TEXT}, "Only relationships of these types."),
    "most": _query("limit", _whole(LARGEST_LIMIT, LARGEST_LIMIT), "More than these are 400."),
    "depth": _query("depth", _whole(WALKED, DEPTH), "How many steps to go."),
}
_ALL_PARAMETERS = ("type", "class", "sort", "limit", "cursor")


def _crud(plural: str, name: str) -> list[_Operation]:
    draft, noun = f"{name}Draft", name.lower()
    id_ = f"/{plural}/<id>"
    match, held = ("If-Match",), ("If-None-Match",)
    return [
        _Operation(
            "GET", f"/{plural}", f"List {plural}", f"list_{plural}", "200", f"{name}List", None, _ALL_PARAMETERS
        ),
        _Operation("POST", f"/{plural}", f"Create one {noun}", f"create_{noun}", "201", name, draft, (), _WRITE),
        _Operation("GET", id_, f"Read one {noun}", f"read_{noun}", "200", name, None, held, _ONE),
        _Operation("PUT", id_, f"Replace one {noun}", f"replace_{noun}", "200", name, draft, match, _CHANGE),
        _Operation("PATCH", id_, f"Change one {noun}", f"patch_{noun}", "200", name, "AssetPatch", match, _CHANGE),
        _Operation("DELETE", id_, f"Delete one {noun}", f"delete_{noun}", "204", None, None, match, ("404", "412")),
    ]


def _ask_many(plural: str, name: str) -> list[_Operation]:
    searches = (
        ("search", f"Search {plural}", "SearchRequest", f"{name}List"),
        ("count", f"Count {plural}", "CountRequest", "Count"),
        ("facets", f"Count {plural} by values", "FacetsRequest", "Facets"),
        ("export", f"Export {plural}, one a line", "ExportRequest", name),
    )
    return [
        _Operation("POST", f"/{plural}:{verb}", summary, f"{verb}_{plural}", "200", gives, takes, (), _WRITE)
        for verb, summary, takes, gives in searches
    ]


_OPERATIONS = [
    *_crud("entities", "Entity"),
    *_ask_many("entities", "Entity"),
    _Operation(
        "POST", "/entities:batch", "Create or replace many entities", "write_entities", "200", "BatchAnswer",
        "EntityBatch", (), _WRITE,
    ),
    _Operation(
        "GET", "/entities/<id>/neighbours", "Show what an entity is related to", "neighbours", "200", "Steps", None,
        ("direction", "types", "most"), _ONE,
    ),
    _Operation(
        "GET", "/entities/<id>/walk", "Walk along relationships", "walk", "200", "Steps", None,
        ("direction", "types", "depth"), _ONE,
    ),
    *_crud("relationships", "Relationship"),
    *_ask_many("relationships", "Relationship"),
]  # fmt: skip


def publish(api: Any, mount: View) -> None:
    """Serve the asset API by `mount`, and put it into the document of `api`."""
    blueprint = _smorest.Blueprint("assets", __name__, description="Entities and relationships, guarded by policies")
    for operation in _OPERATIONS:
        view = blueprint.doc(**_describe(operation))(mount)
        path = f"{PREFIX}{operation.path}"
        parameters = [_ID] if "<id>" in path else None
        blueprint.add_url_rule(path, operation.name, view, methods=[operation.method], parameters=parameters)
    api.register_blueprint(blueprint)


_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9A-Za-z-]{1,64}$"}}
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Changes with what is shown."}}
_VERSION = {"Policy-Version": {"schema": {"type": "string"}, "description": "The files that decided."}}
_REQUEST = {"X-Request-ID": {"schema": {"type": "string"}, "description": "As it was sent, or a new one."}}


def _describe(operation: _Operation) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": refer("Problem")}}
    refused = sorted({*_ALWAYS, *operation.refusals})
    lines = operation.path.endswith(":export")
    tagged = _ETAG if operation.gives in {"Entity", "Relationship"} and not lines else {}
    answer: Schema = {"description": "The answer.", "headers": {**_REQUEST, **_VERSION, **tagged}}
    if lines:
        answer["description"] = "A line of JSON each; a last line with `error` says why the export ends early."
        answer["content"] = {"application/x-ndjson": {"schema": {"type": "string"}}}
    elif operation.gives:
        answer["content"] = {"application/json": {"schema": refer(operation.gives)}}
    responses = {
        operation.status: answer,
        **{status: {"description": _REFUSALS[status], "headers": _REQUEST, "content": problem} for status in refused},
    }
    if "If-None-Match" in operation.parameters:
        responses["304"] = {"description": "It is what the client has.", "headers": {**_REQUEST, **_VERSION, **_ETAG}}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_PARAMETERS[name] for name in ("X-Request-ID", "Policy-Subject", *operation.parameters)],
        "security": [{"bearer": []}],
        "responses": responses,
    }
    if operation.takes:
        kind = "application/merge-patch+json" if operation.takes == "AssetPatch" else "application/json"
        described["requestBody"] = {"required": True, "content": {kind: {"schema": refer(operation.takes)}}}
    return described
