"""A tenant's settings: `tenant.yaml`, held against a JSON schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import jsonschema

from policy_service.model import Finding
from policy_service.policy.yaml_text import Document, NotYaml, read_document

SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "tenant.yaml",
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200, "description": "what people call the tenant"},
        "description": {"type": "string", "maxLength": 2000},
        "restricted": {
            "type": "array",
            "maxItems": 100,
            "uniqueItems": True,
            "items": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^(?!_|tag\.|displayName$)"},
            "description": "properties of entities that are sealed where they are stored",
        },
        "indexed": {
            "type": "array",
            "maxItems": 100,
            "uniqueItems": True,
            "items": {"type": "string", "minLength": 1, "maxLength": 204, "pattern": r"^(?!_|displayName$|tag\.$)"},
            "description": "properties and tags of entities that lists are often asked by: `env`, `tag.env`",
        },
    },
}
_FINDINGS = 100
_LISTS = {
    "restricted": "properties, at most 100, write names such as `[ssn]`; not `displayName`, `_…` or `tag.…`",
    "indexed": "properties and tags, at most 100, each once, write names such as `[env, tag.env]`; no `displayName`",
}
_VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def parse_settings(path: str, text: str) -> tuple[dict[str, Any], list[Finding]]:
    """The settings of a `tenant.yaml`, and what is wrong with it; with a finding there are no settings."""
    try:
        document = read_document(text)
    except NotYaml as error:
        return {}, [Finding(path, error.line, str(error))]
    if not isinstance(document.value, dict):
        return {}, [Finding(path, 1, "no settings, write at least `name: <what people call the tenant>`")]
    findings = [
        Finding(path, line, sentence)
        for error in islice(_VALIDATOR.iter_errors(document.value), _FINDINGS)
        for line, sentence in _explain(error, document)
    ]
    findings = findings or list(_find_sealed(path, document))
    return ({}, sorted(findings)) if findings else (document.value, [])


def _find_sealed(path: str, document: Document) -> Iterator[Finding]:
    """Indexed properties that are restricted: what is sealed is in no index."""
    for place, name in enumerate(document.value.get("indexed", ())):
        if name in document.value.get("restricted", ()):
            yield Finding(path, document.line(("indexed", place)), f"`{name}` is restricted, so it can't be indexed")


def _explain(error: jsonschema.ValidationError, document: Document) -> list[tuple[int, str]]:
    if error.validator == "required":
        return [(1, "`name` is missing, write `name: <what people call the tenant>`")]
    if error.validator == "additionalProperties":
        known = ", ".join(f"`{name}`" for name in SCHEMA["properties"])
        return [
            (document.line((name,)), f"`{name}` is no setting, known are {known}")
            for name in [name for name in document.value if name not in SCHEMA["properties"]][:_FINDINGS]
        ]
    name = str(error.path[0]) if error.path else "name"
    if name in _LISTS:
        return [(document.line(tuple(error.path)), f"`{name}` is no list of {_LISTS[name]}")]
    limit = SCHEMA["properties"][name]["maxLength"]
    return [(document.line((name,)), f"`{name}` is no text of 1 to {limit} characters, put it in quotes")]
