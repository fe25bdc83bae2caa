"""Who may do what, as data: the test suite of policy files.

A case is a request and the answer its author expects. Files are `cases/*.yaml` (docs/cases.md); the plural
forms `subjects`, `actions`, `resources` stand for every combination, each a case of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from policy_service.errors import RequestError
from policy_service.model import Act, Entity, Finding, Request, Thing, Uid
from policy_service.policy.engines.cedar import is_literal
from policy_service.policy.entities import read_entities
from policy_service.policy.groups import Groups
from policy_service.policy.hiding import READ_PROPERTY
from policy_service.policy.names import entity_uid, request_type
from policy_service.policy.scope import LIMITS
from policy_service.policy.yaml_text import NotYaml, read_document

# where the platform's own cases lie, which may name types that only the service makes
PLATFORM = "policies/"
# what `context.now` says in a case that gives no `now`
NOON = "2026-01-01T12:00:00Z"

_FINDINGS = 100
_ROLES = ("subject", "action", "resource")
_EXPECTED = ("expect", "hides", "shows")

_THING = {
    "oneOf": [
        {"type": "string", "minLength": 3},
        {
            "type": "object",
            "required": ["type", "id"],
            "additionalProperties": False,
            "properties": {
                "type": {"type": "string"},
                "id": {"type": "string"},
                "properties": {"type": "object"},
            },
        },
    ]
}
_ACTION = {
    "oneOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": {"type": "string"}, "properties": {"type": "object"}},
        },
    ]
}


def _one_or_many(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: schema, f"{name}s": {"type": "array", "minItems": 1, "maxItems": 1000, "items": schema}}


CASE_FILE = {
    "type": "object",
    "required": ["cases"],
    "additionalProperties": False,
    "properties": {
        "entities": {"type": "array"},
        "groups": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string", "minLength": 3}},
        },
        "cases": {
            "type": "array",
            "items": {
                "type": "object",
                "anyOf": [{"required": [name]} for name in _EXPECTED],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    **_one_or_many("subject", _THING),
                    **_one_or_many("action", _ACTION),
                    **_one_or_many("resource", _THING),
                    "context": {"type": "object"},
                    "now": {"type": "string"},
                    "caller": {"type": "object"},
                    "as": {"const": "service"},
                    "expect": {"enum": ["allow", "deny"]},
                    "reasons": {"type": "array", "items": {"type": "string"}},
                    "hides": {"type": "array", "items": {"type": "string"}},
                    "shows": {"type": "array", "items": {"type": "string"}},
                },
                "allOf": [{"oneOf": [{"required": [name]}, {"required": [f"{name}s"]}]} for name in _ROLES],
            },
        },
    },
}
_VALIDATOR = Draft202012Validator(CASE_FILE)


@dataclass(frozen=True, slots=True)
class Case:
    """One request and what its author expects of it.

    `allowed` is none where only `hides` and `shows` were given, the names of properties that the subject does not see
    and of those that it does. `reasons`, where given, are the ids of exactly the policies that determine the decision.
    `service` is true where reserved types may be named (`as: service`, only in `policies/cases`).
    """

    name: str
    file: str
    line: int
    request: Request
    allowed: bool | None
    reasons: frozenset[str] | None
    hides: tuple[str, ...]
    shows: tuple[str, ...]
    service: bool
    now: str
    caller: Mapping[str, Any]
    entities: Mapping[Uid, Entity]
    members: Mapping[str, Sequence[str]]


def parse_cases(path: str, text: str) -> tuple[tuple[Case, ...], list[Finding]]:
    """The cases of one file, or findings with their lines."""
    try:
        document = read_document(text)
    except NotYaml as error:
        return (), [Finding(path, error.line, str(error))]
    raw = document.value
    findings = [
        Finding(
            path,
            document.line(tuple(error.absolute_path)),
            f"{_place(error.absolute_path)}: {_explain(error)}",
        )
        for error in islice(_VALIDATOR.iter_errors(raw), _FINDINGS)
        # a case that is no map is told once, not for each role it lacks
        if "allOf" not in error.absolute_schema_path or isinstance(error.instance, dict)
    ]
    if findings:
        return (), findings
    try:
        Groups().add(raw.get("groups", {}))
    except ValueError as error:
        return (), [Finding(path, document.line(("groups",)), str(error))]
    entities, wrong = read_entities(raw.get("entities", []), service=path.startswith(PLATFORM))
    if wrong:
        return (), [Finding(path, document.line(("entities", index)), sentence) for index, sentence in wrong]
    cases: list[Case] = []
    for position, item in enumerate(raw["cases"]):
        line = document.line(("cases", position))
        if "as" in item and not path.startswith(PLATFORM):
            findings.append(Finding(path, line, "`as: service` is for the platform's own cases, name a type of yours"))
        # counted before they are made: three lists of a thousand names are a thousand million cases
        if len(cases) + prod(len(_many(item, role)) for role in _ROLES) > LIMITS.cases:
            return (), [*findings, Finding(path, line, f"more than {LIMITS.cases} cases, take shorter lists")]
        if "now" in item and not is_literal("datetime", item["now"]):
            findings.append(Finding(path, line, f"`now` is no datetime, write it like `{NOON}`"))
        if "ip" in item.get("caller", {}) and not is_literal("ip", str(item["caller"]["ip"])):
            findings.append(Finding(path, line, "`caller.ip` is no address, write it like `10.0.0.1`"))
        try:
            cases += _read_case(path, line, item, entities, raw.get("groups", {}))
        except RequestError as error:
            findings.append(Finding(path, line, str(error)))
    return (() if findings else tuple(cases)), findings


def _read_case(
    path: str, line: int, item: Mapping[str, Any], entities: Mapping[Uid, Entity], members: Mapping[str, Any]
) -> list[Case]:
    service = "as" in item
    combinations = list(product(*(_many(item, role) for role in _ROLES)))
    cases = []
    for subject, action, resource in combinations:
        who, what, which = _thing(subject), _act(action), _thing(resource)
        if {"hides", "shows"} & item.keys() and what.name != READ_PROPERTY:
            raise RequestError(f"what is hidden is asked by the action `{READ_PROPERTY}`, and not by `{what.name}`")
        told = f"{who.type}:{who.id} {what.name} {which.type}:{which.id}"
        name = item.get("name", "")
        cases.append(
            Case(
                name=f"{name}: {told}" if name and len(combinations) > 1 else name or told,
                file=path,
                line=line,
                request=Request(who, what, which, item.get("context", {})),
                allowed=item["expect"] == "allow" if "expect" in item else None,
                reasons=frozenset(item["reasons"]) if "reasons" in item else None,
                hides=tuple(item.get("hides", ())),
                shows=tuple(item.get("shows", ())),
                service=service,
                now=item.get("now", NOON),
                caller=item.get("caller", {}),
                entities=entities,
                members=members,
            )
        )
    return cases


def _many(item: Mapping[str, Any], name: str) -> list[Any]:
    return [item[name]] if name in item else list(item[f"{name}s"])


def _thing(raw: Any) -> Thing:
    if isinstance(raw, str):
        uid = entity_uid(raw)
        # as a request names it: what a request may not be is for `ask` to say
        return Thing(request_type(uid.type), uid.id)
    return Thing(raw["type"], raw["id"], raw.get("properties", {}))


def _act(raw: Any) -> Act:
    return Act(raw) if isinstance(raw, str) else Act(raw["name"], raw.get("properties", {}))


_NOUNS = {"object": "a map", "array": "a list", "string": "a text"}


def _explain(error: ValidationError) -> str:
    """What is wrong, in words that name what to write."""
    wanted: Any = error.validator_value
    found: Any = error.instance
    if error.validator == "additionalProperties":
        known = error.schema["properties"]  # type: ignore[index]
        unknown = [name for name in found if name not in known]
        return f"`{unknown[0]}` is not known here, write one of {', '.join(f'`{name}`' for name in known)}"
    if error.validator == "anyOf":
        return "`expect` is missing"
    if error.validator == "required":
        return f"`{next(name for name in wanted if name not in found)}` is missing"
    if error.validator == "oneOf" and "allOf" in error.absolute_schema_path:
        role = wanted[0]["required"][0]
        return f"write either `{role}` or `{role}s`, and not both"
    if error.validator == "oneOf":
        name = "name" if wanted is _ACTION["oneOf"] else "type:id"
        return f"write a text, `{name}`, or a map of {', '.join(f'`{name}`' for name in wanted[1]['properties'])}"
    if error.validator == "type":
        return f"must be {_NOUNS[wanted]}"
    if error.validator in ("enum", "const"):
        return "write " + " or ".join(f"`{word}`" for word in ([wanted] if error.validator == "const" else wanted))
    return "has too many members" if error.validator == "maxItems" else "must not be empty"


def _place(path: Any) -> str:
    return ".".join(str(step) for step in path) or "the file"
