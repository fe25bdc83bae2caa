"""Choices for generators: by a random number generator for volume, or by hypothesis, which makes them smaller."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draws:
    """`below(n)` is a number from 0 to n-1; the smaller it is, the simpler is what is made of it."""

    below: Callable[[int], int]

    def pick(self, options: Sequence[T]) -> T:
        """One of the options; the simplest stands first."""
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """Whether something happens that does in so many of 100 cases, and does not in the simplest."""
        return self.below(100) >= 100 - percent

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`."""
        return low + self.below(high - low + 1)

    def some(self, options: Sequence[T], most: int, least: int = 0) -> list[T]:
        """So many different ones of the options, in an order of its own."""
        left, chosen = list(options), []
        for _ in range(min(self.number(least, most), len(left))):
            chosen.append(left.pop(self.below(len(left))))
        return chosen


# whatever may happen does
ALWAYS = Draws(lambda n: n - 1)


def by_seed(seed: int | str) -> Draws:
    """Choices that are the same for the same seed."""
    draw = random.Random(seed).random
    return Draws(lambda n: int(draw() * n))


def by_hypothesis(draw: st.DrawFn) -> Draws:
    """Choices of a strategy, which hypothesis makes smaller."""
    return Draws(lambda n: draw(st.integers(0, n - 1)))
