"""Facts for tests of the Cedar engine, without a bundle."""

from typing import Any

from policy_service.model import Entity, Outcome, Uid
from policy_service.policy.engines import cedar
from policy_service.policy.facts import Facts
from policy_service.policy.request import Question

ALICE = Uid("user", "alice")
HOST = Uid("Host", "web-1")
READ = Uid("Action", "read")
GROUP = Uid("Group", "admins")


def question(principal: Uid = ALICE, action: Uid = READ, resource: Uid = HOST) -> Question:
    return Question(principal, action, resource, principal.type, resource.type, action.id, {}, {}, {})


def facts(*entities: Entity, context: dict[str, Any] | None = None, **who: Uid) -> Facts:
    asked = question(**who)
    known: dict[Uid, Entity | None] = dict.fromkeys((asked.principal, asked.action, asked.resource))
    known.update({entity.uid: entity for entity in entities})
    return Facts(asked, None, known, context or {})  # type: ignore[arg-type]


def compiled(text: str) -> cedar.CedarSet:
    policies, findings = cedar.parse("tenants/acme/x.cedar", text)
    assert not findings, findings
    return cedar.compile_set(policies)


def decide(text: str, *entities: Entity, context: dict[str, Any] | None = None, **who: Uid) -> Outcome:
    return cedar.evaluate(compiled(text), facts(*entities, context=context, **who))


def satisfied(outcome: Outcome) -> list[str]:
    return [policy.id for policy in outcome.satisfied]


def failed(outcome: Outcome) -> list[tuple[str, str]]:
    return [(failure.policy.id, failure.why) for failure in outcome.failed]
