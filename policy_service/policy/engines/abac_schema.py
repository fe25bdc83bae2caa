"""The JSON schema of a `.abac.json` file (draft 2020-12): nothing beyond these members is taken.

A misspelt member is a finding, because the library would ignore it or fall back to a default that matches
everyone. Conditions have one shape each; those inside of `AllOf`, `AnyOf` and `Not` are checked by their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from jsonschema import Draft202012Validator, ValidationError

_TARGET = {"type": ["string", "array"], "minLength": 1, "minItems": 1, "items": {"type": "string", "minLength": 1}}
_RULE = {"type": ["object", "array"], "minItems": 1, "items": {"type": "object"}}
ACES: Final = ("subject", "resource", "action", "context")

POLICY: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["uid", "effect", "rules", "targets"],
    "properties": {
        "uid": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "effect": {"enum": ["allow", "deny"]},
        # the library orders by it in one of its algorithms; here a forbid wins whatever the order
        "priority": {"const": 0},
        "rules": {
            "type": "object",
            "additionalProperties": False,
            "properties": dict.fromkeys(ACES, _RULE),
        },
        "targets": {
            "type": "object",
            "additionalProperties": False,
            "properties": {f"{ace}_id": _TARGET for ace in ACES[:3]},
        },
    },
}


def _shape(**members: Any) -> dict[str, Any]:
    """A condition that must have these members, and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(members),
        "properties": {"condition": {"type": "string"}, **members},
    }


class Condition(NamedTuple):
    """The shape of a condition in a file, and the types of value it takes (`()`: any)."""

    shape: dict[str, Any]
    takes: tuple[type, ...] = ()


_STRING = _shape(value={"type": "string"})
_CASED = {**_STRING, "properties": {**_STRING["properties"], "case_insensitive": {"type": "boolean"}}}
_NUMBER = Condition(_shape(value={"type": "number"}), (int, float))
_TEXT = Condition(_STRING, (str,))
_CASED_TEXT = Condition(_CASED, (str,))
_MEMBER = Condition(_shape(values={"type": "array", "minItems": 1, "items": {"not": {"type": "null"}}}))
# the library makes sets of these, so they must be scalars
_SCALARS = {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}}
_LIST = Condition(_shape(values=_SCALARS), (list,))
_BARE = Condition(_shape())
_BARE_LIST = Condition(_shape(), (list,))
_ATTRIBUTE = _shape(ace={"enum": list(ACES)}, path={"type": "string"})
_LOGIC = Condition(_shape(values={"type": "array", "minItems": 1, "items": {"type": "object"}}))

CONDITIONS: Final[dict[str, Condition]] = {
    **dict.fromkeys(("Eq", "Neq", "Gt", "Gte", "Lt", "Lte"), _NUMBER),
    **dict.fromkeys(("Equals", "NotEquals", "Contains", "NotContains", "StartsWith", "EndsWith"), _CASED_TEXT),
    **dict.fromkeys(("RegexMatch", "CIDR"), _TEXT),
    **dict.fromkeys(("IsIn", "IsNotIn"), _MEMBER),
    **dict.fromkeys(("AllIn", "AllNotIn", "AnyIn", "AnyNotIn"), _LIST),
    **dict.fromkeys(("IsEmpty", "IsNotEmpty"), _BARE_LIST),
    **dict.fromkeys(("Exists", "NotExists", "Any"), _BARE),
    **dict.fromkeys(
        ("EqualsAttribute", "NotEqualsAttribute", "IsInAttribute", "IsNotInAttribute"), Condition(_ATTRIBUTE)
    ),
    **dict.fromkeys(
        ("AllInAttribute", "AllNotInAttribute", "AnyInAttribute", "AnyNotInAttribute"),
        Condition(_ATTRIBUTE, (list,)),
    ),
    "EqualsObject": Condition(_shape(value={"type": "object"}), (dict,)),
    **dict.fromkeys(("AllOf", "AnyOf"), _LOGIC),
    "Not": Condition(_shape(value={"type": "object"})),
}

_POLICY = Draft202012Validator(POLICY)
_VALIDATORS = {name: Draft202012Validator(condition.shape) for name, condition in CONDITIONS.items()}


def check_policy(raw: Any) -> list[str]:
    """What is wrong with a policy, a sentence each; its conditions are not looked into."""
    return list(_describe(_POLICY, raw, ""))


def check_condition(raw: Any, where: str) -> list[str]:
    """What is wrong with one condition, a sentence each; those inside of it are not looked into."""
    if not isinstance(raw, dict):
        return [f"the condition at `{where}` must be an object"]
    name = raw.get("condition")
    if not isinstance(name, str):
        return [f"the condition at `{where}` must name itself in `condition`"]
    validator = _VALIDATORS.get(name)
    if validator is None:
        return [f"the condition `{name}` at `{where}` is not known, use one of {_quote(sorted(CONDITIONS))}"]
    return list(_describe(validator, raw, where))


def _describe(validator: Draft202012Validator, raw: Any, where: str) -> Iterator[str]:
    for error in validator.iter_errors(raw):
        yield _sentence(error, [*([where] if where else []), *map(str, error.absolute_path)])


def _sentence(error: ValidationError, parts: list[str]) -> str:
    place = f"`{'.'.join(parts)}`" if parts else "the policy"
    wanted: Any = error.validator_value
    found: Any = error.instance
    schema: Any = error.schema
    if error.validator == "additionalProperties":
        known = schema["properties"]
        unknown = [name for name in found if name not in known]
        return f"{place} has the unknown member {_quote(unknown)}, it may have {_quote(known)}"
    if error.validator == "required":
        missing = [name for name in wanted if name not in found]
        return f"{place} lacks {_quote(missing)}"
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"{place} must be of type {' or '.join(kinds)}"
    if error.validator == "enum":
        return f"{place} must be one of {_quote(wanted)}"
    if error.validator == "const":
        return f"{place} must be left out: a deny wins whatever the priority"
    if error.validator == "not":
        return f"{place} must not be null"
    return f"{place} must not be empty"


def _quote(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)
