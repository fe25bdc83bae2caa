"""Two things timed in turn, so that a machine whose speed drifts slows both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table: what was measured, the figure, what it is held against, and the bound if there is one."""

    what: str
    figure: str
    against: str = ""
    bound: str = ""


def cpu_us(function: Callable[[], object], times: int, clock: Callable[[], int] = time.process_time_ns) -> float:
    """Microseconds for one call, over `times` calls: of CPU, or of another clock."""
    start = clock()
    for _ in range(times):
        function()
    return (clock() - start) / times / 1000


def compare(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    times: int,
    rounds: int = 15,
    clock: Callable[[], int] = time.process_time_ns,
) -> tuple[float, float, float]:
    """The median of ours / theirs over rounds in turn, and the median microseconds of each."""
    ours()
    theirs()
    gc.disable()
    try:
        pairs = [(cpu_us(ours, times, clock), cpu_us(theirs, times, clock)) for _ in range(rounds)]
    finally:
        gc.enable()
    return (
        statistics.median(one / other for one, other in pairs),
        statistics.median(one for one, _ in pairs),
        statistics.median(other for _, other in pairs),
    )


def ratio_row(what: str, against: str, bound: str, result: tuple[float, float, float], unit: str = "µs") -> Row:
    """A row of one comparison."""
    ratio, ours, theirs = result
    return Row(what, f"{ratio:.2f}× ({ours:.0f} / {theirs:.0f} {unit})", against, bound)
