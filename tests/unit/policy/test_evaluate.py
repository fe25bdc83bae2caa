"""What an expression is on known facts. That Cedar says the same is asked of it, case by case."""

from decimal import Decimal

import pytest

from policy_service.model import Entity, Extension, Uid
from policy_service.policy.engines import cedar
from policy_service.policy.evaluate import Failed, Unsaid, World, evaluate, holds, is_found, world_of
from policy_service.policy.extensions import Datetime, Ip
from policy_service.policy.scope import Scope
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Constant,
    Has,
    IdOf,
    Opaque,
    Rule,
    SetOf,
    TypeOf,
    Variable,
)
from tests.unit.policy.engines.cedar_facts import facts, parsed

ALICE, HOST, READ = Uid("user", "alice"), Uid("Host", "web-1"), Uid("N::Action", "read")
TEAM, UNKNOWN = Uid("Team", "t"), Uid("user", "nobody")
ENTITIES = (
    Entity(
        ALICE,
        {
            "name": "Alice",
            "age": 42,
            "boss": UNKNOWN,
            "likes": [1, True, "1"],
            "home": {"street": {"number": 5}, "boss": ALICE},
            "cost": Decimal("1.5"),
            "ip": Extension("ip", "10.0.0.7/8"),
            "since": Extension("datetime", "2026-01-01T01:00:00+0100"),
            "times": [Extension("duration", "1h")],
        },
        frozenset({TEAM}),
        {"env": "prod"},
    ),
    Entity(HOST, {"owner": ALICE, "owners": [ALICE, TEAM]}),
    Entity(READ, {"soft": True}, frozenset({Uid("N::Action", "all")})),
)
FACTS = facts(*ENTITIES, context={"n": 1, "rec": {}}, principal=ALICE, resource=HOST, action=READ)
WORLD = world_of(FACTS)

SATISFIED, NOT, FAILED = "satisfied", "not satisfied", "failed"


def ask_cedar(text: str) -> str:
    outcome = cedar.evaluate(cedar.compile_set(parsed(text)), FACTS)
    return FAILED if outcome.failed else SATISFIED if outcome.satisfied else NOT


def judge(text: str) -> str:
    try:
        return SATISFIED if holds(parsed(text)[0].rule, WORLD) else NOT
    except Failed:
        return FAILED


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # values of two types are never equal, and neither is anything else than what it is
        ("1 == true", NOT),
        ("0 != false", SATISFIED),
        ('"1" == 1', NOT),
        ('decimal("1.0") == 1', NOT),
        ('decimal("1.50") == principal.cost', SATISFIED),
        ("principal.likes.contains(true)", SATISFIED),
        ("[1].contains(true)", NOT),
        ('[1, "1"] == principal.likes', NOT),
        ('["1", true, 1, 1] == principal.likes', SATISFIED),
        ("[[2, 1], [1, 2]] == [[1, 2]]", SATISFIED),
        ("{a: 1, b: 2} == {b: 2, a: 1}", SATISFIED),
        ("{a: 1} == {a: true}", NOT),
        ("[{a: 1}].contains({a: 1})", SATISFIED),
        ("context.rec == []", NOT),
        ('user::"alice" == principal', SATISFIED),
        ('User::"alice" == principal', NOT),
        ('principal == "alice"', NOT),
        ('ip("10.0.0.7/8") == principal.ip', SATISFIED),
        ('ip("10.0.0.8/8") == principal.ip', NOT),
        ('[duration("60m")] == principal.times', SATISFIED),
        ('principal.times.contains(duration("3600s"))', SATISFIED),
        ('datetime("1970-01-01") == duration("0ms")', NOT),
        # attributes
        ("principal.home.street.number == 5", SATISFIED),
        ("principal.home.boss.age == 42", SATISFIED),
        ("resource.owner.boss.age == 1", FAILED),
        ("principal.nothing == 1", FAILED),
        ("principal.name.length == 1", FAILED),
        ("principal has home.street.number", SATISFIED),
        ("principal has home.street.other", NOT),
        ("principal has nothing.at.all", NOT),
        ("principal has name.x", FAILED),
        ("principal has boss.age", NOT),
        ("action.soft", SATISFIED),
        ('user::"nobody" has x', NOT),
        # tags
        ('principal.hasTag("env") && principal.getTag("env") == "prod"', SATISFIED),
        ('principal.getTag("other") == 1', FAILED),
        ('user::"nobody".hasTag("env")', NOT),
        ('user::"nobody".getTag("env") == 1', FAILED),
        ("principal.hasTag(1)", FAILED),
        ('context.hasTag("a")', FAILED),
        # no further than they must
        ("false && principal.nothing", NOT),
        ("true || 1", SATISFIED),
        ("principal.nothing && false", FAILED),
        ("principal.nothing || true", FAILED),
        ("true && 1", FAILED),
        ("false || 1", FAILED),
        ("1 && false", FAILED),
        ("(true && 1) == 1", FAILED),
        ("(false || 1) == 1", FAILED),
        ("if true then true else principal.nothing", SATISFIED),
        ("if 1 then true else true", FAILED),
        ("if false then principal.nothing else 1 == 1", SATISFIED),
        ("[principal.nothing].contains(1)", FAILED),
        ("{a: principal.nothing, b: true}.b", FAILED),
        ("!1", FAILED),
        ("1", FAILED),
        # hierarchy
        ("principal in principal", SATISFIED),
        ('principal in Team::"t"', SATISFIED),
        ('user::"nobody" in user::"nobody"', SATISFIED),
        ('user::"nobody" in Team::"t"', NOT),
        ('principal in [Host::"x", Team::"t"]', SATISFIED),
        ("principal in []", NOT),
        ('principal in [Team::"t", 1]', FAILED),
        ("principal in resource.owners", SATISFIED),
        ("1 in principal", FAILED),
        ("principal in 1", FAILED),
        ('action in N::Action::"all"', SATISFIED),
        ("principal is user", SATISFIED),
        ("principal is N::user", NOT),
        ('principal is user in Team::"t"', SATISFIED),
        ("principal is Host in principal.nothing", NOT),
        ("principal is user in 1", FAILED),
        ("1 is user", FAILED),
        # numbers
        ("9223372036854775807 + 1 == 0", FAILED),
        ("-9223372036854775808 - 1 == 0", FAILED),
        ("-(-9223372036854775808) == 0", FAILED),
        ("3037000500 * 3037000500 == 0", FAILED),
        ("3 - 5 == -2 && 3 * -5 == -15 && 3 + 5 == 8", SATISFIED),
        ("true + 1 == 2", FAILED),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", SATISFIED),
        ("1 < 1 || 1 > 1", NOT),
        ("true < false", FAILED),
        ('"a" < "b"', FAILED),
        ('decimal("1.0") < decimal("2.0")', FAILED),
        ('1 < duration("1d")', FAILED),
        ('datetime("2026-01-01") < duration("1d")', FAILED),
        # sets
        ("[].isEmpty() && !principal.likes.isEmpty()", SATISFIED),
        ("[1, 2].containsAll([]) && ![].containsAny([1])", SATISFIED),
        ("[1, 2].containsAll([2, 1, 1]) && [1, 2].containsAny([5, 2])", SATISFIED),
        ("[1].containsAll([true])", NOT),
        ("[1].containsAll(1)", FAILED),
        ("principal.containsAny([1])", FAILED),
        ("principal.isEmpty()", FAILED),
        ("context.contains(1)", FAILED),
        # texts
        ('principal.name like "A*e"', SATISFIED),
        ("1 like \"*\"", FAILED),
        # extension values
        ('ip("10.0.0.1").isInRange(principal.ip)', SATISFIED),
        ('ip("::1").isInRange(ip("0.0.0.0/0"))', NOT),
        ('ip("nonsense").isIpv4()', FAILED),
        ("ip(principal.ip).isIpv4()", FAILED),
        ("principal.name.isIpv4()", FAILED),
        ('principal.since == datetime("2026-01-01")', SATISFIED),
        ('principal.since.offset(duration("1d")).durationSince(principal.since).toHours() == 24', SATISFIED),
        ('principal.cost.lessThan(decimal("1.5001"))', SATISFIED),
        ("principal.cost.lessThan(2)", FAILED),
        ('decimal("1.5").greaterThan(decimal("1.5"))', NOT),
    ],
)  # fmt: skip
def test_a_condition(condition, expected):
    text = f"permit(principal, action, resource) when {{ {condition} }};"
    assert judge(text) == expected
    assert ask_cedar(text) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ('permit(principal == user::"alice", action, resource);', SATISFIED),
        ('permit(principal == user::"bob", action, resource) when { 1 };', NOT),
        ('permit(principal in Team::"t", action in N::Action::"all", resource is Host);', SATISFIED),
        ('permit(principal, action == N::Action::"all", resource);', NOT),
        ('permit(principal, action in [N::Action::"other", N::Action::"read"], resource);', SATISFIED),
        ("permit(principal, action in [], resource);", NOT),
        ('permit(principal is user in Team::"t", action, resource);', SATISFIED),
        ('permit(principal is Host in Team::"t", action, resource);', NOT),
        ('permit(principal, action, resource is Host in Team::"t");', NOT),
        ("permit(principal, action, resource) unless { false };", SATISFIED),
        ("permit(principal, action, resource) unless { true } when { 1 };", NOT),
        ("permit(principal, action, resource) when { true } unless { principal.nothing };", FAILED),
    ],
)
def test_a_rule(policy, expected):
    assert judge(policy) == expected
    assert ask_cedar(policy) == expected


def test_what_other_languages_ask_for():
    world = World({"principal": Uid("Escaped_612062", "x"), "action": READ, "resource": Uid("Group", "g")}, {})
    assert evaluate(IdOf("principal"), world) == "x"
    assert evaluate(IdOf("action"), world) == "N::read"
    assert evaluate(TypeOf("principal"), world) == "a b"
    assert evaluate(TypeOf("resource"), world) == "Group"
    names = Has(Constant({"a": {"b": 1}}), ("a", "b"))
    assert evaluate(names, world) is True
    assert evaluate(Has(names.base, ("a", "c")), world) is False
    with pytest.raises(Failed):
        evaluate(Has(names.base, ("a", "b", "c")), world)


def test_a_scope_by_id_alone():
    rule = Rule(Scope(resource=frozenset({("id", "web-1"), ("id", "web-2")})), (), {})
    assert holds(rule, WORLD)
    assert not holds(Rule(Scope(principal=frozenset({("id", "web-1")})), (), {}), WORLD)
    assert is_found(None, Entity(ALICE, {}))


def test_only_what_is_reached_of_an_opaque_part_is_unknown():
    opaque = Opaque("`keyMatch` is a function of its own")
    assert evaluate(Binary("and", Constant(False), opaque), WORLD) is False
    with pytest.raises(Unsaid, match="keyMatch"):
        evaluate(Binary("and", Constant(True), opaque), WORLD)
    with pytest.raises(Unsaid):
        holds(Rule(Scope(), (opaque,), {}), WORLD)


def test_values_are_those_of_facts_and_extension_values_are_read():
    assert evaluate(Attribute(Variable("principal"), "ip"), WORLD) == Ip(4, 0x0A000007, 8)
    assert evaluate(Attribute(Variable("principal"), "since"), WORLD) == Datetime(1767225600000)
    assert evaluate(Attribute(Variable("principal"), "likes"), WORLD) == [1, True, "1"]
    assert evaluate(SetOf((Constant(1), Constant(True), Constant(1))), WORLD) == [1, True]


def test_a_failure_says_what_stood_where():
    with pytest.raises(Failed, match="there is no attribute `nothing`"):
        evaluate(Attribute(Variable("principal"), "nothing"), WORLD)
    with pytest.raises(Failed, match="a string stands where an entity is needed"):
        evaluate(Attribute(Attribute(Variable("principal"), "name"), "x"), WORLD)
    with pytest.raises(Failed, match="a record stands where a Long is needed"):
        evaluate(Binary("add", Variable("context"), Constant(1)), WORLD)
    with pytest.raises(Failed, match="leaves 64 bits"):
        evaluate(Binary("add", Constant(2**63 - 1), Constant(1)), WORLD)
