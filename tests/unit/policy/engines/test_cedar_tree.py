"""Whom a policy can match and what it reads."""

import pytest

from policy_service.model import Uid
from policy_service.policy.engines import cedar
from policy_service.policy.scope import Needs, Scope

BOB = Uid("User", "bob")


def parse(text: str) -> cedar.CedarPolicy:
    (policy,), findings = cedar.parse("x.cedar", text)
    assert not findings
    return policy


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("principal, action, resource", Scope()),
        ('principal == User::"bob", action, resource', Scope(principal=frozenset({("==", BOB)}))),
        ('principal in Group::"g", action, resource', Scope(principal=frozenset({("in", Uid("Group", "g"))}))),
        ("principal is N::User, action, resource", Scope(principal=frozenset({("is", "N::User")}))),
        ('principal is User in Group::"g", action, resource', Scope(principal=frozenset({("in", Uid("Group", "g"))}))),
        ('principal, action == Action::"r", resource', Scope(action=frozenset({("==", Uid("Action", "r"))}))),
        ('principal, action in N::Action::"r", resource', Scope(action=frozenset({("in", Uid("N::Action", "r"))}))),
        (
            'principal, action in [Action::"r", Action::"w"], resource',
            Scope(action=frozenset({("in", Uid("Action", "r")), ("in", Uid("Action", "w"))})),
        ),
        ("principal, action in [], resource", Scope(action=frozenset())),
        ('principal, action, resource == H::"a\\n\\"b"', Scope(resource=frozenset({("==", Uid("H", 'a\n"b'))}))),
        ("principal, action, resource is H", Scope(resource=frozenset({("is", "H")}))),
    ],
)
def test_scope_keys(scope, expected):
    assert parse(f"permit({scope});").scope == expected


@pytest.mark.parametrize(
    ("condition", "needs"),
    [
        ("true", Needs()),
        ("principal.x == resource.y", Needs()),
        ("principal is User && resource has a", Needs()),
        ("principal.a.b == 1", Needs(depth=1)),
        ("principal.a.b.c == 1", Needs(depth=2)),
        ('principal["a"]["b"] == 1', Needs(depth=1)),
        ("principal has a.b.c", Needs(depth=2)),
        ("principal has a && principal.a has b", Needs(depth=1)),
        ('principal.owner in Group::"g"', Needs(depth=1, hierarchy=True)),
        ("principal in resource.team", Needs(hierarchy=True)),
        ("principal in [resource.team, resource.a.b]", Needs(depth=1, hierarchy=True)),
        ('principal is User in Group::"g"', Needs(hierarchy=True)),
        ('principal.boss is User in Group::"g"', Needs(depth=1, hierarchy=True)),
        ('action in Action::"g"', Needs()),
        ("action.a.b.c == 1 && context.a.b.c == 1", Needs()),
        ('resource.hasTag("env") && resource.getTag("env") == "x"', Needs()),
        ('resource.owner.hasTag("env")', Needs(depth=1)),
        ('resource.getTag("env").level == 1', Needs(depth=1)),
        ("resource.getTag(principal.a.b) == 1", Needs(depth=1)),
        ("resource.owners.contains(principal.a.b)", Needs(depth=1)),
        ("(if context.a then principal.boss else resource).level.x == 1", Needs(depth=2)),
        ("(if principal.a.b then 1 else 2) == 1", Needs(depth=1)),
        ("{a: principal.boss}.a.level == 1", Needs(depth=2)),
        ("[principal.a.b].contains(1)", Needs(depth=1)),
        ("!(principal.a.b == -principal.x)", Needs(depth=1)),
        ("ip(principal.a.b).isLoopback()", Needs(depth=1)),
        ('principal.a.b like "x*"', Needs(depth=1)),
        ('User::"bob" == principal', Needs()),
        ('[User::"bob"].contains(principal)', Needs()),
        ('principal in User::"bob"', Needs(hierarchy=True)),
        ('User::"bob".level == 1', Needs(roots=frozenset({BOB}))),
        ('User::"bob" has level', Needs(roots=frozenset({BOB}))),
        ('User::"bob".hasTag("a")', Needs(roots=frozenset({BOB}))),
        ('User::"bob".boss.level == 1', Needs(depth=1, roots=frozenset({BOB}))),
        ('User::"bob" in Group::"g"', Needs(roots=frozenset({BOB}), hierarchy=True)),
        ('User::"bob" is User in Group::"g"', Needs(roots=frozenset({BOB}), hierarchy=True)),
        ('(if context.a then User::"bob" else principal).level == 1', Needs(roots=frozenset({BOB}))),
        ('{a: User::"bob"}.a.level == 1', Needs(depth=1, roots=frozenset({BOB}))),
        ("context.now == 1", Needs(now=True)),
        ('context["now"] == 1', Needs(now=True)),
        ("context has now", Needs(now=True)),
        ("context.caller.ip.isLoopback()", Needs(caller=True)),
        ("context has caller.ip", Needs(caller=True)),
        ("context.nowhere == 1", Needs()),
        ("context == {}", Needs(now=True, caller=True)),
        ("(if true then context else context).now == 1", Needs(now=True, caller=True)),
        ("{c: context}.c.now == 1", Needs(now=True, caller=True)),
        ("[context].contains({})", Needs(now=True, caller=True)),
        ("resource.now == 1", Needs()),
    ],
)
def test_needs(condition, needs):
    assert (
        parse(f"permit(principal, action, resource) when {{ {condition} }};").needs._replace(attributes=None) == needs
    )
    assert (
        parse(f"permit(principal, action, resource) unless {{ {condition} }};").needs._replace(attributes=None) == needs
    )


def test_a_scope_asks_for_the_hierarchy_where_its_keys_do_not_decide_it():
    assert not parse('permit(principal in Group::"g", action, resource in T::"g");').needs.hierarchy
    assert parse('permit(principal is H in Group::"g", action, resource);').needs.hierarchy
    assert parse('permit(principal, action, resource is H in T::"g");').needs.hierarchy
    assert not parse('permit(principal == User::"a", action in Action::"g", resource is H);').needs.hierarchy


def test_every_condition_counts():
    policy = parse("permit(principal, action, resource) when { context has now } unless { principal.a.b };")
    assert policy.needs == Needs(depth=1, now=True, attributes=policy.needs.attributes)


def test_every_attribute_that_can_be_read_is_named():
    text = (
        "permit(principal, action, resource) when { principal has a.b && (if resource.c then principal else "
        "resource).d == context.e } unless { {f: principal.g}.f.h == 1 || action.i || "
        'User::"u".j || !principal["k l"] };'
    )
    assert parse(text).needs.attributes == {*"abcdfghij", "k l"}
