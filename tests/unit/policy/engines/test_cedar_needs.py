"""What a policy needs is enough: with those facts alone it answers as with all there are."""

import random

import pytest

from policy_service.model import Entity, Uid, Value
from policy_service.policy.engines import cedar
from policy_service.policy.facts import write_entities
from policy_service.policy.gathering import references
from policy_service.policy.scope import Needs
from tests.unit.policy.engines.cedar_facts import question

PEOPLE = [Uid("U", str(n)) for n in range(6)]
TEAMS = [Uid("T", str(n)) for n in range(3)]


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
