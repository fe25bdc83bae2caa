"""Facts for tests of the Cedar engine, without a bundle."""

from typing import Any

from policy_service.model import Entity, Outcome, Uid
from policy_service.policy.engines import cedar
from policy_service.policy.facts import Facts
from policy_service.policy.request import Question
from policy_service.policy.scope import Needs
from policy_service.policy.slices import compile_slice

ALICE = Uid("user", "alice")
HOST = Uid("Host", "web-1")
READ = Uid("Action", "read")
GROUP = Uid("Group", "admins")
EVERYTHING = Needs(hierarchy=True)


def question(principal: Uid = ALICE, action: Uid = READ, resource: Uid = HOST) -> Question:
    return Question(principal, action, resource, principal.type, resource.type, action.id, {}, {}, {})


def facts(*entities: Entity, context: dict[str, Any] | None = None, needs: Needs = EVERYTHING, **who: Uid) -> Facts:
    asked = question(**who)
    known: dict[Uid, Entity | None] = dict.fromkeys((asked.principal, asked.action, asked.resource))
    known.update({entity.uid: entity for entity in entities})
    return Facts(asked, needs, known, context or {})


def parsed(text: str) -> tuple[cedar.CedarPolicy, ...]:
    policies, findings = cedar.parse("tenants/acme/x.cedar", text)
    assert not findings, findings
    return policies


def compiled(text: str) -> cedar.CedarSet:
    return cedar.compile_set(parsed(text))


def decide(text: str, *entities: Entity, context: dict[str, Any] | None = None, **who: Uid) -> Outcome:
    chosen = compile_slice(parsed(text), scoped=True)
    assert chosen.cedar
    return cedar.evaluate(chosen.cedar, facts(*entities, context=context, needs=chosen.needs, **who))


def satisfied(outcome: Outcome) -> list[str]:
    return [policy.id for policy in outcome.satisfied]


def failed(outcome: Outcome) -> list[tuple[str, str]]:
    return [(failure.policy.id, failure.why) for failure in outcome.failed]
