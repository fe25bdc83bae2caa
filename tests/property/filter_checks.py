"""The equalities: a filter read row by row, the same in SQL, and what the engines decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policy_service.policy.residual.plan import residual
from policy_service.policy.residual.rows import matches

from policy_service.model import Entity
from policy_service.policy.bundle import Bundle
from policy_service.policy.engines.cedar import CedarPolicy
from policy_service.policy.residual.filter import Filter, bound
from tests.property.filter_tallies import Tally
from tests.property.filter_truths import Truth, judge


class Mismatch(AssertionError):
    """Two answers that should be one; `what` says which equality it is."""

    def __init__(self, what: str, sentence: str) -> None:
        super().__init__(f"{what}: {sentence}")
        self.what = what


def check_evaluation(tally: Tally, truth: Truth) -> None:
    """What trees say is what engines say: which policies are satisfied, and which fail."""
    for row, facts, decision in zip(truth.rows, truth.facts, truth.decisions, strict=True):
        told = judge(truth.asked.policies, facts)
        if told is None:
            tally.counts["evaluated, opaque"] += 1
            continue
        tally.counts["evaluated"] += 1
        reasons, failed = {policy.id for policy in decision.reasons}, {each.policy.id for each in decision.errors}
        if told != (decision.allowed, reasons, failed):
            why = [(each.policy.id, each.why) for each in decision.errors]
            raise Mismatch("evaluate", f"{row.asset.key}: {told}, but {decision.allowed} {reasons} {why}")


def check_residual(tally: Tally, bundle: Bundle, truth: Truth, entities: Mapping[str, Entity]) -> Filter:
    """The filter of a question, which is true of what is allowed; both bounds where part of it is opaque."""
    filter_ = residual(bundle, truth.asked)
    lower, upper = bound(filter_, upper=False), bound(filter_, upper=True)
    exact = lower == upper
    tally.counts["filters"] += 1
    tally.counts["filters, exact"] += exact
    allowed = 0
    for row, decision in zip(truth.rows, truth.decisions, strict=True):
        if row.entity.uid in truth.asked.twofold:
            tally.counts["decided, twofold"] += 1
            continue
        entity = entities[row.asset.id]
        low = matches(lower, entity)
        high = low if exact else matches(upper, entity)
        if not low <= decision.allowed <= high:
            raise Mismatch("residual", f"{row.asset.key} {row.entity.uid}: {low} <= {decision.allowed} <= {high}")
        allowed += decision.allowed
        tally.counts["decided"] += 1
    tally.counts["filters, of some rows"] += 0 < allowed < len(truth.rows)
    return filter_


def is_cedar(truth: Truth) -> bool:
    """Whether only Cedar's policies are about a question."""
    return all(isinstance(policy, CedarPolicy) for policy in truth.asked.policies)


def show(rows: Sequence[str]) -> str:
    """Ids, or how many there are."""
    return ", ".join(sorted(rows)[:10])
