from __future__ import annotations

import pytest

from policy_service.model import Finding
from policy_service.policy.engines.casbin import evaluate, parse
from tests.unit.policy.engines.test_casbin import DENY, conf, facts_for, load

PLAIN = "r.sub == p.sub && r.obj == p.obj && r.act == p.act"


def findings(model: str, policy: str = "") -> list[Finding]:
    lines, found = parse("t/x.casbin", model, policy)
    assert lines == ()
    return found


@pytest.mark.parametrize(
    ("model", "line", "sentence"),
    [
        (conf(effect="!some(where (p.eft == deny))"), 8, "write it in Cedar: `permit (principal, action, resource);`"),
        (conf(effect="priority(p.eft) || deny"), 8, "in Cedar, where forbid wins"),
        (conf(effect="subjectPriority(p.eft) || deny"), 8, "in Cedar, where forbid wins"),
        (conf(effect="some(where (p.eft == deny))"), 8, "in Cedar"),
        (conf(policy="sub, obj, act, eft"), 8, "ignores every deny line"),
        (conf(policy="sub, obj, act, priority"), 4, "`priority` orders nothing"),
        (conf(policy="sub, obj, obj"), 4, "stands twice"),
        (conf(policy="sub, obj, in"), 4, "is no name"),
        (conf(request="sub, user, act"), 2, "`sub` and another token mean the subject"),
        (conf(request="sub, 0bj, act"), 2, "is no name"),
        (conf(request=""), 2, "has no `r`"),
        (conf(roles="g = _, _, _"), 6, "a tenant is a domain already"),
        (conf(roles="g = _, _\ng2 = _, _, (_)"), 7, "not supported"),
        (conf(roles="g = _, _\ngroup = _, _"), 7, "ignores `group`"),
        (conf() + "m2 = r.sub == p.sub\n", 11, "ignores `m2`"),
        (conf() + "m = r.sub == p.sub\n", 11, "stands twice"),
        (conf() + "[matcher]\nm = r.sub == p.sub\n", 11, "ignores `[matcher]`"),
        (conf().replace("[matchers]", "[Matchers]"), 9, "ignores `[Matchers]`"),
        (conf("r.sub == p.sub \\\n# who\n && r.obj == p.obj"), 11, "ends the option before this line"),
        (conf("r.sub == p.sub \\\n\n && r.obj == p.obj"), 11, "ends the option before this line"),
        (conf("r.sub == p.sub\n && r.obj == p.obj"), 11, "ignores `&& r.obj`"),
        ("r = sub\n" + conf(), 1, "in another way than it looks"),
    ],
)
def test_what_a_model_may_not_say(model: str, line: int, sentence: str) -> None:
    found = findings(model)
    assert found[0].path == "t/x.casbin/model.conf"
    assert found[0].line == line
    assert sentence in found[0].sentence


def test_a_matcher_over_several_lines() -> None:
    lines = load(
        conf("r.sub == p.sub \\\n && r.obj == p.obj \\\n && r.act == p.act", roles=""), "p, alice, data1, read\n"
    )
    assert evaluate(lines, facts_for()).satisfied
    assert not evaluate(lines, facts_for(action="write")).satisfied


def test_the_two_effects() -> None:
    assert load(conf(PLAIN, roles=""), "p, a, b, c\n")
    assert load(conf(PLAIN, policy="sub, obj, act, eft", effect=DENY, roles=""), "p, a, b, c, deny\n")
    assert load(conf(PLAIN, effect=DENY, roles=""), "p, a, b, c\n")
    assert load(conf(PLAIN, effect="some(where(p.eft==allow))", roles=""), "p, a, b, c\n")


@pytest.mark.parametrize(
    ("request_", "subject", "resource"),
    [
        ("user, thing, dom", "user", "thing"),
        ("who, obj, act", "who", "obj"),
        ("dom, sub, obj, act", "sub", "obj"),
        ("principal, action, resource", "principal", "resource"),
    ],
)
def test_tokens_are_told_by_their_names(request_: str, subject: str, resource: str) -> None:
    lines = load(conf(f"r.{subject} == 'alice' && r.{resource} == 'data1'", request_, "a", roles=""), "p, x\n")
    assert evaluate(lines, facts_for()).satisfied
    assert not evaluate(lines, facts_for(("user", "bob"))).satisfied
