"""What is hidden of a row, as it is said of all rows at once, is what the decision about this row says."""

from __future__ import annotations

from collections import Counter

import pytest

from policy_service.policy.hiding import hiding
from policy_service.policy.residual.denying import find_denying
from policy_service.policy.residual.plan import forbidding
from tests.property.filter_draws import by_seed
from tests.property.filter_sets import Everyone, draw_sets, make_bundle
from tests.property.filter_truths import find_truth, make_gatherer, see_entities
from tests.property.filter_worlds import draw_world
from tests.property.residual_worlds import hold


@pytest.mark.parametrize("seed", range(4))
def test_forbids_hide_what_they_deny(seed: int) -> None:
    counts = compare(seed)
    assert counts["told"] > counts["doubtful"]
    assert counts["hidden"]


def compare(seed: int) -> Counter[str]:
    """How many rows were told of, of how many nobody could tell, and of how many something is hidden."""
    draws, counts = by_seed(f"hiding/{seed}"), Counter[str]()
    world = draw_world(draws, 12, 8)
    stored = hold(world, make_bundle(world, {})[0])
    drawn = draw_sets(draws, Everyone(stored), 12, 3)
    bundle, _ = make_bundle(world, drawn.files)
    rows = [row for kind in stored.rows.values() for row in kind]
    gatherer = make_gatherer(bundle, stored)
    for asking in drawn.askings:
        truth = find_truth(bundle, gatherer, asking, rows, bundle.drawn)
        forbids = forbidding(bundle, truth.asked)
        for entity, decision in zip(see_entities(gatherer, truth.rows), truth.decisions, strict=True):
            found = find_denying(forbids, entity)
            counts["told" if found is not None else "doubtful"] += 1
            counts["hidden"] += bool(found)
            if found is not None and entity.uid not in truth.asked.twofold:
                assert {policy.id for policy in found} == {policy.id for policy in hiding(decision)}, asking
    return counts
