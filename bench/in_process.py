"""What a decision costs in process, against bare cedarpy on the same policies, facts and context."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import cedarpy

from bench.material import gatherer, groups, irrelevant, make_bundle, relevant, request, ungrouped
from bench.timing import Row, compare, cpu_us, ratio_row
from policy_service.model import Act, Request, Thing
from policy_service.policy.bundle import Bundle
from policy_service.policy.decide import decide, decide_all
from policy_service.policy.facts import write_entities
from policy_service.policy.request import ask
from policy_service.policy.scope import Needs

# whatever the slice reads: cedarpy alone is told everything
ALL = Needs(hierarchy=True)
SMALL = Request(Thing("user", "u0"), Act("read"), Thing("doc", "d0", {"level": 0}))
BARE = "`cedarpy.is_authorized` on the relevant policies"


def rows() -> Iterator[Row]:
    """One row a figure."""
    ten = make_bundle({"p.cedar": relevant(10), "groups.csv": groups(10)})
    many = make_bundle({"p.cedar": relevant(10) + "\n" + irrelevant(9_990), "groups.csv": groups(10)})
    yield ratio_row("10 policies, warm: ask, gather, decide", BARE, "≤ 1.5", compare(ours(ten), bare(ten), 300))
    small = make_bundle({"p.cedar": ungrouped(10)})
    yield ratio_row(
        "the same with the least facts: no groups, no property that nobody reads",
        BARE,
        "",
        compare(ours(small, SMALL), bare(small, ungrouped(10), SMALL), 300),
    )
    yield ratio_row(
        "of that, `decide` alone, facts gathered",
        BARE,
        "≤ 1.5",
        compare(decide_alone(small, SMALL), bare(small, ungrouped(10), SMALL), 300),
    )
    yield ratio_row("10,000 policies, 10 relevant", "the same at 10", "≤ 1.5", compare(ours(many), ours(ten), 300))
    yield ratio_row("first decision on a slice of 10", BARE, "≤ 6", compare(first(ten), bare(ten), 30))
    yield ratio_row(
        "a batch of 100 that shares facts, a decision",
        "`is_authorized_batch` on the union of entities",
        "≤ 2",
        compare(batch(ten, 100), bare_batch(ten, 100), 5),
        "µs a batch",
    )
    yield Row("a py-abac policy that matches", f"{per_policy(abac):.1f} µs")
    yield Row("a casbin line that matches", f"{per_policy(casbin):.1f} µs")


def ours(bundle: Bundle, asked: Request | None = None):
    """From the request to the decision."""
    asked = asked or request()
    return lambda: decide(bundle, gatherer(bundle).gather(ask(asked)))


def decide_alone(bundle: Bundle, asked: Request):
    """From the facts to the decision; their text is written anew each time."""
    facts = gatherer(bundle).gather(ask(asked))
    return lambda: decide(bundle, replace(facts, _kept={}))


def first(bundle: Bundle):
    """As `ours`, with no slice ready."""
    asked = request()

    def run() -> object:
        bundle.index.forget()
        return decide(bundle, gatherer(bundle).gather(ask(asked)))

    return run


def bare(bundle: Bundle, text: str = "", asked: Request | None = None):
    """cedarpy alone, told what an application would have to tell it: policies parsed, all facts as one text."""
    policies = cedarpy.PolicySet.from_str(text or relevant(10))
    facts = gatherer(bundle).gather(ask(asked or request()))
    entities, question, context = write_entities(facts.entities, ALL), cedar_question(facts.question), "{}"
    if facts.context:
        context = json.dumps(facts.context)
    if not cedarpy.is_authorized({**question, "context": context}, policies, entities).allowed:
        raise SystemExit("bare cedarpy does not allow what is measured")
    return lambda: cedarpy.is_authorized({**question, "context": context}, policies, entities)


def cedar_question(question) -> dict[str, object]:
    return {
        name: {"type": uid.type, "id": uid.id}
        for name, uid in (
            ("principal", question.principal),
            ("action", question.action),
            ("resource", question.resource),
        )
    }


def batch(bundle: Bundle, count: int):
    """One subject, `count` resources."""
    asked = [request(number) for number in range(count)]

    def run() -> object:
        gather = gatherer(bundle).gather
        return decide_all(bundle, [gather(ask(item)) for item in asked])

    return run


def bare_batch(bundle: Bundle, count: int):
    policies = cedarpy.PolicySet.from_str(relevant(10))
    every = [gatherer(bundle).gather(ask(request(number))) for number in range(count)]
    entities = write_entities({uid: entity for facts in every for uid, entity in facts.entities.items()}, ALL)
    questions = [{**cedar_question(facts.question), "context": json.dumps(facts.context)} for facts in every]
    return lambda: cedarpy.is_authorized_batch(questions, policies, entities)


def per_policy(make) -> float:
    """Microseconds that one more policy costs, between 10 and 60 of them."""
    few, more = make_bundle(make(10)), make_bundle(make(60))
    samples = [(cpu_us(ours(more), 100) - cpu_us(ours(few), 100)) / 50 for _ in range(7)]
    return sorted(samples)[3]


def abac(count: int) -> dict[str, str]:
    return {
        "p.abac.json": json.dumps(
            [
                {
                    "uid": f"a{number}",
                    "effect": "allow",
                    "rules": {"resource": {"$.level": {"condition": "Lt", "value": 1}}},
                    "targets": {"action_id": "read"},
                }
                for number in range(count)
            ]
        )
    }


def casbin(count: int) -> dict[str, str]:
    model = (
        "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n"
        "[policy_effect]\ne = some(where (p.eft == allow))\n"
        "[matchers]\nm = r.act == p.act && r.sub == p.sub && keyMatch(r.obj, p.obj)\n"
    )
    return {"c.casbin/model.conf": model, "c.casbin/policy.csv": "".join(f"p, u0, d{n}*, read\n" for n in range(count))}
