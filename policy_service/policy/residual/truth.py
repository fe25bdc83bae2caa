"""When an expression is true of a row and when it is false; on all other rows it fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    All,
    End,
    Filter,
    Not,
    Some,
    all_of,
    any_of,
    none_of,
)

# the most tests that one expression may come to, and the most values: it could grow threefold with each level
LEAVES = 4_000
CASES = 64


@dataclass(frozen=True, slots=True)
class Truth:
    """Of one boolean expression. `total` where it is known to fail on no row."""

    yes: Filter
    no: Filter
    total: bool = False

    def __and__(self, other: Truth) -> Truth:
        # what stands on the right is asked only where the left is true: so it can't fail where the left is false
        no = other.no if self.total else all_of(self.yes, other.no)
        return Truth(all_of(self.yes, other.yes), any_of(self.no, no), self.total and other.total)

    def __or__(self, other: Truth) -> Truth:
        yes = other.yes if self.total else all_of(self.no, other.yes)
        return Truth(any_of(self.yes, yes), all_of(self.no, other.no), self.total and other.total)

    def __invert__(self) -> Truth:
        return Truth(self.no, self.yes, self.total)

    @property
    def size(self) -> int:
        """How many tests it takes to tell."""
        return count_leaves(self.yes) + count_leaves(self.no)


TRUE = Truth(EVERY, NONE, total=True)
FALSE = Truth(NONE, EVERY, total=True)
# what has no truth on any row
FAILING = Truth(NONE, NONE)


def always(value: bool) -> Truth:
    """The same on every row."""
    return TRUE if value else FALSE


def settle(yes: Filter, *there: Filter) -> Truth:
    """True where `yes` is, which implies that all is there that it asks for; false on the others that have it."""
    present = all_of(*there)
    return Truth(yes, all_of(present, none_of(yes)), total=present == EVERY)


def choose(cases: Iterable[tuple[Filter, Truth]]) -> Truth:
    """The truth that belongs to whichever of these exclusive conditions is true; without one it fails."""
    chosen = [(when, truth) for when, truth in cases if when != NONE]
    if len(chosen) == 1 and chosen[0][0] == EVERY:
        return chosen[0][1]
    return Truth(
        any_of(*(all_of(when, truth.yes) for when, truth in chosen)),
        any_of(*(all_of(when, truth.no) for when, truth in chosen)),
    )


def count_leaves(filter_: Filter) -> int:
    """How many tests a filter has."""
    if isinstance(filter_, All | Some):
        return sum([count_leaves(part) for part in filter_.parts])
    return count_leaves(filter_.part) if isinstance(filter_, Not | End) else 1
