"""What requests send is not kept: names are as long as a request can be, and there is no end of them."""

from __future__ import annotations

import gc
import tracemalloc

from policy_service.model import Act, Request, Thing
from tests.property.files import answer, make_bundle

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
