"""Batches: items share entities only where all that they say of them is the same."""

from __future__ import annotations

import pytest

from policy_service.model import Act, Request, Thing
from policy_service.policy.decide import decide_all
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import ask
from tests.property.files import answer, make_bundle, question

POLICIES = """
@id("one") permit(principal, action, resource) when { principal.level == 1 };
@id("in") permit(principal, action, resource) when { principal.levels.contains(1) };
@id("deep") permit(principal, action, resource) when { principal.about.level == 1 };
@id("softly") permit(principal, action, resource) when { action.soft == 1 };
"""


def batch(bundle, requests):
    gatherer = Gatherer(bundle, lambda _: {}, lambda: 0, {})
    return [decision.allowed for decision in decide_all(bundle, [gatherer.gather(ask(each)) for each in requests])]


@pytest.mark.parametrize("make", [lambda v: {"level": v}, lambda v: {"levels": [v]}, lambda v: {"about": {"level": v}}])
@pytest.mark.parametrize("values", [(1, True), (True, 1), (0, False), (1, 1.0)])
def test_items_that_differ_as_true_and_one_do_are_not_merged(make, values):
    bundle = make_bundle({"p.cedar": POLICIES})
    requests = [question(**make(value)) for value in values]
    assert batch(bundle, requests) == [answer(bundle, request).allowed for request in requests]


def test_properties_of_an_action_are_not_merged_either():
    bundle = make_bundle({"p.cedar": POLICIES})
    requests = [Request(Thing("user", "u"), Act("read", {"soft": soft}), Thing("doc", "d")) for soft in (1, True, 1)]
    assert batch(bundle, requests) == [True, False, True]
