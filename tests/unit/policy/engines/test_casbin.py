from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from policy_service.model import Act, Effect, Entity, Outcome, Request, Thing, Uid
from policy_service.policy.engines.casbin import CasbinLine, evaluate, parse
from policy_service.policy.facts import Facts
from policy_service.policy.request import ask
from policy_service.policy.scope import Needs
from policy_service.policy.values import read_record

RBAC = "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act"
DENY = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"


def conf(
    matcher: str = RBAC,
    request: str = "sub, obj, act, ctx",
    policy: str = "sub, obj, act",
    effect: str = "some(where (p.eft == allow))",
    roles: str = "g = _, _",
) -> str:
    """A model text."""
    parts = [f"[request_definition]\nr = {request}", f"[policy_definition]\np = {policy}"]
    parts += [f"[role_definition]\n{roles}"] if roles else []
    return "\n".join([*parts, f"[policy_effect]\ne = {effect}", f"[matchers]\nm = {matcher}", ""])


def load(model: str, policy: str) -> tuple[CasbinLine, ...]:
    """The lines of a folder without findings."""
    lines, findings = parse("tenants/acme/rules.casbin", model, policy)
    assert findings == []
    return lines


def facts_for(
    subject: tuple[str, str] = ("user", "alice"),
    action: str = "read",
    resource: tuple[str, str] = ("doc", "data1"),
    *,
    of_subject: Mapping[str, Any] = {},
    of_action: Mapping[str, Any] = {},
    of_resource: Mapping[str, Any] = {},
    context: Mapping[str, Any] = {},
    groups: tuple[str, ...] = (),
    resource_groups: tuple[str, ...] = (),
    asserted: Mapping[str, Any] = {},
) -> Facts:
    """Facts as `access` would gather them."""
    request = Request(Thing(*subject, of_subject), Act(action, of_action), Thing(*resource, of_resource), context)
    question = ask(request)
    entities: dict[Uid, Entity | None] = {
        question.resource: Entity(
            question.resource, read_record(dict(of_resource)), frozenset(Uid("Group", name) for name in resource_groups)
        ),
        question.principal: Entity(
            question.principal, read_record(dict(of_subject)), frozenset(Uid("Group", name) for name in groups)
        ),
    }
    return Facts(question, Needs(), entities, {**question.context, **asserted})


def answer(matcher: str, *, columns: str = "alice, data1, read", roles: str = "", **given: Any) -> bool | str:
    """Whether one line is satisfied, or why it failed."""
    definition = "g = _, _" if "g(" in matcher else ""
    outcome = evaluate(load(conf(matcher, roles=definition), f"p, {columns}\n{roles}"), facts_for(**given))
    return outcome.failed[0].why if outcome.failed else bool(outcome.satisfied)


def ids(outcome: Outcome) -> tuple[list[str], list[str]]:
    return [policy.id for policy in outcome.satisfied], [failure.policy.id for failure in outcome.failed]


def test_a_line_is_a_policy_with_its_own_place() -> None:
    lines = load(
        conf(policy="sub, obj, act, eft", effect=DENY),
        "# rules\np, alice, data1, read, allow\n\np, bob, data2, read, deny\n",
    )
    assert [(line.policy.id, line.policy.effect, line.policy.file, line.policy.line) for line in lines] == [
        ("rules.casbin:2", Effect.PERMIT, "tenants/acme/rules.casbin/policy.csv", 2),
        ("rules.casbin:4", Effect.FORBID, "tenants/acme/rules.casbin/policy.csv", 4),
    ]


def test_each_line_answers_for_itself() -> None:
    matcher = "r.obj == p.obj && r.sub.age > 17"
    lines = load(conf(matcher, roles=""), "p, x, data1, read\np, x, data2, read\np, y, data1, read\n")
    assert ids(evaluate(lines, facts_for())) == ([], ["rules.casbin:1", "rules.casbin:3"])
    assert ids(evaluate(lines, facts_for(of_subject={"age": 18}))) == (["rules.casbin:1", "rules.casbin:3"], [])


@pytest.mark.parametrize(
    ("matcher", "given", "expected"),
    [
        ("r.sub == p.sub && r.obj == p.obj && r.act == p.act", {}, True),
        ("r.sub == p.sub && r.act == p.act", {"subject": ("user", "bob")}, False),
        ("r.sub.type == 'user' && r.sub.id == 'alice'", {}, True),
        ("r.sub.type == 'user'", {"of_subject": {"type": "robot"}}, True),
        ("r.obj.id == 'data1' && r.obj.type == 'doc'", {"of_resource": {"id": "other"}}, True),
        ("r.sub.type == 'my-type'", {"subject": ("my-type", "a")}, True),
        ("r.obj.owner == r.sub", {"of_resource": {"owner": "alice"}}, True),
        ("r.act.soft == True", {"of_action": {"soft": True}}, True),
        ("r.act.soft", {"of_action": {"soft": True}}, True),
        ("!r.act.soft", {"of_action": {"soft": False}}, True),
        ("r.ctx.ip == '10.0.0.1'", {"context": {"ip": "10.0.0.1"}}, True),
        ("ipMatch(r.ctx.ip, '10.0.0.0/8')", {"context": {"ip": "10.0.0.1"}}, True),
        ("r.sub.address.city == 'Ulm'", {"of_subject": {"address": {"city": "Ulm"}}}, True),
        ("r.act in ('read', 'list')", {}, True),
        ("r.act not in ['read', 'list']", {}, False),
        ("r.sub in r.obj.owners", {"of_resource": {"owners": ["bob", "alice"]}}, True),
        ("r.sub.age >= 18 && r.sub.age < 65.5", {"of_subject": {"age": 64}}, True),
        ("18 <= r.sub.age < 65", {"of_subject": {"age": 65}}, False),
        ("r.sub.balance == -1", {"of_subject": {"balance": -1}}, True),
        ("r.sub.rate > 0.5", {"of_subject": {"rate": 1}}, True),
        ("!(r.sub == 'bob') || r.act == 'x'", {}, True),
        # precedence is Python's, as in the library
        ("!r.sub == 'bob'", {}, True),
        ("keyMatch(r.obj, 'data*')", {}, True),
        ("r.ctx.now < '2030-01-01T00:00:00Z'", {"asserted": {"now": "2026-01-01T00:00:00Z"}}, True),
    ],
)
def test_what_a_matcher_reads(matcher: str, given: dict[str, Any], expected: bool) -> None:
    assert answer(matcher, **given) is expected


@pytest.mark.parametrize(
    ("matcher", "given", "why"),
    [
        ("r.sub.age > 17", {}, "`subject` has no attribute `age`"),
        ("r.sub.a.b == 1", {"of_subject": {"a": "text"}}, "`subject.a` has no attribute `b`"),
        ("r.sub.a.b == 1", {"of_subject": {"a": {}}}, "`subject.a` has no attribute `b`"),
        ("r.sub.a.b == 1", {"of_subject": {"a": ["b"]}}, "`subject.a` has no attribute `b`"),
        ("r.sub.type.x == 1", {}, "`subject.type` is text"),
        ("r.ctx.ip == 'x'", {}, "`context` has no attribute `ip`"),
        ("r.act.soft == 'x'", {}, "`action` has no attribute `soft`"),
        ("r.sub.age < 18", {"of_subject": {"age": "17"}}, "not supported between"),
        ("r.sub.admin", {"of_subject": {"admin": "false"}}, "must be a boolean"),
        ("r.sub in r.obj.owners", {"of_resource": {"owners": "alice,bob"}}, "`in` needs a list"),
        ("r.sub in r.obj.owners", {"of_resource": {"owners": {"alice": 1}}}, "`in` needs a list"),
        ("ipMatch(r.ctx.ip, '0.0.0.0/8')", {"context": {"ip": 1}}, "`ipMatch` needs a text"),
        ("ipMatch(r.ctx.ip, '10.0.0.0/8')", {"context": {"ip": "nonsense"}}, "nonsense"),
        ("keyMatch(r.sub.n, 'x')", {"of_subject": {"n": 1}}, "`keyMatch` needs a text"),
        ("regexMatch(r.sub.n, 'x')", {"of_subject": {"n": 1}}, "`regexMatch` needs a text"),
    ],
)
def test_missing_and_wrong_types_fail_the_line(matcher: str, given: dict[str, Any], why: str) -> None:
    assert why in str(answer(matcher, **given))


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ("r.act == 'write' && r.sub.age > 17", False),
        ("r.act == 'read' || r.sub.age > 17", True),
        ("!(r.act == 'write' && r.sub.age > 17)", True),
    ],
)
def test_short_circuit_never_reaches_what_is_missing(matcher: str, expected: bool) -> None:
    assert answer(matcher) is expected


@pytest.mark.parametrize(
    "name", ["keys", "items", "format", "upper", "__class__", "__dict__", "count", "mro", "func_globals", "_facts"]
)
def test_names_of_methods_are_data_or_missing(name: str) -> None:
    for token, given in (("sub", "of_subject"), ("obj", "of_resource"), ("act", "of_action"), ("ctx", "context")):
        assert "has no attribute" in str(answer(f"r.{token}.{name} == 'x'"))
        assert answer(f"r.{token}.{name} == 'x'", **{given: {name: "x"}}) is True
    assert "has no attribute" in str(answer(f"r.sub.record.{name} == 'x'", of_subject={"record": {"a": 1}}))
    assert "has no attribute" in str(answer(f"r.sub.text.{name} == 'x'", of_subject={"text": "a"}))


def test_other_tokens_come_from_the_context() -> None:
    model = conf(
        "r.user == p.user && r.dom == p.dom && r.thing == p.thing", "user, thing, dom", "user, thing, dom", roles=""
    )
    lines = load(model, "p, alice, data1, acme\n")
    assert evaluate(lines, facts_for(context={"dom": "acme"})).satisfied
    assert not evaluate(lines, facts_for(context={"dom": "other"})).satisfied
    assert evaluate(lines, facts_for()).failed[0].why == "`context` has no attribute `dom`"


def test_needs_say_what_is_read() -> None:
    plain, roles = load(conf("r.sub.owner.x == 1", roles=""), "p, a, b, c\n"), load(conf(), "p, a, b, c\n")
    assert plain[0].needs.depth == 0
    assert plain[0].needs.attributes == {"owner"}
    reads = load(conf("r.obj.a == r.act.b && r.ctx.c == 1 && r.sub == p.sub", roles=""), "p, a, b, c\n")
    assert reads[0].needs.attributes == {"a", "b"}
    assert not plain[0].needs.hierarchy
    assert not roles[0].needs.hierarchy
    assert load(conf(), "p, group:a, b, c\n")[0].needs.hierarchy
    assert load(conf(), "p, x, b, c\ng, group:a, x\n")[0].needs.hierarchy
    assert load(conf("r.ctx.now == 'x'", roles=""), "p, a, b, c\n")[0].needs.now
    assert load(conf("r.caller.ip == 'x'", "sub, caller", roles=""), "p, a, b, c\n")[0].needs.caller
    assert not load(conf("r.ctx.nowhere == 'x'", roles=""), "p, a, b, c\n")[0].needs.now


def test_threads_never_see_each_others_request() -> None:
    lines = load(
        conf("r.sub == p.sub && r.sub.level > 5", roles=""), "".join(f"p, u{n}, data1, read\n" for n in range(8))
    )
    expected = [(([f"rules.casbin:{n + 1}"], []) if n % 2 else ([], [])) for n in range(8)]
    wrong: list[Any] = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        facts = facts_for(("user", f"u{number}"), of_subject={"level": 9 if number % 2 else 1})
        start.wait()
        wrong.extend(found for _ in range(300) if (found := ids(evaluate(lines, facts))) != expected[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_evaluator_keeps_nothing_of_a_request() -> None:
    from policy_service.policy.engines import casbin

    evaluate(load(conf("r.sub == p.sub", roles=""), "p, a, b, c\n"), facts_for())
    assert not casbin._LOCAL.evaluator.names
    assert not casbin._LOCAL.evaluator.functions


@pytest.mark.parametrize("model", ["", "\ufeff" + conf(), conf() + "\0", "nonsense", "[matchers]\nm", "[", "\x85"])
def test_a_broken_model_is_a_finding(model: str) -> None:
    lines, findings = parse("tenants/acme/x.casbin", model, "p, a, b, c\n")
    assert lines == ()
    assert findings
    assert all(finding.path == "tenants/acme/x.casbin/model.conf" for finding in findings)


def test_patterns_of_columns_are_checked_when_loaded() -> None:
    model = conf("regexMatch(r.obj, p.obj) && ipMatch(r.ctx.ip, p.act)", roles="")
    lines, findings = parse("t/x.casbin", model, "p, a, ^(b)\\1, 10.0.0.0/8\np, a, ^b, 10.0.0.1/8\np, a, b, 10.0.0\n")
    assert lines == ()
    assert [(finding.path, finding.line) for finding in findings] == [
        ("t/x.casbin/policy.csv", 1),
        ("t/x.casbin/policy.csv", 3),
    ]
    assert "would never match" in findings[1].sentence


def test_role_lines_that_nothing_asks_for_are_findings() -> None:
    lines, findings = parse("t/x.casbin", conf("r.sub == p.sub"), "p, admin, b, c\ng, alice, admin\n")
    assert lines == ()
    assert findings[0].line == 2
    assert "never calls `g`" in findings[0].sentence
