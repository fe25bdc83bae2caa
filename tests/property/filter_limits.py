"""Limits that only large stores and policies come to, made small: they change how fast it is, and what is opaque."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from unittest.mock import patch

from policy_service.assets import below, rows
from policy_service.assets.sql import arms, conditions, counts, facets, looks, pages, sayable
from policy_service.policy.residual import compiler, plan
from tests.property.filter_draws import Draws

SMALL: tuple[tuple[ModuleType, str, tuple[int, ...]], ...] = (
    (pages, "GATHERED", (0, 3)),
    (looks, "GATHERED", (0, 3)),
    (looks, "_WEIGHED", (1, 3)),
    (looks, "MOST_ARMS", (1, 3)),
    (counts, "_GATHERED", (0, 3)),
    (facets, "_LOOKED", (0, 3)),
    (arms, "SPLIT", (1, 2)),
    (pages, "SPLIT", (1, 2)),
    (below, "MOST_BELOW", (1, 3)),
    (conditions, "_CHAIN", (2, 3)),
    (rows, "CHUNK", (1, 3)),
    (sayable, "MOST_LEAVES", (5, 20)),
    (sayable, "MOST_DEPTH", (4, 8)),
    (sayable, "MOST_TERMS", (2, 3)),
    (compiler, "LEAVES", (10, 40)),
    (compiler, "CASES", (2, 4)),
    (compiler, "_CHAIN", (2, 3)),
    (plan, "LEAVES", (5, 30)),
)


@contextmanager
def small_limits(draws: Draws) -> Iterator[None]:
    """Some of the limits as small as they are drawn, in half of the cases."""
    with ExitStack() as stack:
        if draws.chance(50):
            for module, name, values in draws.some(SMALL, 5, 1):
                stack.enter_context(patch.object(module, name, draws.pick(values)))
        yield
