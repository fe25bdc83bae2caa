"""The index of a bundle: who is found for a request."""

from __future__ import annotations

import pytest

from policy_service.model import Uid
from policy_service.policy.scope import Key, Scope
from policy_service.policy.slices import widen
from tests.property.files import answer, make_bundle, question


@pytest.mark.parametrize("who", ["principal", 'principal == user::"alice"'])
def test_a_policy_for_no_action_is_for_nobody(who):
    """Cedar is asked about conditions alone, so an empty list of actions must not become any action."""
    bundle = make_bundle({"p.cedar": f'@id("p") permit({who}, action in [], resource);'})
    assert not answer(bundle, question("alice")).allowed


def test_a_cedar_policy_keeps_its_scope_however_many_actions_it_names():
    actions = ", ".join(f'Action::"a{number}"' for number in range(300))
    bundle = make_bundle(
        {"p.cedar": f'permit(principal == user::"alice", action in [{actions}], resource == doc::"d1");'}
    )
    asked = [question("alice", "a299"), question("alice", "b"), question("bob", "a1"), question("alice", "a1", "d2")]
    assert [answer(bundle, request).allowed for request in asked] == [True, False, False, False]


def test_three_long_lists_are_no_product_of_the_three():
    ids = frozenset[Key](("id", str(number)) for number in range(1000))
    actions = frozenset[Key](("==", Uid("Action", str(number))) for number in range(1000))
    assert widen(Scope(ids, actions, ids)).count(None) == 2
