"""What a bundle keeps of the filters of its policies, within bounds."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from policy_service.model import Policy
from policy_service.policy.residual.asked import Unknown
from policy_service.policy.residual.asking import Asking, find_asking
from policy_service.policy.residual.filter import All, Below, Each, End, Filter, Not, Some, Test
from policy_service.policy.scope import Compiled

# policies of which it is known what they ask for: some 2 KB each; as many as a bundle may have, with some room
ASKING = 25_000
# filters kept ready per bundle, and what they hold together: a test takes some 500 bytes
KEPT = 512
WEIGHT = 50_000


class Plan(NamedTuple):
    """The rows that a question allows, and for each forbid that it may meet those that it certainly does not."""

    filter: Filter
    forbids: tuple[tuple[Policy, Filter], ...]


class Plans:
    """The plans of one bundle by the facts they were made of, and what its policies ask for."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Plan] = {}
        self._held = 0
        self._asking: dict[tuple[str, Unknown], Asking] = {}

    def find_asking(self, policy: Compiled, unknown: Unknown) -> Asking:
        """What a policy of the bundle asks for; looked for once."""
        key = (policy.policy.id, unknown)
        found = self._asking.get(key)
        if found is None:
            found = find_asking(policy.rule, unknown)
            if len(self._asking) >= ASKING:
                self._asking.clear()
            self._asking[key] = found
        return found

    def find(self, key: Hashable) -> Plan | None:
        """The plan that was kept for these facts."""
        return self._kept.get(key)

    def keep(self, key: Hashable, plan: Plan) -> None:
        """Keep a plan, but for one that would take too much of the room."""
        weight = _weigh(plan.filter) + sum(_weigh(filter_) for _, filter_ in plan.forbids)
        if weight > WEIGHT // 2:
            return
        if self._held + weight > WEIGHT or len(self._kept) >= KEPT:
            self.forget()
        self._held += weight
        self._kept[key] = plan

    def forget(self) -> None:
        """Let go of the plans that are kept."""
        self._held = 0
        self._kept.clear()


def _weigh(filter_: Filter) -> int:
    """How many tests and values a filter has."""
    match filter_:
        case All(parts) | Some(parts):
            return 1 + sum(map(_weigh, parts))
        case Not(part) | End(_, part):
            return _weigh(part)
        case Test(_, _, tuple(values)) | Each(_, _, tuple(values)) | Below(values):
            return 1 + len(values)
    return 1
