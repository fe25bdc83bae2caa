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
from policy_service.policy.request import is_same
from policy_service.policy.slices import Slice


def decide(bundle: Bundle, facts: Facts) -> Decision:
    """The decision of a bundle about the question that the facts were gathered for. Pure."""
    return decide_slice(_slice_of(bundle, facts), facts, bundle.version_text)


def decide_slice(chosen: Slice, facts: Facts, version: str) -> Decision:
    """The decision of the policies of a slice that can match the question."""
    outcomes = [cedar.evaluate(chosen.cedar, facts)] if chosen.cedar else []
    return _combine(chosen, outcomes + _evaluate_rest(chosen, facts), version)


def decide_all(bundle: Bundle, batch: Sequence[Facts]) -> list[Decision]:
    """The decisions of a batch, in order: each is what `decide` gives, but entities are read once.

    Questions share one set of entities only where all they looked up is the same, what is absent included:
    else one item's overlay could be seen by another.
    """
    if len(batch) == 1:
        return [decide(bundle, batch[0])]
    slices = [_slice_of(bundle, facts) for facts in batch]
    outcomes: dict[int, Outcome] = {}
    for compiled, entities, members in _share(batch, slices):
        shared = write_entities(entities, batch[members[0]].needs)
        questions = [(batch[member].question, batch[member].context) for member in members]
        answers = cedar.evaluate_batch(compiled, shared, questions)
        outcomes.update(zip(members, answers, strict=True))
    return [
        _combine(
            chosen,
            [outcomes.get(position, Outcome()), *_evaluate_rest(chosen, batch[position])],
            bundle.version_text,
        )
        for position, chosen in enumerate(slices)
    ]


def _slice_of(bundle: Bundle, facts: Facts) -> Slice:
    return bundle.index.find(facts.principal, facts.action, facts.resource)


def _evaluate_rest(chosen: Slice, facts: Facts) -> list[Outcome]:
    outcomes = []
    if chosen.abac:
        outcomes.append(abac.evaluate(chosen.abac, facts))
    if chosen.casbin:
        outcomes.append(casbin.evaluate(chosen.casbin, facts))
    return outcomes


def _share(
    batch: Sequence[Facts], slices: Sequence[Slice]
) -> Iterable[tuple[cedar.CedarSet, dict[Uid, Entity | None], list[int]]]:
    """Groups of positions with one policy set and one set of entities that is right for each of them."""
    groups: dict[tuple[int, int], list[tuple[cedar.CedarSet, dict[Uid, Entity | None], list[int]]]] = {}
    for position, (facts, chosen) in enumerate(zip(batch, slices, strict=True)):
        if chosen.cedar is None:
            continue
        # Cedar decides nothing on entities in a circle, so that those share with none
        circular = any(entity is not None and uid in entity.parents for uid, entity in facts.entities.items())
        candidates = groups.setdefault((id(chosen), position if circular else -1), [])
        for _, entities, members in candidates:
            if _agree(entities, facts.entities):
                entities.update(facts.entities)
                members.append(position)
                break
        else:
            candidates.append((chosen.cedar, dict(facts.entities), [position]))
    return [group for candidates in groups.values() for group in candidates]


_UNSEEN = object()


def _agree(shared: dict[Uid, Entity | None], own: dict[Uid, Entity | None]) -> bool:
    for uid, entity in own.items():
        other = shared.get(uid, _UNSEEN)
        if other is not _UNSEEN and other is not entity and not _is_same(other, entity):
            return False
    return True


def _is_same(one: object, other: Entity | None) -> bool:
    if not isinstance(one, Entity) or other is None or one != other:
        return False
    return is_same(dict(one.attributes), dict(other.attributes))


def _combine(chosen: Slice, outcomes: Sequence[Outcome], version: str) -> Decision:
    satisfied = [policy for outcome in outcomes for policy in outcome.satisfied]
    errors = tuple([failure for outcome in outcomes for failure in outcome.failed])
    forbids = tuple([policy for policy in satisfied if policy.effect is Effect.FORBID])
    if forbids:
        return Decision(False, forbids, errors, version)
    if errors and any(failure.policy.effect is Effect.FORBID for failure in errors):
        return Decision(False, (), errors, version)
    if satisfied:
        return Decision(True, tuple(satisfied), errors, version)
    failed = {failure.policy.id for failure in errors}
    return Decision(False, (), errors, version, tuple([permit for permit in chosen.permits if permit.id not in failed]))
