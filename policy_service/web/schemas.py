"""The JSON schemas of the decision API, as the OpenAPI document shows them.

They say what `evaluation` accepts, to the letter: a property test generates bodies and compares. `null` is as
if a member was not sent, unknown members are allowed everywhere.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from policy_service.web.evaluation import ITEMS, REASONS, SEMANTICS
from policy_service.web.searching import ROLES

Schema: TypeAlias = dict[str, Any]


def refer(name: str) -> Schema:
    """A reference to a schema of this document."""
    return {"$ref": f"#/components/schemas/{name}"}


def describe(description: str, required: list[str], **properties: Schema) -> Schema:
    """The schema of an object."""
    schema: Schema = {"type": "object", "description": description, "properties": properties}
    return {**schema, "required": required} if required else schema


def describe_text(description: str) -> Schema:
    """The schema of a string."""
    return {"type": "string", "description": description}


def _or_null(name: str) -> Schema:
    return {"anyOf": [refer(name), {"type": "null"}]}


OPEN: Schema = {
    "type": ["object", "null"],
    "description": "Attributes, any JSON. They win over stored ones of the same name; `tenant`, `groups` and `authn`"
    " may not be sent.",
}
CONTEXT: Schema = {
    "type": ["object", "null"],
    "description": "What surrounds the request, any JSON. `now` and `caller` may not be sent.",
}
_LOOSE: Schema = {
    "type": ["object", "null"],
    "description": "The default for items that lack this member; it may be incomplete where every item has its own.",
}
_EXPLAIN: Schema = {
    "enum": [REASONS, None],
    "description": "`reasons` adds `context` to each decision: reasons, errors and version.",
}
_ERROR_OF_ITEM = describe(
    "Why this item could not be decided.",
    ["status", "message"],
    status={"type": "integer", "enum": [400]},
    message=describe_text("One sentence."),
)
_POLICY = {
    "id": describe_text("The id of the policy, unique in the tenant's bundle."),
    "effect": {"type": "string", "enum": ["permit", "forbid"]},
    "file": describe_text("The file, relative to the repository of policies."),
    "line": {"type": "integer", "minimum": 1},
    "message": describe_text("What the author wrote for people who are refused; may be empty."),
    "engine": {"type": "string", "enum": ["cedar", "py-abac", "casbin"]},
}

_ENDPOINTS = [
    "access_evaluation_endpoint",
    "access_evaluations_endpoint",
    *(f"search_{role}_endpoint" for role in ROLES),
]

SCHEMAS: dict[str, Schema] = {
    "Subject": describe(
        "Who asks (AuthZEN 1.0 §5.1).",
        ["type", "id"],
        type=describe_text("The type, such as `user`."),
        id=describe_text("The id, unique in its type."),
        properties=OPEN,
    ),
    "Action": describe(
        "What is to be done (§5.3).",
        ["name"],
        name=describe_text("The name, such as `can_read_todos`."),
        properties=OPEN,
    ),
    "Resource": describe(
        "What it is done to (§5.2).",
        ["type", "id"],
        type=describe_text("The type, such as `todo`."),
        id=describe_text("The id, unique in its type."),
        properties=OPEN,
    ),
    "EvaluationRequest": describe(
        "One question (§6.1).",
        ["subject", "action", "resource"],
        subject=refer("Subject"),
        action=refer("Action"),
        resource=refer("Resource"),
        context=CONTEXT,
        options={
            "type": ["object", "null"],
            "properties": {"explain": _EXPLAIN},
            "description": "Unknown options are ignored.",
        },
    ),
    "EvaluationItem": describe(
        "One question of a batch; a member it lacks is taken, whole, from the top level (§7.1.1).",
        [],
        subject=_or_null("Subject"),
        action=_or_null("Action"),
        resource=_or_null("Resource"),
        context=CONTEXT,
    ),
    "BatchOptions": {
        "type": ["object", "null"],
        "description": "Unknown options are ignored.",
        "properties": {
            "evaluations_semantic": {
                "enum": [*SEMANTICS, None],
                "description": "What ends the batch early (§7.1.2.1); `execute_all` if absent.",
            },
            "explain": _EXPLAIN,
        },
    },
    "EvaluationsRequest": {
        "description": "Many questions with defaults (§7.1); without `evaluations` one question, answered as one.",
        "anyOf": [
            {
                "allOf": [
                    refer("EvaluationRequest"),
                    {
                        "type": "object",
                        "properties": {
                            "options": refer("BatchOptions"),
                            "evaluations": {"type": ["array", "null"], "maxItems": 0},
                        },
                    },
                ]
            },
            describe(
                "A batch.",
                ["evaluations"],
                subject=_LOOSE,
                action=_LOOSE,
                resource=_LOOSE,
                context=_LOOSE,
                options=refer("BatchOptions"),
                evaluations={
                    "type": "array",
                    "minItems": 1,
                    "maxItems": ITEMS,
                    "items": {
                        "anyOf": [
                            refer("EvaluationItem"),
                            {"description": "Anything else is answered `false` with `context.error`."},
                        ]
                    },
                },
            ),
        ],
    },
    "Reason": describe("A policy that determined the decision.", list(_POLICY), **_POLICY),
    "Failure": describe(
        "A policy that could not be evaluated.",
        [*_POLICY, "error"],
        **_POLICY,
        error=describe_text("What its engine says."),
    ),
    "DecisionContext": describe(
        "Only where the request asked for reasons, or where an item of a batch could not be read.",
        [],
        reasons={"type": "array", "items": refer("Reason")},
        errors={"type": "array", "items": refer("Failure")},
        version=describe_text("The files that answered: git commit and digest."),
        unsatisfied={
            "type": "array",
            "description": "Where nothing permitted: the permits that were evaluated and did not hold.",
            "items": describe(
                "A permit.",
                ["id", "file", "line"],
                id=_POLICY["id"],
                file=_POLICY["file"],
                line=_POLICY["line"],
            ),
        },
        error=_ERROR_OF_ITEM,
    ),
    "Decision": describe(
        "The answer; a deny is one (§6.2).",
        ["decision"],
        decision={"type": "boolean"},
        context=refer("DecisionContext"),
    ),
    "EvaluationsResponse": {
        "oneOf": [
            describe(
                "Decisions in the order of the request.",
                ["evaluations"],
                evaluations={"type": "array", "items": refer("Decision"), "minItems": 1},
            ),
            refer("Decision"),
        ]
    },
    "Metadata": describe(
        "What the decision point serves, and where (§9).",
        ["policy_decision_point", *_ENDPOINTS],
        policy_decision_point=describe_text("The identifier of the decision point."),
        **{name: describe_text("URL.") for name in _ENDPOINTS},
    ),
    "Health": describe("The service can decide.", ["status"], status={"type": "string", "enum": ["ok"]}),
    "Problem": describe(
        "Why the request was refused (RFC 9457).",
        ["type", "title", "status", "detail", "error"],
        type=describe_text("`about:blank`: the status says it all."),
        title=describe_text("The name of the status."),
        status={"type": "integer"},
        detail=describe_text("One sentence that says what to do."),
        error=describe_text("The same sentence."),
    ),
}
