"""What requests send is not kept: names are as long as a request can be, and there is no end of them."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from policy_service.model import Act, Request, Thing
from policy_service.policy import slices
from tests.property.files import answer, make_bundle, question

LONG = 100_000


def ask(bundle, number: int) -> None:
    name = f"{number}-" + "x" * LONG
    answer(bundle, Request(Thing(f"a{name}", "u"), Act(f"b{name}"), Thing(f"c{name}", "d")))


def test_long_names_of_types_and_actions_are_not_remembered():
    bundle = make_bundle({"p.cedar": "permit(principal, action, resource);"})
    ask(bundle, 0)
    tracemalloc.start()
    try:
        for number in range(1, 21):
            ask(bundle, number)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3 * LONG


def test_large_slices_are_kept_until_their_policies_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand slices of twenty thousand policies each would be fifty gigabytes."""
    monkeypatch.setattr(slices, "POLICIES", 100)
    many = "".join(f"permit(principal, action, resource) when {{ principal.a == {number} }};\n" for number in range(19))
    one = "".join(f'permit(principal, action, resource == doc::"{number}");\n' for number in range(30))
    bundle = make_bundle({"p.cedar": many + one})
    most = 0
    for number in range(30):
        assert answer(bundle, question(resource=str(number))).allowed
        kept = {id(kept): kept for kept in (*bundle.index._slices.values(), *bundle.index._known.values())}
        most = max(most, sum(len(each.policies) for each in kept.values()))
    assert 50 < most <= 100
