from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_service.model import Uid
from policy_service.policy.engines.casbin import CasbinLine, evaluate, parse
from policy_service.policy.facts import Facts
from policy_service.policy.scope import Key, Keys, Scope
from policy_service.policy.slices import keys_of
from tests.unit.policy.engines.test_casbin import conf, facts_for, load

READ: Keys = frozenset({("==", Uid("Action", "read"))})


def ids(*names: str) -> Keys:
    return frozenset([("id", name) for name in names])


def scope_of(matcher: str, columns: str = "alice, data1, read", roles: str = "") -> Scope:
    definition = "g = _, _" if "g(" in matcher else ""
    return load(conf(matcher, roles=definition), f"p, {columns}\n{roles}")[0].scope


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ("r.sub == p.sub && r.obj == p.obj && r.act == p.act", Scope(ids("alice"), READ, ids("data1"))),
        ("p.act == r.act", Scope(None, READ, None)),
        ("r.act == 'read'", Scope(None, READ, None)),
        ("r.sub.id == p.sub", Scope(ids("alice"), None, None)),
        ("r.obj in ['a', 'b']", Scope(None, None, ids("a", "b"))),
        ("(r.sub == p.sub || r.sub == 'root') && r.act == p.act", Scope(ids("alice", "root"), READ, None)),
        ("(p.act == '*' || r.act == p.act) && r.sub == p.sub", Scope(ids("alice"), READ, None)),
        ("keyMatch(r.obj, p.obj) && r.act == p.act", Scope(None, READ, ids("data1"))),
        ("keyMatch(r.obj, 'd*') && r.act == p.act", Scope(None, READ, None)),
        ("r.sub != p.sub && r.act == p.act", Scope(None, READ, None)),
        ("r.obj.type == 'doc' && r.act == p.act", Scope(None, READ, None)),
        # what can fail ends it: the line must be asked, so that it can fail
        ("r.sub.age > 17 && r.act == p.act", Scope()),
        ("r.act == p.act && r.sub.age > 17 && r.sub == p.sub", Scope(None, READ, None)),
        ("r.ctx.ip == 'x' && r.act == p.act", Scope()),
        ("keyMatch2(r.obj, p.obj) && r.act == p.act", Scope()),
        ("r.sub < p.sub && r.act == p.act", Scope()),
        ("r.sub == p.sub || r.act == p.act", Scope()),
        ("!(r.sub == p.sub) && r.act == p.act", Scope(None, READ, None)),
    ],
)
def test_scope_is_read_from_leading_conditions(matcher: str, expected: Scope) -> None:
    assert scope_of(matcher) == expected


def test_a_wildcard_in_a_column_is_anyone() -> None:
    assert scope_of("(p.act == '*' || r.act == p.act) && r.sub == p.sub", "alice, data1, *") == Scope(ids("alice"))
    assert scope_of("keyMatch(r.obj, p.obj)", "alice, data*, read") == Scope()


def test_everyone_who_leads_to_a_role() -> None:
    matcher = "g(r.sub, p.sub) && r.act == p.act"
    lines = (
        "g, alice, admin\ng, user:bob, admin\ng, group:ops, admin\ng, sub, admin\ng, carol, sub\ng, App.User:dan, sub\n"
    )
    expected: set[Key] = {
        ("id", "alice"),
        ("id", "user:bob"),
        ("==", Uid("user", "bob")),
        ("in", Uid("Group", "ops")),
        ("id", "carol"),
        ("id", "App.User:dan"),
        ("==", Uid("App::User", "dan")),
    }
    assert scope_of(matcher, "admin, data1, read", lines) == Scope(frozenset(expected), READ, None)
    assert scope_of(matcher, "group:x, data1, read").principal == {("in", Uid("Group", "x"))}


def test_a_crowded_role_is_anyone() -> None:
    assert scope_of("g(r.sub, p.sub)", "all, x, y", "".join(f"g, u{n}, all\n" for n in range(1_500))).principal is None


def test_a_chain_of_roles_never_makes_too_many_keys() -> None:
    size = 1_500
    text = "".join(f"p, r{n}, data1, read\ng, r{n}, r{n + 1}\ng, u{n}, r{n}\n" for n in range(size))
    lines = load(conf(), text)
    assert sum(len(line.scope.principal or ()) for line in lines) < 105_000
    assert all(line.scope.action == READ for line in lines)


_CONDITIONS = [
    "r.sub == p.sub",
    "g(r.sub, p.sub)",
    "g(r.obj, p.obj)",
    "r.obj == p.obj",
    "r.act == p.act",
    "r.sub.id == p.sub",
    "(r.sub == p.sub || g(r.sub, p.sub))",
    "(p.act == 'any' || r.act == p.act)",
    "r.act in ['read', 'write']",
    "keyMatch(r.obj, p.obj)",
    "keyMatch2(r.obj, p.obj)",
    "r.sub.age > 17",
    "r.sub.on",
    "r.sub != p.sub",
    "!g(r.sub, p.sub)",
    "!(r.sub == p.sub && r.act == p.act)",
    "(r.act == p.act && r.sub.age > 17 || r.sub == 'alice')",
]
_NAMES = ["alice", "user:alice", "admin", "group:a", "top", "data1", "robot:x"]


def matches(line: CasbinLine, facts: Facts) -> bool:
    question, scope = facts.question, line.scope
    asked: list[tuple[Keys, set[Any]]] = [
        (scope.principal, keys_of(question.principal, facts.principal.parents)),
        (scope.action, keys_of(question.action, ())),
        (scope.resource, keys_of(question.resource, facts.resource.parents)),
    ]
    return all(keys is None or keys & own for keys, own in asked)


@settings(max_examples=400, deadline=None)
@given(
    conditions=st.lists(st.sampled_from(_CONDITIONS), min_size=1, max_size=4),
    rows=st.lists(
        st.tuples(*[st.sampled_from([*_NAMES, "d*"])] * 2, st.sampled_from(["read", "any"])), min_size=1, max_size=4
    ),
    links=st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_NAMES)), max_size=4),
    subject=st.tuples(st.sampled_from(["user", "robot", "group"]), st.sampled_from([*_NAMES, "a", "x"])),
    resource=st.tuples(st.sampled_from(["user", "doc"]), st.sampled_from(_NAMES)),
    given_=st.sampled_from([{}, {"age": 18, "on": True}, {"age": "x", "on": 1}]),
    groups=st.sampled_from([(), ("a",)]),
)
def test_a_line_that_is_sliced_away_is_neither_satisfied_nor_failed(
    conditions: list[str],
    rows: list[tuple[str, str, str]],
    links: list[tuple[str, str]],
    subject: tuple[str, str],
    resource: tuple[str, str],
    given_: dict[str, Any],
    groups: tuple[str, ...],
) -> None:
    text = "".join(f"p, {', '.join(row)}\n" for row in rows) + "".join(f"g, {', '.join(link)}\n" for link in links)
    lines, findings = parse("t/x.casbin", conf(" && ".join(conditions)), text)
    if findings:
        return
    facts = facts_for(subject, "read", resource, of_subject=given_, groups=groups)
    whole = evaluate(lines, facts)
    assert evaluate([line for line in lines if matches(line, facts)], facts) == whole
