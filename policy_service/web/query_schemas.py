"""The JSON schemas of searches, counts, facets and exports of assets: what `access.query` accepts, to the letter, but
for how deep conditions nest, how many there are, and what only entities or relationships have."""

from __future__ import annotations

from typing import Any

from policy_service.access.query import FACETS, LIMITS, OPERATORS, SORTS
from policy_service.web.asset_requests import LARGEST_LIMIT, LIMIT, VALUES
from policy_service.web.schemas import Schema, refer

_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_PROPERTY: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "The name as it is shown: `env`, `tag.env`, `displayName`, `_createdOn`. What is hidden from the"
    " subject is as if it were not there.",
}
_LIST: Schema = {"type": "array", "minItems": 1, "items": refer("Condition")}


def _text(description: str) -> Schema:
    return {"type": ["string", "null"], "minLength": 1, "description": description}


def _limit(default: int, largest: int, description: str) -> Schema:
    whole = {"type": ["integer", "null"], "minimum": 1, "maximum": largest, "default": default}
    return {**whole, "description": description}


def _object(description: str, required: list[str], properties: dict[str, Any]) -> Schema:
    schema = {"type": "object", "description": description, "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _condition(ops: list[str], value: Schema | None) -> Schema:
    members: dict[str, Any] = {"property": _PROPERTY, "op": {"enum": ops}}
    if value is None:
        return _object("Is it there?", ["property", "op"], members)
    return _object("A property and a value.", ["property", "op", "value"], {**members, "value": value})


_SEARCHED: dict[str, Schema] = {
    "where": {"anyOf": [refer("Condition"), {"type": "null"}]},
    "type": _text("Only those of this type."),
    "class": _text("Only those of this class."),
    "text": _text(
        "Only those with this text in `displayName`, `_key` or an indexed property that is a text, whatever"
        f" the case of ASCII letters; at most {LIMITS.pattern_bytes} bytes."
    ),
}
_COUNT: dict[str, Schema] = {
    "count": {"type": "integer", "minimum": 0},
    "atLeast": {"const": True, "description": "There may be more: not all of them could be decided."},
}

QUERY_SCHEMAS: dict[str, Schema] = {
    "Condition": {
        "description": f"What has to be true of an asset: at most {LIMITS.conditions} conditions, {LIMITS.depth} levels"
        " deep. `ne` is true where the property is there and is another; `contains` of a list that has the value and of"
        " a text that has it in it, `starts` of a text, both whatever the case of ASCII letters.",
        "anyOf": [
            _condition([op for op in OPERATORS if op in ("eq", "ne", "contains")], _SCALAR),
            _condition(["lt", "le", "gt", "ge"], {"type": ["string", "number"]}),
            _condition(["starts"], {"type": "string"}),
            _condition(["in"], {"type": "array", "maxItems": LIMITS.values, "items": _SCALAR}),
            _condition(["exists"], None),
            _object("Every one.", ["and"], {"and": _LIST}),
            _object("Any one.", ["or"], {"or": _LIST}),
            _object("Not this one.", ["not"], {"not": refer("Condition")}),
        ],
    },
    "SearchRequest": _object(
        "What to look for, all of it together.",
        [],
        {
            **_SEARCHED,
            "sort": {
                "enum": [*(sign + name for name in SORTS for sign in ("", "-")), None],
                "description": "The order, with `-` from the last; `_id` where it is not sent. What has no such value"
                " comes last. 403 where policies may hide it from the subject.",
            },
            "limit": _limit(LIMIT, LARGEST_LIMIT, "How many a page has at most."),
            "cursor": _text("The `cursor` of the page before; all else has to be as it was."),
        },
    ),
    "CountRequest": _object("What to count, all of it together.", [], _SEARCHED),
    "FacetsRequest": _object(
        "What to count by the values of properties.",
        ["facets"],
        {
            **_SEARCHED,
            "facets": {
                "type": "array",
                "minItems": 1,
                "maxItems": LIMITS.facets,
                "items": {"type": "string"},
                "description": f"{', '.join(f'`{name}`' for name in FACETS)}, or a property that `tenant.yaml` says is"
                " indexed.",
            },
            "limit": _limit(VALUES, LARGEST_LIMIT, "How many values of each, those that most have."),
        },
    ),
    "ExportRequest": _object("What to export, all of it together.", [], _SEARCHED),
    "Count": _object("How many there are that you may see.", ["count"], _COUNT),
    "Facets": _object(
        "How many there are of each value.",
        ["facets"],
        {
            "facets": {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": _object("A value.", ["value", "count"], {"value": _SCALAR, "count": _COUNT["count"]}),
                },
            },
            "atLeast": _COUNT["atLeast"],
        },
    ),
}
