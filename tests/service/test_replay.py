"""A record of the decision log is enough to decide again: what was asked and known, and the files of that version.

Nothing is looked up here but the record and the bundle's policies: no entities, no groups, no clock, no caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from policy_service.errors import RequestError
from policy_service.model import Act, Caller, Decision, Entity, Request, Thing, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.decide import decide
from policy_service.policy.facts import Facts
from policy_service.policy.groups import Groups
from policy_service.policy.request import ask
from policy_service.policy.values import NUMBER, read_json, read_value
from tests.property.test_decide import in_abac, in_casbin, rules
from tests.property.test_slices import memberships, policies, requests, stores
from tests.service.houses import ROOT, House, fill

CASBIN = """[request_definition]
r = sub, obj, act, ctx
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && r.obj.type == "doc" && r.act == p.act && r.ctx.size > 1 && r.obj.size > 1
"""
CEDAR = """
@id("office") permit(principal in Group::"staff", action == Action::"read", resource in folder::"open")
when { context.now > datetime("2020-01-01") && context.caller.ip.isInRange(ip("10.0.0.0/8")) };
@id("owner") permit(principal, action, resource) when { resource has owner && resource.owner == principal };
@id("boss") permit(principal, action, resource)
when { resource has owner && resource.owner has boss && resource.owner.boss == principal };
@id("price") permit(principal, action == Action::"buy", resource)
when { resource.price.lessThan(decimal("2.0")) && context.limit.greaterThan(decimal("0.1")) };
@id("tagged") permit(principal, action, resource) when { resource.hasTag("public") };
@id("soft") forbid(principal, action == Action::"delete", resource) unless { action has soft && action.soft };
@id("key") forbid(principal, action == Action::"drop", resource) when { context.caller.key == "key" };
"""
ABAC = [
    {
        "uid": "large",
        "effect": "allow",
        "targets": {"action_id": "measure"},
        "rules": {
            "subject": {"$.groups": {"condition": "AnyIn", "values": ["staff"]}},
            "resource": {"$.size": {"condition": "Gt", "value": 1}},
        },
    },
    *(
        {
            "uid": uid,
            "effect": "allow",
            "targets": {"action_id": "weigh"},
            "rules": {"resource": {"$.weight": {"condition": condition, "value": value}}},
        }
        for uid, condition, value in (("as-text", "Equals", "2.5"), ("as-number", "Eq", 2.5))
    ),
]
STORE = [
    {
        "uid": {"type": "doc", "id": "d1"},
        "attrs": {"owner": {"__entity": {"type": "user", "id": "bob"}}, "size": 2.5, "price": 1.25},
        "parents": [{"type": "folder", "id": "open"}],
        "tags": {"public": "yes"},
    },
    # the same number as JSON and as Cedar writes it
    {"uid": {"type": "doc", "id": "d2"}, "attrs": {"size": 3, "weight": {"__extn": {"fn": "decimal", "arg": "2.5"}}}},
    {"uid": {"type": "doc", "id": "d3"}, "attrs": {"size": 0.5, "weight": 2.5, "price": 1e300}},
    {"uid": {"type": "user", "id": "bob"}, "attrs": {"boss": {"__entity": {"type": "user", "id": "alice"}}}},
]
GROUPS = "g, user:alice, group:it, acme\ng, group:it, group:staff, acme\n"
LINES = "p, group:staff, any, list, allow\np, lister, any, list, allow\ng, carol, lister\n"
FILES = {
    "tenant.yaml": "name: x\n",
    "a.cedar": CEDAR,
    "b.abac.json": json.dumps(ABAC),
    "c.casbin/model.conf": CASBIN,
    "c.casbin/policy.csv": LINES,
    "entities.json": json.dumps(STORE),
    "groups.csv": GROUPS,
}


def replay(bundle: Bundle, record: Mapping[str, Any]) -> Decision | RequestError:
    """What a bundle decides about what a record says, as it would without any store."""
    try:
        question = ask(_request(record))
    except RequestError as error:
        return error
    known = {entity.uid: entity for entity in map(_entity, record["facts"])}
    action = Entity(question.action, question.action_attributes, bundle.action_ancestors(question.action))
    principal, resource = (known.get(uid, Entity(uid, {})) for uid in (question.principal, question.resource))
    entities: dict[Uid, Entity | None] = {**known, principal.uid: principal, resource.uid: resource, action.uid: action}
    context = {name: _value(value) for name, value in record["context_used"].items()}
    needs = bundle.index.find(principal, action, resource).needs
    return decide(bundle, Facts(question, needs, entities, context))


def _request(record: Mapping[str, Any]) -> Request:
    subject, action, resource = (dict(record[name]) for name in ("subject", "action", "resource"))
    return Request(Thing(**subject), Act(**action), Thing(**resource), record["context"])


def _entity(raw: Mapping[str, Any]) -> Entity:
    parents = frozenset(Uid(parent["type"], parent["id"]) for parent in raw["parents"])
    attributes, tags = (
        {name: _value(value) for name, value in raw.get(part, {}).items()} for part in ("attrs", "tags")
    )
    return Entity(Uid(raw["uid"]["type"], raw["uid"]["id"]), attributes, parents, tags)


def _value(raw: Any) -> Any:
    """A recorded value: as files write it, but for numbers that Cedar has no type for, which stand as their text."""
    if isinstance(raw, dict) and raw.keys() == {NUMBER}:
        return raw
    if isinstance(raw, dict) and "__entity" not in raw and "__extn" not in raw:
        return {name: _value(part) for name, part in raw.items()}
    if isinstance(raw, list):
        return [_value(part) for part in raw]
    if isinstance(raw, dict) and raw.get("__extn", {}).get("fn") == "decimal":
        return Decimal(raw["__extn"]["arg"])
    return read_value(raw, trusted=True)


def without_store(bundle: Bundle) -> Bundle:
    """The same policies beside no entities and no groups."""
    return replace(bundle, layer=replace(bundle.layer, entities={}, groups=Groups()))


def check(house: House, bundles: Mapping[str, Bundle]) -> list[Mapping[str, Any]]:
    """Every record is decided again, to the same decision with the same reasons and errors; gives the records."""
    house.log.close()
    records = house.records()
    for record in records:
        again = replay(bundles[record["version"]], record)
        if "refused" in record:
            assert isinstance(again, RequestError)
            assert (str(again), record["decision"]) == (record["refused"], False)
            continue
        assert isinstance(again, Decision)
        told = (
            again.allowed,
            {policy.id for policy in again.reasons},
            {(failure.policy.id, failure.why) for failure in again.errors},
        )
        assert told == (
            record["decision"],
            {reason["id"] for reason in record["reasons"]},
            {(error["id"], error["why"]) for error in record["errors"]},
        ), json.dumps(record, default=str, indent=1)
    return records


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def sent(text: str) -> Request:
    """A request as its body is read."""
    raw = read_json(text)
    return Request(Thing(**raw["subject"]), Act(**raw["action"]), Thing(**raw["resource"]), raw.get("context", {}))


def question(subject: str, action: str, resource: str, context: str = "{}", more: str = "{}") -> Request:
    kind, _, name = resource.partition(":")
    return sent(
        f'{{"subject": {{"type": "user", "id": "{subject}"}}, "action": {{"name": "{action}"}},'
        f' "resource": {{"type": "{kind}", "id": "{name}", "properties": {more}}}, "context": {context}}}'
    )


# what is asked, and the reasons it is allowed for; no reason is a deny
ASKED = [
    (question("alice", "read", "doc:d1"), {"office", "boss", "tagged"}),
    (question("bob", "read", "doc:d1"), {"owner", "tagged"}),
    (question("bob", "read", "doc:d1", more='{"owner": null}'), {"owner", "tagged"}),
    (question("alice", "read", "doc:d3"), set()),
    (question("alice", "list", "doc:d1", '{"size": 1.5}'), {"boss", "tagged", "c.casbin:1"}),
    (question("alice", "list", "doc:d2", '{"size": 1e300}'), set()),
    (question("carol", "list", "doc:d2", '{"size": 1.50}'), {"c.casbin:2"}),
    (question("carol", "list", "doc:d2", '{"size": 0.5}'), set()),
    (question("alice", "measure", "doc:d1"), {"boss", "tagged", "large"}),
    (question("alice", "measure", "doc:d3"), set()),
    (question("alice", "measure", "doc:d9", more='{"size": 1.5, "x": [1, [true, null], {"y": 2.5}]}'), {"large"}),
    (question("alice", "measure", "doc:d9", more='{"size": 1.00001}'), set()),
    (question("mallory", "buy", "doc:d1", '{"limit": 0.2}'), {"price", "tagged"}),
    (question("mallory", "buy", "doc:d3", '{"limit": 0.2}'), set()),
    (question("mallory", "buy", "doc:d9", '{"limit": 1.0}', '{"price": 1.5}'), set()),
    (question("mallory", "drop", "doc:d1"), set()),
    (question("bob", "delete", "doc:d1"), set()),
    (question("bob", "read", "doc:d1")._replace(action=Act("delete", {"soft": True})), {"owner", "tagged"}),
    (Request(Thing("Group", "staff"), Act("read"), Thing("doc:x", "ü\u2028\n")), set()),
]


def test_what_was_decided_is_decided_again_from_its_record(house: House) -> None:
    fill(house.folder("acme"), FILES)
    caller = Caller("acme", "key", frozenset({"decide"}), Thing("service", "crm"))
    for request, reasons in ASKED:
        _, (decision,) = house.ask(caller, [request], address="10.1.2.3")
        assert isinstance(decision, Decision)
        assert ({policy.id for policy in decision.reasons} if decision.allowed else set()) == reasons, request
    batch = [request for request, _ in ASKED]
    house.ask(caller, batch, "batch", address="10.1.2.3")
    house.ask(caller, batch, "until", address="::1", until=False)
    refused = [question("bob", "read", "doc:d1", more='{"tenant": "other"}'), RequestError("`subject` is missing")]
    house.ask(caller, [*refused[:1], batch[0]])
    bundle = house.bundles.current("acme")
    records = check(house, {bundle.version_text: without_store(bundle)})
    assert len(records) > 2 * len(ASKED)
    assert {record["decision"] for record in records} == {True, False}


def test_a_decimal_is_read_as_it_was_however_a_file_wrote_it(house: House) -> None:
    fill(house.folder("acme"), FILES)
    house.ask("acme", [question("alice", "weigh", "doc:d2"), question("alice", "weigh", "doc:d3")])
    bundle = house.bundles.current("acme")
    check(house, {bundle.version_text: without_store(bundle)})


def test_each_version_decides_what_it_decided(house: House) -> None:
    """Files that change answer for what is asked from then on, not for what was recorded before."""
    fill(house.folder("acme"), FILES)
    bundles = {}
    for number in range(3):
        fill(house.folder("acme"), {"a.cedar": CEDAR.replace('"public"', f'"public{number or ""}"')})
        fill(house.folder("acme"), {"groups.csv": GROUPS if number < 2 else "# nobody\n"})
        house.bundles.current("acme")
        house.take("acme")
        house.ask("acme", [request for request, _ in ASKED])
        bundle = house.bundles.current("acme")
        bundles[bundle.version_text] = without_store(bundle)
    assert len(bundles) == 3
    records = check(house, bundles)
    decisions = [record["decision"] for record in records]
    assert decisions[: len(ASKED)] != decisions[-len(ASKED) :]


def test_the_demo_tenants_decisions_are_decided_again(house: House, tmp_path: Path) -> None:
    acme = ROOT / "tenants" / "acme"
    files = {path.relative_to(acme).as_posix(): path.read_text() for path in acme.rglob("*") if path.is_file()}
    fill(house.folder("acme"), {name: text for name, text in files.items() if name != "keys.yaml"})
    people = ("alice", "bob", "carol", "dana", "eve", "mallory")
    resources = {
        "host:h-1": "{}",
        "host:h-2": '{"environment": "sandbox"}',
        "host:h-3": '{"environment": "staging"}',
        "data_store:d-1": '{"key": "aws:data_store:warehouse/customers"}',
        "data_store:d-2": '{"key": "aws:data_store:lake/raw"}',
    }
    actions = ("PolicyService::read", "PolicyService::update", "PolicyService::delete", "query", "restore", "backup")
    context = '{"ip": "10.20.0.7", "hour": 9}'
    for person in people:
        for said in (context, "{}"):
            asked = [question(person, act, thing, said, more) for act in actions for thing, more in resources.items()]
            house.ask("acme", asked)
    bundle = house.bundles.current("acme")
    records = check(house, {bundle.version_text: without_store(bundle)})
    assert len(records) == 2 * len(people) * len(resources) * len(actions)
    assert {record["decision"] for record in records} == {True, False}
    assert {reason["engine"] for record in records for reason in record["reasons"]} == {"cedar", "py-abac", "casbin"}


@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(policies(), rules(), rules(), stores(), memberships(), st.lists(requests, min_size=1, max_size=5))
def test_any_decision_is_decided_again(tmp_path_factory, text, abac, casbin, store, groups, questions):
    house = House(tmp_path_factory.mktemp("house"))
    files = {"tenant.yaml": "name: x\n", "p.cedar": text, "entities.json": json.dumps(store), "groups.csv": groups}
    fill(house.folder("acme"), {**files, **{f"abac.{n}": t for n, t in in_abac(abac).items()}, **in_casbin(casbin)})
    house.ask("acme", questions)
    for request in questions:
        house.ask("acme", [request])
    bundle = house.bundles.current("acme")
    check(house, {bundle.version_text: without_store(bundle)})
    house.close()
