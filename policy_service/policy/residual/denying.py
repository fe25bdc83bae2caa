"""Which forbids deny one row, by what was said of all rows."""

from __future__ import annotations

from collections.abc import Iterable

from policy_service.model import Entity, Policy
from policy_service.policy.residual.filter import Filter, bound
from policy_service.policy.residual.rows import matches


def find_denying(forbids: Iterable[tuple[Policy, Filter]], row: Entity) -> tuple[Policy, ...] | None:
    """The forbids that are satisfied of a row or fail, in their order; none where only a decision can tell.

    Each comes with the rows on which it is certainly false (`plan.forbidding`); the row has all its ancestors.
    """
    found = []
    for policy, spared in forbids:
        if not matches(bound(spared, upper=False), row):
            if matches(bound(spared, upper=True), row):
                return None
            found.append(policy)
    return tuple(found)
