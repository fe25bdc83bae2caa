"""The equalities: a filter read row by row, the same in SQL, and what the engines decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from policy_service.model import Entity
from policy_service.policy.bundle import Bundle
from policy_service.policy.residual.filter import Filter, bound
from policy_service.policy.residual.plan import residual
from policy_service.policy.residual.rows import matches
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


class Bounds(NamedTuple):
    """The ids of rows of which a filter is certainly true, and of those of which it may be."""

    lower: set[str]
    upper: set[str]


def check_residual(tally: Tally, bundle: Bundle, truth: Truth, entities: Mapping[str, Entity]) -> tuple[Filter, Bounds]:
    """The filter of a question, which is true of what is allowed; both bounds where part of it is opaque."""
    filter_ = residual(bundle, truth.asked)
    lower, upper = bound(filter_, upper=False), bound(filter_, upper=True)
    exact = lower == upper
    tally.counts["filters"] += 1
    tally.counts["filters, exact"] += exact
    bounds = Bounds(set(), set())
    decided = {row.asset.id: decision.allowed for row, decision in zip(truth.rows, truth.decisions, strict=True)}
    for id_, entity in entities.items():
        low = matches(lower, entity)
        high = low if exact else matches(upper, entity)
        if low:
            bounds.lower.add(id_)
        if high:
            bounds.upper.add(id_)
        allowed = decided.get(id_)
        if allowed is None or entity.uid in truth.asked.twofold:
            tally.counts["decided, twofold"] += 1
        elif not low <= allowed <= high:
            raise Mismatch("residual", f"{entity.uid}: {low} <= {allowed} <= {high}")
        else:
            tally.counts["decided"] += 1
    tally.counts["filters, of some rows"] += 0 < sum(decided.values()) < len(decided)
    return filter_, bounds
