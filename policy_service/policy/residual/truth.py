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
from policy_service.policy.residual.tidy import implied_by

# the most tests that one expression may come to, and the most values: it could grow threefold with each level
LEAVES = 4_000
CASES = 64


@dataclass(frozen=True, slots=True)
class Truth:
    """Of one boolean expression. `told` is where it does not fail, where that can be said in a word."""

    yes: Filter
    no: Filter
    told: Filter | None = None

    def __and__(self, other: Truth) -> Truth:
        if self.yes == EVERY:
            return other
        # the right is asked only where the left is true: it can't fail where the left is false
        no = any_of(self.no, all_of(self.yes if self.told is None else self.told, other.no))
        return _simplify(all_of(self.yes, other.yes), no, self._join(other, self.yes))

    def __or__(self, other: Truth) -> Truth:
        return ~(~self & ~other)

    def __invert__(self) -> Truth:
        return Truth(self.no, self.yes, self.told)

    def _join(self, other: Truth, asked: Filter) -> Filter | None:
        """Where two expressions don't fail of which the second is asked where `asked` is true."""
        if self.told is None or other.told is None:
            return None
        known = (*_parts(asked), *_parts(self.told))
        implied = None
        for part in _parts(other.told):
            if part not in known:
                implied = frozenset(implied_by(known)) if implied is None else implied
                if part not in implied:
                    return None
        return self.told

    @property
    def size(self) -> int:
        """How many tests it takes to tell."""
        return count_leaves(self.yes) + count_leaves(self.no)


TRUE = Truth(EVERY, NONE, EVERY)
FALSE = Truth(NONE, EVERY, EVERY)
# what has no truth on any row
FAILING = Truth(NONE, NONE, NONE)


def always(value: bool) -> Truth:
    """The same on every row."""
    return TRUE if value else FALSE


def settle(yes: Filter, *there: Filter) -> Truth:
    """True where `yes` is, which implies that all is there that it asks for; false on the others that have it."""
    present = all_of(*there)
    return Truth(yes, NONE if yes == present else all_of(present, none_of(yes)), present)


def choose(cases: Iterable[tuple[Filter, Truth]]) -> Truth:
    """The truth that belongs to whichever of these exclusive conditions is true; without one it fails."""
    chosen = [(when, truth) for when, truth in cases if when != NONE]
    if len(chosen) == 1 and chosen[0][0] == EVERY:
        return chosen[0][1]
    return Truth(
        any_of(*(all_of(when, truth.yes) for when, truth in chosen)),
        any_of(*(all_of(when, truth.no) for when, truth in chosen)),
    )


def _simplify(yes: Filter, no: Filter, told: Filter | None) -> Truth:
    """Of what never fails one side says all of the other."""
    if told == EVERY and count_leaves(no) > count_leaves(yes):
        no = none_of(yes)
    elif told == EVERY and count_leaves(yes) > count_leaves(no):
        yes = none_of(no)
    return Truth(yes, no, told)


def _parts(filter_: Filter) -> tuple[Filter, ...]:
    return filter_.parts if isinstance(filter_, All) else (filter_,)


def count_leaves(filter_: Filter) -> int:
    """How many tests a filter has."""
    if isinstance(filter_, All | Some):
        return sum([count_leaves(part) for part in filter_.parts])
    return count_leaves(filter_.part) if isinstance(filter_, Not | End) else 1
