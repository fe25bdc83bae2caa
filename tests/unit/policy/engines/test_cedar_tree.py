"""Cedar's own syntax tree becomes ours: whom a policy can match, and what it says."""

import threading

import pytest

from policy_service.model import Uid
from policy_service.policy.engines import cedar
from policy_service.policy.evaluate import World, holds
from policy_service.policy.needs import read_needs
from policy_service.policy.scope import Scope
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Constant,
    Has,
    If,
    Is,
    Like,
    RecordOf,
    SetOf,
    Unary,
    Variable,
)

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


A, B = Attribute(Variable("principal"), "a"), Attribute(Variable("resource"), "b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("principal.a", A),
        ('principal["a"]', A),
        ('context["a b"].c', Attribute(Attribute(Variable("context"), "a b"), "c")),
        ("true", Constant(True)),
        ("-5", Constant(-5)),
        ("-(5)", Unary("neg", Constant(5))),
        ("- -5", Unary("neg", Constant(-5))),
        ('"a\\n"', Constant("a\n")),
        ('N::User::"bob"', Constant(Uid("N::User", "bob"))),
        ("action", Variable("action")),
        ("principal.a == resource.b", Binary("eq", A, B)),
        ("principal.a > resource.b", Binary("greater", A, B)),
        ("principal.a && resource.b || true", Binary("or", Binary("and", A, B), Constant(True))),
        ("principal.a - resource.b", Binary("sub", A, B)),
        ("principal.a in resource.b", Binary("in", A, B)),
        ("principal.a.containsAll(resource.b)", Binary("contains_all", A, B)),
        ("principal.a.getTag(resource.b)", Binary("get_tag", A, B)),
        ("principal.a.isInRange(resource.b)", Binary("is_in_range", A, B)),
        ("principal.a.lessThan(resource.b)", Binary("decimal_less_than", A, B)),
        ("principal.a.offset(resource.b)", Binary("offset", A, B)),
        ("!principal.a", Unary("not", A)),
        ("principal.a.isEmpty()", Unary("is_empty", A)),
        ("ip(principal.a)", Unary("ip", A)),
        ("principal.a.toDate()", Unary("to_date", A)),
        ("principal.a has b", Has(A, ("b",))),
        ('principal has "a b"', Has(Variable("principal"), ("a b",))),
        ("principal has a.b", Binary("and", Has(Variable("principal"), ("a",)), Has(A, ("b",)))),
        ("if principal.a then 1 else resource.b", If(A, Constant(1), B)),
        ('principal.a like "x*y\\**"', Like(A, ("x", None, "y*", None))),
        ('principal.a like "**"', Like(A, (None,))),
        ('principal.a like ""', Like(A, ())),
        ("principal.a is N::User", Is(A, "N::User")),
        ("principal.a is User in resource.b", Is(A, "User", B)),
        ("[principal.a, 1]", SetOf((A, Constant(1)))),
        ("[]", SetOf(())),
        ('{"a b": principal.a}', RecordOf((("a b", A),))),
    ],
)
def test_an_expression(text, expected):
    assert parse(f"permit(principal, action, resource) when {{ {text} }};").rule.conditions == (expected,)


def test_conditions_are_in_their_order_and_those_that_must_not_hold_are_turned_around():
    rule = parse("permit(principal, action, resource) when { principal.a } unless { resource.b } when { true };").rule
    assert rule.conditions == (A, Unary("not", B), Constant(True))


def test_a_scope_that_keys_do_not_say_is_a_condition_as_well():
    rule = parse('permit(principal is U in G::"g", action, resource is D in F::"f") when { principal.a };').rule
    assert rule.conditions == (
        Is(Variable("principal"), "U", Constant(Uid("G", "g"))),
        Is(Variable("resource"), "D", Constant(Uid("F", "f"))),
        A,
    )
    assert parse('permit(principal in G::"g", action, resource is D);').rule.conditions == ()


def test_annotations_are_kept():
    rule = parse('@id("x") @note("a") @empty forbid(principal, action, resource);').rule
    assert rule.annotations == {"id": "x", "note": "a", "empty": ""}


def test_what_policies_of_a_file_repeat_is_one_object():
    text = "permit(principal, action, resource) when { resource.tenant == 1 && resource has a };"
    (one, other), _ = cedar.parse("x.cedar", text + text.replace("1", "2"))
    first, second = one.rule.conditions[0], other.rule.conditions[0]
    assert isinstance(first, Binary)
    assert isinstance(second, Binary)
    assert first.right is second.right
    assert first.left.left is second.left.left
    assert one.needs is other.needs


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("true" + " && true" * 99, True),
        ("false" + " || false" * 99, False),
        ("1" + " + 1" * 98 + " == 99", True),
        ("(!" * 60 + "true" + ")" * 60, True),
        ("context" + ".a" * 97 + " == 1", True),
        ("if true then " * 62 + "true" + " else false" * 62, True),
    ],
)
def test_the_deepest_tree_is_read_on_a_small_stack(condition, expected):
    compiled = parse(f"permit(principal, action, resource) unless {{ {condition} }};")
    value: object = 1
    for _ in range(97):
        value = {"a": value}
    world = World({"context": value}, {})
    told: list[object] = []

    def read() -> None:
        told.extend((holds(compiled.rule, world), compiled.rule == compiled.rule, read_needs(compiled.rule)))
        hash(compiled.rule.conditions)

    usual = threading.stack_size(128 * 1024)
    thread = threading.Thread(target=read)
    thread.start()
    threading.stack_size(usual)
    thread.join()
    assert told == [not expected, True, compiled.needs]


def test_a_tree_deeper_than_cedar_gives_is_a_finding():
    policies, findings = cedar.parse(
        "x.cedar", f"permit(principal, action, resource) when {{ {'true && ' * 101}true }};"
    )
    assert not policies
    assert "nests expressions deeper than 100 levels" in findings[0].sentence
