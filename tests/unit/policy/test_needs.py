"""What a policy reads, and that it is enough: with those facts alone it answers as with all there are."""

import random

import pytest

from policy_service.model import Entity, Uid, Value
from policy_service.policy.engines import cedar
from policy_service.policy.facts import write_entities
from policy_service.policy.gathering import references
from policy_service.policy.scope import Needs
from tests.unit.policy.engines.cedar_facts import question

BOB = Uid("User", "bob")
PEOPLE = [Uid("U", str(n)) for n in range(6)]
TEAMS = [Uid("T", str(n)) for n in range(3)]


def parse(text: str) -> cedar.CedarPolicy:
    (policy,), findings = cedar.parse("x.cedar", text)
    assert not findings
    return policy


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


def world(random_: random.Random) -> dict[Uid, Entity]:
    found = {}
    for uid in [*PEOPLE, *TEAMS]:
        attributes: dict[str, Value] = {"n": random_.randrange(3)}
        if random_.random() < 0.9:
            attributes["boss"] = random_.choice(PEOPLE)
            attributes["rec"] = {"boss": random_.choice(PEOPLE), "n": random_.randrange(3)}
            attributes["set"] = [random_.choice(PEOPLE), random_.choice(TEAMS)]
        tags: dict[str, Value] = {"t": random_.choice(PEOPLE)} if random_.random() < 0.8 else {}
        parents = frozenset(random_.sample(TEAMS, random_.randrange(3))) if uid.type == "U" else frozenset()
        found[uid] = Entity(uid, attributes, parents, tags)
    return found


def entity(random_: random.Random, depth: int) -> str:
    if depth <= 0 or random_.random() < 0.2:
        return random_.choice(["principal", "resource", 'U::"1"', 'U::"2"', "principal"])
    below = entity(random_, depth - 1)
    return random_.choice(
        [
            f"{below}.boss",
            f'{below}["boss"]',
            f"{below}.rec.boss",
            f'{below}.getTag("t")',
            f"(if {condition(random_, depth - 2)} then {below} else {entity(random_, depth - 1)})",
            f"{{a: {below}, b: 1}}.a",
            below,
        ]
    )


def condition(random_: random.Random, depth: int) -> str:
    if depth > 1 and random_.random() < 0.4:
        joiner = random_.choice(["&&", "||", "=="])
        return f"(({condition(random_, depth - 1)}) {joiner} ({condition(random_, depth - 1)}))"
    one, other = entity(random_, depth), entity(random_, depth - 1)
    return random_.choice(
        [
            f"{one}.n == {other}.n",
            f"{one} == {other}",
            f"{one} in {other}",
            f'{one} in T::"1"',
            f'{one} in [T::"1", {other}]',
            f"{one} has boss.n",
            f"{one}.set.contains({other})",
            f'{one}.hasTag("t")',
            f'{one} is U in T::"0"',
            f"!({one}.rec.n == 1)",
            "context has now",
            "context == {a: 1}",
            "context has caller.x",
        ]
    )


def gather(entities: dict[Uid, Entity], needs: Needs, start: list[Uid]) -> dict[Uid, Entity | None]:
    found = {uid: entities[uid] for uid in [*start, *needs.roots]}
    edge = list(found.values())
    for _ in range(needs.depth):
        new = {uid for one in edge for uid in references(one.attributes, one.tags) if uid not in found}
        edge = [entities[uid] for uid in new]
        found.update({uid: entities[uid] for uid in new})
    return dict(found)


@pytest.mark.parametrize("seed", range(8))
def test_what_a_policy_needs_is_enough(seed):
    random_ = random.Random(seed)
    entities = world(random_)
    for _ in range(60):
        text = f"permit(principal, action, resource) when {{ {condition(random_, 3)} }};"
        policies, findings = cedar.parse("x.cedar", text)
        assert not findings, text
        compiled, needs = cedar.compile_set(policies), policies[0].needs
        principal, resource = random_.sample(PEOPLE, 2)
        asked = question(principal=principal, resource=resource)
        context = {"a": 1, "now": 5, "caller": {"x": 1}}
        own = {name: value for name, value in context.items() if name == "a" or getattr(needs, name)}
        known = gather(entities, needs, [principal, resource])
        whole = write_entities(dict(entities), Needs(hierarchy=True))
        part = write_entities(known, Needs(hierarchy=needs.hierarchy))
        (expected,) = cedar.evaluate_batch(compiled, whole, [(asked, context)])
        (got,) = cedar.evaluate_batch(compiled, part, [(asked, own)])
        assert got == expected, (text, needs)
