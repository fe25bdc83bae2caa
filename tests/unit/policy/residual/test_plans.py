"""Plans that are kept take so much room and no more."""

from __future__ import annotations

import pytest

from policy_service.policy.residual import plans
from policy_service.policy.residual.asking import find_asking
from policy_service.policy.residual.filter import Below, Field, constant
from policy_service.policy.residual.filter import Test as Compare
from policy_service.policy.residual.plans import Plan, Plans
from tests.unit.policy.residual.questions import make, permit

ID = Field(("id",), "text")


def plan(values: int) -> Plan:
    return Plan(Compare("in", ID, tuple(constant(str(number)) for number in range(values))), ())


def test_a_plan_is_found_again() -> None:
    kept = Plans()
    kept.keep("a", plan(1))
    assert kept.find("a") == plan(1)
    assert kept.find("b") is None


def test_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "KEPT", 2)
    kept = Plans()
    for key in "abc":
        kept.keep(key, plan(1))
    assert [kept.find(key) is not None for key in "abc"] == [False, False, True]


def test_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "WEIGHT", 40)
    kept = Plans()
    for key in "abcde":
        kept.keep(key, plan(9))
    assert [kept.find(key) is not None for key in "abcde"] == [False, False, False, False, True]
    kept.keep("large", plan(30))
    assert kept.find("large") is None
    assert kept.find("e") is not None


def test_forbids_and_ancestors_weigh_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "WEIGHT", 40)
    kept = Plans()
    kept.keep("a", Plan(plan(1).filter, ((None, plan(20).filter),)))  # type: ignore[arg-type]
    kept.keep("b", Plan(Below(tuple(range(20))), ()))  # type: ignore[arg-type]
    assert kept.find("a") is kept.find("b") is None


def test_what_policies_ask_for_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    monkeypatch.setattr(
        plans, "find_asking", lambda rule, unknown: looked.append(unknown) or find_asking(rule, unknown)
    )
    monkeypatch.setattr(plans, "ASKING", 3)
    kept = Plans()
    compiled = make(permit("resource.a == 1"), permit("resource.b == 2", "q")).layer.cedar
    for _ in range(2):
        for policy in compiled:
            kept.find_asking(policy, "resource")
    assert len(looked) == 2
    kept.find_asking(compiled[0], "principal")
    assert len(looked) == 3
    # there is no more room
    kept.find_asking(compiled[1], "principal")
    kept.find_asking(compiled[0], "resource")
    assert len(looked) == 5
