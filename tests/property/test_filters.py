"""A filter is true of exactly those rows that a check allows: in SQL, page by page, counted, on both databases."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.filter_cases import FOLDER, read_case
from tests.property.filter_draws import by_hypothesis, by_seed
from tests.property.filter_runs import Run, Size
from tests.property.filter_store import KINDS
from tests.property.filter_worlds import ACCOUNT

SECONDS = 4.0
SMALL = Size(entities=6, relationships=5, sets=4, askings=2, rounds=2)
TINY = Size(entities=2, relationships=2, sets=1, askings=1, rounds=1)


@pytest.fixture
def run(place):
    store = place.open((ACCOUNT,))
    try:
        yield Run(store, SMALL)
    finally:
        store.close()


def test_seeded_worlds(run):
    until, number = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        run.go(by_seed(f"test/{number}"))
        number += 1
    assert all(run.tally.counts[f"listed, {kind}"] for kind in KINDS)
    # a generator of policies that allow all or nothing would compare nothing
    assert run.tally.counts["filters, of some rows"] * 10 > run.tally.counts["filters"]


@pytest.fixture(scope="module")
def tiny(request, tmp_path_factory):
    from tests.stores import make_place

    with make_place("sqlite", tmp_path_factory.mktemp("filters"), request) as place:
        store = place.open((ACCOUNT,))
        try:
            yield Run(store, TINY)
        finally:
            store.close()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_small_worlds(tiny, data):
    tiny.go(by_hypothesis(data.draw))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_once_differed(run, path):
    run.compare_case(read_case(path.read_text(encoding="utf-8")))
