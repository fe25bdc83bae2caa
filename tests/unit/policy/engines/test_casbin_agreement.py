"""One line of ours and one line of the library agree, where none of our refinements applies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import casbin
import pytest
from casbin.persist.adapters.string_adapter import StringAdapter
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_service.policy.engines.casbin import evaluate, parse
from tests.unit.policy.engines.test_casbin import conf, facts_for

_NAMES = st.sampled_from(["alice", "bob", "data1", "data", "d*", "/a/:x", "read"])
_IDS = st.sampled_from(["alice", "bob", "data1", "data", "/a/1", "/a"])
_VALUES = (
    st.none() | st.integers(-1, 2) | st.sampled_from(["1", "a", "alice", 0.5]) | st.lists(st.integers(0, 2), max_size=2)
)
_TEXTS = ["r.sub", "r.obj", "r.act", "p.sub", "p.obj", "'alice'", "'data1'", "1", "-0.5"]
_ATTRIBUTES = ["r.ctx.a", "r.ctx.b", *_TEXTS]


def conditions(operands: list[str]) -> st.SearchStrategy[str]:
    operand = st.sampled_from(operands)
    compared = st.builds(" ".join, st.tuples(operand, st.sampled_from(["==", "!=", "<", ">="]), operand))
    listed = operand.map(lambda name: f"{name} in ('alice', 'data1', 1)")
    called = st.sampled_from(
        ["g(r.sub, p.sub)", "keyMatch(r.obj, p.obj)", "keyMatch2(r.obj, '/a/:x')", "regexMatch(r.obj, 'd.t')", "True"]
    )
    return st.recursive(
        compared | listed | called,
        lambda inner: (
            st.builds(lambda a, o, b: f"({a} {o} {b})", inner, st.sampled_from(["&&", "||"]), inner)
            | inner.map(lambda a: f"!({a})")
        ),
        max_leaves=5,
    )


def theirs(model: str, policy: str, *request: Any) -> bool | str:
    loaded = casbin.Model()
    loaded.load_model_from_text(model)
    enforcer = casbin.Enforcer(loaded, StringAdapter(policy))
    try:
        return bool(enforcer.enforce(*request))
    except Exception:
        return "failed"


@settings(max_examples=250, deadline=None)
@given(
    matcher=conditions(_ATTRIBUTES),
    columns=st.tuples(_NAMES, _NAMES),
    member=_IDS,
    subject=_IDS,
    resource=_IDS,
    a=_VALUES,
    b=_VALUES,
)
def test_agrees_with_the_enforcer(
    matcher: str, columns: tuple[str, str], member: str, subject: str, resource: str, a: Any, b: Any
) -> None:
    model = conf(matcher, policy="sub, obj")
    policy = f"p, {columns[0]}, {columns[1]}\n" + (f"g, {member}, role\n" if "g(" in matcher else "")
    lines, findings = parse("t/x.casbin", model, policy)
    assert findings == []
    context = {name: value for name, value in (("a", a), ("b", b)) if value is not None}
    outcome = evaluate(lines, facts_for(("user", subject), "read", ("doc", resource), context=context))
    ours: bool | str = "failed" if outcome.failed else bool(outcome.satisfied)
    assert ours == theirs(model, policy.strip(), subject, resource, "read", SimpleNamespace(**context))


@pytest.mark.parametrize("subject", ["alice", "role", "bob"])
def test_roles_agree_but_for_ids_that_are_roles(subject: str) -> None:
    policy = "p, role, data1, read\ng, alice, role"
    lines, _ = parse("t/x.casbin", conf(), policy)
    ours = bool(evaluate(lines, facts_for(("user", subject))).satisfied)
    assert ours is (subject == "alice")
    # the library takes an id for a role: here no request does
    assert theirs(conf(), policy, subject, "data1", "read", None) is (subject != "bob")
