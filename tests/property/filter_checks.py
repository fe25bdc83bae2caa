"""The equalities: a filter read row by row, the same in SQL, and what the engines decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from policy_service.model import Entity
from policy_service.policy.residual.filter import Filter, bound
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


def check_residual(tally: Tally, filter_: Filter, truth: Truth, entities: Mapping[str, Entity]) -> Bounds:
    """The bounds of the filter of a question, read row by row: what is allowed lies between them."""
    lower, upper = bound(filter_, upper=False), bound(filter_, upper=True)
    bounds = Bounds({id_ for id_, entity in entities.items() if matches(lower, entity)}, set())
    if lower == upper:
        bounds.upper.update(bounds.lower)
    else:
        bounds.upper.update(id_ for id_, entity in entities.items() if matches(upper, entity))
    check_decisions("residual", truth.sure, bounds, filter_)
    tally.counts["read"] += len(truth.sure)
    return bounds


def check_decisions(what: str, decided: Mapping[str, bool], bounds: Bounds, filter_: Filter) -> None:
    """See that what is certain is allowed, and that what is allowed may be."""
    for id_, allowed in decided.items():
        low, high = id_ in bounds.lower, id_ in bounds.upper
        if not low <= allowed <= high:
            raise Mismatch(what, f"{id_}: {low} <= {allowed} <= {high}, of {filter_}")
