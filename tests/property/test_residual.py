"""A filter is true of exactly those rows that a decision allows; of what is opaque both bounds hold.

`residual_runs` is the driver for volume; the same choices made by hypothesis get small.
"""

from __future__ import annotations

import time
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.filter_draws import by_hypothesis, by_seed
from tests.property.residual_runs import compare

SECONDS = 2.0


def test_seeded_worlds():
    counts, until, number = Counter[str](), time.monotonic() + SECONDS, 0
    while time.monotonic() < until or number < 2:
        compare(by_seed(f"test/{number}"), counts, entities=8, sets=8)
        number += 1
    assert counts["rows"] > 100
    # policies that allow all or nothing would compare nothing, and neither would filters that say nothing
    assert counts["filters, of some rows"] * 10 > counts["filters"]
    assert counts["filters, exact"] * 2 > counts["filters"]


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_small_worlds(data):
    compare(by_hypothesis(data.draw), Counter(), entities=2, sets=1, askings=1)
