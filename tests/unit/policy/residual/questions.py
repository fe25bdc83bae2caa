"""Filters of policies about rows that nobody has named, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from policy_service.model import Act, Entity, Extension, Request, Thing, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY, Asked, Unknown
from policy_service.policy.residual.filter import Filter
from policy_service.policy.residual.plan import residual, tell_policies
from policy_service.policy.residual.tidy import tidy
from policy_service.policy.residual.words import explain
from tests.property.files import make_bundle

ALICE = Thing("user", "alice")
NOW = Extension("datetime", "2026-01-01T12:00:00Z")
FILES = {
    "relationships.yaml": "relationships:\n  owns: {parent: from, attribute: {on: to, name: owner}}\n",
    "groups.csv": "g, user:alice, group:staff, acme\n",
    "entities.json": (
        '[{"uid": {"type": "user", "id": "alice"}, "attrs": {"level": 3, "team": "red", "ports": [1, 2],'
        ' "boss": {"__entity": {"type": "user", "id": "bob"}}}, "tags": {"env": "prod", "zone": 7}},'
        ' {"uid": {"type": "user", "id": "bob"}, "attrs": {"team": "blue"}, "parents": [{"type": "Org", "id": "o"}]}]'
    ),
}


def make(*policies: str, **files: str) -> Bundle:
    """A bundle of these policies."""
    return make_bundle({**FILES, "p.cedar": "\n".join(policies), **files})


def gather(
    bundle: Bundle,
    known: Thing = ALICE,
    unknown: Unknown = "resource",
    *,
    overlay: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    stored: Mapping[Uid, Entity] | None = None,
) -> Asked:
    """The facts of a question about any row."""
    found = {**bundle.entities, **(stored or {})}
    gatherer = Gatherer(
        bundle, lambda uids: {uid: found[uid] for uid in uids if uid in found}, lambda: NOW, {"key": "k1"}
    )
    row = ANY._replace(properties=overlay or {})
    sides = (known, row) if unknown == "resource" else (row, known)
    return gatherer.gather_open(ask(Request(sides[0], Act("read"), sides[1], context or {})), unknown)


def permit(condition: str, id_: str = "p") -> str:
    """A policy that permits where a condition is true."""
    return f'@id("{id_}") permit(principal, action, resource) when {{ {condition} }};'


def forbid(condition: str) -> str:
    """Everything is permitted, but where a condition is true."""
    return f'permit(principal, action, resource);\n@id("f") forbid(principal, action, resource) when {{ {condition} }};'


def find(policies: str, **question: Any) -> Filter:
    """The filter of some policies."""
    bundle = make(policies)
    return residual(bundle, gather(bundle, **question))


def tell(conditions: Sequence[str], **question: Any) -> dict[str, tuple[str, str]]:
    """Of each condition when it is true and when it is false, in words."""
    bundle = make(*(permit(condition, f"p{number}") for number, condition in enumerate(conditions)))
    truths = [truth for policy, truth in tell_policies(bundle, gather(bundle, **question)) if policy.id[0] == "p"]
    told = [tuple(_say(side) for side in (truth.yes, truth.no)) for truth in truths[-len(conditions) :]]
    return dict(zip(conditions, told, strict=True))  # type: ignore[arg-type]


def _say(filter_: Filter) -> str:
    return re.sub(r" \(policy p\d+\)", "", explain(tidy(filter_)))
