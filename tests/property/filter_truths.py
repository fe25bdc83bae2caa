"""What is allowed of each row, by the engines; and what a policy's tree says of the same question."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from policy_service.errors import RequestError
from policy_service.model import Act, Decision, Effect, Entity, Extension, Request, Thing
from policy_service.policy.bundle import Bundle
from policy_service.policy.decide import decide_all
from policy_service.policy.evaluate import Failed, Unsaid, holds, world_of
from policy_service.policy.facts import Facts
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import Question, ask
from policy_service.policy.residual.asked import ANY, Asked
from policy_service.policy.scope import Compiled
from tests.property.filter_sets import Asking
from tests.property.filter_store import Row, Stored

NOW = Extension("datetime", "2026-01-01T12:00:00Z")


@dataclass(frozen=True)
class Truth:
    """The rows that a question can be asked of, in order, and the decision about each."""

    asked: Asked
    rows: Sequence[Row]
    facts: Sequence[Facts]
    decisions: Sequence[Decision]

    @property
    def sure(self) -> dict[str, bool]:
        """Whether each row is allowed, by id, but for those of which the request tells twice."""
        pairs = zip(self.rows, self.decisions, strict=True)
        twofold = self.asked.twofold
        return {row.asset.id: decision.allowed for row, decision in pairs if row.entity.uid not in twofold}


def make_gatherer(bundle: Bundle, stored: Stored) -> Gatherer:
    """What gathers facts of what is stored."""
    return Gatherer(bundle, stored.fetch, lambda: NOW, {"key": "k"})


def find_truth(
    bundle: Bundle, gatherer: Gatherer, asking: Asking, rows: Sequence[Row], drawn: Collection[str]
) -> Truth:
    """The decision about each row of which the request does not say two things at once."""
    asked = gatherer.gather_open(_ask(asking, ANY._replace(properties=asking.overlay)), asking.unknown, drawn)
    sure, questions = [], []
    for row in rows:
        try:
            question = _ask(asking, row.thing._replace(properties=asking.overlay))
        except RequestError:
            continue
        sure.append(row)
        questions.append(question)
    gatherer.load([row.entity.uid for row in sure])
    facts = [gatherer.gather(question) for question in questions]
    return Truth(asked, sure, facts, decide_all(bundle, facts))


def _ask(asking: Asking, thing: Thing) -> Question:
    sides = (asking.known, thing) if asking.unknown == "resource" else (thing, asking.known)
    return ask(Request(sides[0], Act(asking.action), sides[1], asking.context))


def see_entities(gatherer: Gatherer, rows: Sequence[Row]) -> list[Entity]:
    """The rows as policies see them, with `tenant` and all ancestors."""
    nobody = Thing("ghost", "g")
    return [gatherer.gather(ask(Request(nobody, Act("none"), row.thing))).resource for row in rows]


def judge(policies: Sequence[Compiled], facts: Facts) -> tuple[bool, set[str], set[str]] | None:
    """Whether it is allowed by the trees of these policies, by which, and which failed; none where one is opaque."""
    world = world_of(facts)
    satisfied: dict[Effect, set[str]] = {Effect.PERMIT: set(), Effect.FORBID: set()}
    failed: dict[Effect, set[str]] = {Effect.PERMIT: set(), Effect.FORBID: set()}
    for each in policies:
        policy = each.policy
        try:
            if holds(each.rule, world):
                satisfied[policy.effect].add(policy.id)
        except Failed:
            failed[policy.effect].add(policy.id)
        except Unsaid:
            return None
    errors = failed[Effect.PERMIT] | failed[Effect.FORBID]
    if satisfied[Effect.FORBID] or failed[Effect.FORBID]:
        return False, satisfied[Effect.FORBID], errors
    return bool(satisfied[Effect.PERMIT]), satisfied[Effect.PERMIT], errors
