"""The JSON schemas of the asset API, as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Any

from policy_service.assets.walk import DEPTH
from policy_service.web.schemas import Schema, refer

_SCALAR = ["string", "number", "boolean"]
_VALUE: Schema = {
    "description": "A property or, as `tag.<name>`, a tag: text, number, boolean or a list of one of these. A list is a"
    " set: sorted, each value once. `null` is as if it was not sent, and in a patch removes.",
    "anyOf": [
        {"type": [*_SCALAR, "null"]},
        {"type": "array", "items": {"type": [*_SCALAR, "null"]}},
    ],
}
_TEXT: Schema = {"type": "string", "minLength": 1}
_TIME: Schema = {"type": "integer", "description": "Milliseconds since 1970."}
_ENTITY_CLASS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_NAMED: dict[str, Schema] = {
    "_key": {**_TEXT, "description": "The name of the thing where it comes from, unique in its source and scope."},
    "_type": {**_TEXT, "description": "Such as `acme_host`."},
    "displayName": {"type": ["string", "null"], "description": "What people call it."},
    "_source": {"type": ["string", "null"], "description": "`api`, which is what it is where it is not sent."},
    "_scope": {"type": ["string", "null"], "description": "A part of the source, in which keys are unique."},
}
_SHOWN: dict[str, Schema] = {
    "_id": {"type": "string", "format": "uuid", "description": "Derived from tenant, source, scope and key."},
    "_key": {"type": "string"},
    "_type": {"type": "string"},
    "_accountId": {"type": "string", "description": "The tenant."},
    "_source": {"type": "string"},
    "_scope": {"type": "string"},
    "_version": {"type": "integer", "minimum": 1},
    "_createdOn": _TIME,
    "_beginOn": {**_TIME, "description": "When this version began, in milliseconds since 1970."},
    "_endOn": {"type": ["integer", "null"]},
    "_deleted": {"type": "boolean"},
    "displayName": {"type": ["string", "null"]},
}


def _end(side: str) -> dict[str, Schema]:
    return {f"_{side}Entity{part}": {"type": ["string", "null"]} for part in ("Key", "Id", "Type", "Source", "Scope")}


def _object(description: str, required: list[str], properties: dict[str, Any], **more: Any) -> Schema:
    return {"type": "object", "description": description, "required": required, "properties": properties, **more}


_RELATED = {f"_{side}Entity{part}": {"type": "string"} for side in ("from", "to") for part in ("Id", "Type")}
_ITEM = _object(
    "What became of one item.",
    ["status"],
    {
        "status": {"type": "integer", "description": "As if the item had been sent alone."},
        "_id": {"type": "string", "format": "uuid"},
        "_version": {"type": "integer"},
        "etag": {"type": "string"},
        "dropped": {"type": "integer", "description": "How many entries of `_rawData` were not stored."},
        "detail": {"type": "string", "description": "Why it was refused."},
        "error": {"type": "string"},
    },
)

ASSET_SCHEMAS: dict[str, Schema] = {
    "EntityDraft": _object(
        "An entity as it is sent. What a read shows may be sent back: `_id`, `_version` and the like are ignored.",
        ["_key", "_type", "_class"],
        {**_NAMED, "_class": _ENTITY_CLASS},
        additionalProperties=_VALUE,
    ),
    "RelationshipDraft": _object(
        "A relationship as it is sent; each end by `…Id` or by `…Key`.",
        ["_key", "_type", "_class"],
        {**_NAMED, "_class": {**_TEXT, "description": "Such as `OWNS`."}, **_end("from"), **_end("to")},
        additionalProperties=_VALUE,
    ),
    "AssetPatch": _object(
        "What is to be other (RFC 7396): properties, tags, `displayName` and `_class`; `null` removes.",
        [],
        {"_class": _ENTITY_CLASS, "displayName": {"type": ["string", "null"]}},
        additionalProperties=_VALUE,
    ),
    "Entity": _object(
        "An entity, with its properties and `tag.<name>`.",
        [*_SHOWN, "_class"],
        {**_SHOWN, "_class": {"type": "array", "items": {"type": "string"}}},
    ),
    "Relationship": _object(
        "A relationship, with its properties.",
        [*_SHOWN, "_class", *_RELATED],
        {**_SHOWN, "_class": {"type": "string"}, **_RELATED},
    ),
    "EntityBatch": _object(
        "Entities, each created or replaced by its key.",
        ["entities"],
        {"entities": {"type": "array", "minItems": 1, "maxItems": 1_000, "items": refer("EntityDraft")}},
        additionalProperties=False,
    ),
    "BatchAnswer": _object(
        "What became of each item, in order.", ["items"], {"items": {"type": "array", "items": _ITEM}}
    ),
    **{
        f"{name}List": _object(
            "A page; only one without `cursor` is the last, however few it has.",
            ["items"],
            {
                "items": {"type": "array", "items": refer(name)},
                "cursor": {"type": "string", "description": "Where the next page begins."},
                "policyChanged": {"type": "boolean", "description": "The policies are other than at the first page."},
            },
        )
        for name in ("Entity", "Relationship")
    },
    "Steps": _object(
        "What was reached, the nearest first.",
        ["steps"],
        {
            "steps": {
                "type": "array",
                "items": _object(
                    "A relationship, and the entity that it leads to.",
                    ["depth", "relationship", "_id", "_type", "entity"],
                    {
                        "depth": {"type": "integer", "minimum": 1, "maximum": DEPTH},
                        "relationship": refer("Relationship"),
                        "_id": {"type": "string"},
                        "_type": {"type": "string"},
                        "entity": {
                            "anyOf": [refer("Entity"), {"type": "null"}],
                            "description": "None where it was reached before, or is one of `entities.json`.",
                        },
                    },
                ),
            }
        },
    ),
}
