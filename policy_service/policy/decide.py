"""One meaning for three engines: which policies are satisfied, which failed, and what follows.

    a satisfied forbid denies
    a forbid that failed denies (Cedar would skip it, which opens what it should close: docs/decisions/0001)
    else a satisfied permit allows
    else deny

No engine's own combination is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policy_service.model import Decision, Effect, Entity, Outcome, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.engines import abac, casbin, cedar
from policy_service.policy.facts import Facts, write_entities
from policy_service.policy.slices import Slice


def decide(bundle: Bundle, facts: Facts) -> Decision:
    """The decision of a bundle about the question that the facts were gathered for. Pure."""
    compiled = facts.slice.cedar
    outcomes = [cedar.evaluate(compiled, facts)] if compiled else []
    return _combine(bundle, facts.slice, outcomes + _evaluate_rest(facts))


def decide_all(bundle: Bundle, batch: Sequence[Facts]) -> list[Decision]:
    """The decisions of a batch, in order: each is what `decide` gives, but entities are read once.

    Questions share one set of entities only where all they looked up is the same, what is absent included:
    else one item's overlay could be seen by another.
    """
    if len(batch) == 1:
        return [decide(bundle, batch[0])]
    outcomes: dict[int, Outcome] = {}
    for compiled, entities, members in _share(batch):
        shared = write_entities(entities, batch[members[0]].slice.needs)
        questions = [(batch[member].question, batch[member].context) for member in members]
        answers = cedar.evaluate_batch(compiled, shared, questions)
        outcomes.update(zip(members, answers, strict=True))
    return [
        _combine(bundle, facts.slice, [outcomes.get(position, Outcome()), *_evaluate_rest(facts)])
        for position, facts in enumerate(batch)
    ]


def _evaluate_rest(facts: Facts) -> list[Outcome]:
    outcomes = []
    if facts.slice.abac:
        outcomes.append(abac.evaluate(facts.slice.abac, facts))
    if facts.slice.casbin:
        outcomes.append(casbin.evaluate(facts.slice.casbin, facts))
    return outcomes


def _share(batch: Sequence[Facts]) -> Iterable[tuple[cedar.CedarSet, dict[Uid, Entity | None], list[int]]]:
    """Groups of positions with one policy set and one set of entities that is right for each of them."""
    groups: dict[int, list[tuple[cedar.CedarSet, dict[Uid, Entity | None], list[int]]]] = {}
    for position, facts in enumerate(batch):
        compiled = facts.slice.cedar
        if compiled is None:
            continue
        candidates = groups.setdefault(id(facts.slice), [])
        for _, entities, members in candidates:
            if _agree(entities, facts.entities):
                entities.update(facts.entities)
                members.append(position)
                break
        else:
            candidates.append((compiled, dict(facts.entities), [position]))
    return [group for candidates in groups.values() for group in candidates]


_UNSEEN = object()


def _agree(shared: dict[Uid, Entity | None], own: dict[Uid, Entity | None]) -> bool:
    for uid, entity in own.items():
        other = shared.get(uid, _UNSEEN)
        if other is not _UNSEEN and other is not entity and other != entity:
            return False
    return True


def _combine(bundle: Bundle, chosen: Slice, outcomes: Sequence[Outcome]) -> Decision:
    satisfied = [policy for outcome in outcomes for policy in outcome.satisfied]
    errors = tuple([failure for outcome in outcomes for failure in outcome.failed])
    version = bundle.version_text
    forbids = tuple([policy for policy in satisfied if policy.effect is Effect.FORBID])
    if forbids:
        return Decision(False, forbids, errors, version)
    if errors and any(failure.policy.effect is Effect.FORBID for failure in errors):
        return Decision(False, (), errors, version)
    if satisfied:
        return Decision(True, tuple(satisfied), errors, version)
    failed = {failure.policy.id for failure in errors}
    return Decision(False, (), errors, version, tuple([permit for permit in chosen.permits if permit.id not in failed]))
