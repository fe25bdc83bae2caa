"""Random requests of two tenants, each by an administrator, a reader, a member of a team, nobody, and `act` keys.

Every answer of the asset API is the model's, on both databases; whatever is another tenant's, or not the caller's to
see, is answered byte for byte as what is not there. `EXAMPLES=1000 pytest tests/property/test_api_isolation.py` looks
for longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.property.asset_deeds import draw_deeds
from tests.property.asset_runs import Run
from tests.property.asset_worlds import World, open_world
from tests.stores import KINDS


@pytest.fixture(scope="module", params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(request.param, tmp_path_factory.mktemp("world"), request) as opened:
        yield opened


@settings(
    max_examples=int(os.environ.get("EXAMPLES", "5")),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**64 - 1))
def test_every_answer_is_the_model_s(world: World, seed: int) -> None:
    world.clear()
    told = [len(world.read_trail(tenant)) for tenant in (0, 1)]
    run = Run(world)
    for deed in draw_deeds(Random(seed), 36):
        note(repr(deed))
        run.do(*deed)
    for tenant, home in enumerate(world.homes):
        trail = world.read_trail(tenant)
        assert len(trail) - told[tenant] == run.changed[tenant]
        others = set(world.homes[1 - tenant].ids.values())
        assert others.isdisjoint(home.ids.values())
        assert others.isdisjoint(entry["id"] for entry in trail)
