"""Facts and policies for the tests of the py-abac engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from policy_service.model import Act, Effect, Entity, Request, Thing, Uid
from policy_service.policy.engines.abac import AbacPolicy, evaluate, parse
from policy_service.policy.facts import Facts
from policy_service.policy.request import ask
from policy_service.policy.scope import Needs


def facts(
    subject: Mapping[str, Any] | None = None,
    resource: Mapping[str, Any] | None = None,
    action: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    *,
    ids: tuple[str, str, str] = ("alice", "read", "web-1"),
    groups: tuple[str, ...] = (),
    trusted: Mapping[str, Any] | None = None,
) -> Facts:
    """The facts for one request; `trusted` are attributes of the subject that a file gave."""
    question = ask(
        Request(
            Thing("user", ids[0], subject or {}),
            Act(ids[1], action or {}),
            Thing("host", ids[2], resource or {}),
            context or {},
        ),
        service=True,
    )
    overlay = question.overlay
    parents = frozenset(Uid("Group", name) for name in groups)
    principal, target = question.principal, question.resource
    attributes = {"tenant": "acme", **overlay.get(principal, {}), **(trusted or {})}
    entities: dict[Uid, Entity | None] = {
        principal: Entity(principal, attributes, parents),
        target: Entity(target, {"tenant": "acme", **overlay.get(target, {})}),
    }
    return Facts(question, Needs(), entities, question.context)


def policy(
    rules: Any = None, targets: Any = None, effect: str = "allow", uid: str = "p", **more: Any
) -> dict[str, Any]:
    """The JSON of one policy."""
    return {"uid": uid, "effect": effect, "rules": rules or {}, "targets": targets or {}, **more}


def load(*raw: dict[str, Any]) -> tuple[AbacPolicy, ...]:
    """The policies of a file that has nothing wrong with it."""
    policies, findings = parse("tenants/acme/p.abac.json", json.dumps(raw))
    assert findings == []
    return policies


def find(raw: Any) -> list[str]:
    """The sentences about a file that holds this policy."""
    policies, findings = parse("p.abac.json", raw if isinstance(raw, str) else json.dumps(raw))
    assert findings == [] or policies == ()
    return [finding.sentence for finding in findings]


def says(condition: dict[str, Any], value: Any = None, **more: Any) -> bool | str:
    """What a condition says of the subject's `x`, absent where `None`: a boolean, or the sentence of its failure."""
    satisfied, failed = evaluate(
        load(policy({"subject": {"$.x": condition}})), facts({} if value is None else {"x": value}, **more)
    )
    assert len(satisfied) + len(failed) <= 1
    assert all(each.effect is Effect.PERMIT for each in satisfied)
    return failed[0].why if failed else bool(satisfied)
