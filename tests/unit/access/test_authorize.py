"""The enforcement point: nothing is answered that was not recorded, and what was recorded suffices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from policy_service.access import authorize as module
from policy_service.access.authorize import Batch, Service, authorize
from policy_service.audit.records import dumps, read_body
from policy_service.config import Settings
from policy_service.errors import NoBundle, NotRecorded, RequestError, UnknownTenant
from policy_service.model import Act, Caller, Decision, Entity, Request, Thing, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.decide import decide
from policy_service.policy.facts import Facts
from policy_service.policy.request import ask
from policy_service.policy.values import read_record
from tests.property.files import make_bundle, question

ALICE = '@id("alice") permit(principal == user::"alice", action, resource);'
CALLER = Caller("acme", "key-1", frozenset({"decide"}), Thing("service", "gateway"))
UNREAD = RequestError("`subject.id` is missing")


class FakeBundles:
    """Bundles by tenant; one that is an error is raised."""

    def __init__(self, **held: Bundle | Exception) -> None:
        self.held = held

    def current(self, tenant: str) -> Bundle:
        held = self.held[tenant]
        if isinstance(held, Exception):
            raise held
        return held


class FakeStore:
    """A store of no tenant at all."""

    def state(self, tenant: str) -> None:
        return None


class FakeLog:
    """A log in memory, or a full disk."""

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self.writes: list[list[Mapping[str, Any]]] = []

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        if self.full:
            raise NotRecorded("the decision could not be recorded: no space left on device")
        self.writes.append(list(records))

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """What a reader of the one write would read."""
        (records,) = self.writes
        return [read_body(dumps(record)) for record in records]


def serve(log: FakeLog, **held: Bundle | Exception) -> Service:
    return Service(Settings(), FakeBundles(**held), None, log, FakeStore(), None)  # type: ignore[arg-type]


def answers(
    items: Sequence[Request | RequestError], policies: str = ALICE, caller: Caller = CALLER, **options: Any
) -> tuple[list[Any], FakeLog]:
    """Each answer as allowed or as the error, and the log."""
    log = FakeLog()
    _, decisions = authorize(
        serve(log, acme=make_bundle({"p.cedar": policies})), caller, Batch(items, "r-1", **options)
    )
    return [answer.allowed if isinstance(answer, Decision) else answer for answer in decisions], log


def test_it_decides_and_says_by_which_version() -> None:
    bundle = make_bundle({"p.cedar": ALICE})
    version, (decision,) = authorize(serve(FakeLog(), acme=bundle), CALLER, Batch([question()], "r-1"))
    assert version == bundle.version_text
    assert isinstance(decision, Decision)
    assert decision.allowed
    assert [policy.id for policy in decision.reasons] == ["alice"]


def test_the_bundle_is_the_caller_s_tenant_s() -> None:
    service = serve(FakeLog(), acme=make_bundle({"p.cedar": ALICE}), citadel=make_bundle({}, "citadel"))
    for tenant, allowed in (("acme", True), ("citadel", False)):
        _, (decision,) = authorize(service, Caller(tenant, "k"), Batch([question()], "r-1"))
        assert isinstance(decision, Decision)
        assert decision.allowed is allowed


@pytest.mark.parametrize("until", [None, True, False])
def test_what_can_t_be_recorded_is_not_answered(until: bool | None) -> None:
    service = serve(FakeLog(full=True), acme=make_bundle({"p.cedar": ALICE}))
    for items in ([question()], [question("bob")], [UNREAD]):
        with pytest.raises(NotRecorded):
            authorize(service, CALLER, Batch(items, "r-1", until=until))


@pytest.mark.parametrize("error", [NoBundle("`acme` has no bundle that loads"), UnknownTenant("there is no tenant")])
def test_where_nothing_can_decide_nothing_is_answered_or_recorded(error: Exception) -> None:
    log = FakeLog()
    with pytest.raises(type(error)):
        authorize(serve(log, acme=error), CALLER, Batch([question()], "r-1"))
    assert log.writes == []


def test_a_batch_is_recorded_by_one_write() -> None:
    told, log = answers([question(), question("bob"), question("alice", "write")])
    assert told == [True, False, True]
    assert [(record["subject"]["id"], record["decision"]) for record in log.records] == [
        ("alice", True),
        ("bob", False),
        ("alice", True),
    ]


def test_a_record_says_who_asked_what_and_why_it_was_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", lambda: 1_767_225_600.0)
    monkeypatch.setattr(module, "perf_counter_ns", iter([5_000_000, 5_250_000]).__next__)
    request = Request(Thing("user", "alice", {"a": 1}), Act("read", {"b": 2}), Thing("doc", "d", {"c": 3}), {"d": 4})
    _, log = answers([request])
    (record,) = log.records
    assert record["time"] == "2026-01-01T00:00:00.000000Z"
    assert record["duration_us"] == 250
    assert (record["request"], record["tenant"], record["version"]) == ("r-1", "acme", "0" * 16)
    assert record["caller"] == {"key": "key-1", "subject": {"type": "service", "id": "gateway"}}
    assert record["subject"] == {"type": "user", "id": "alice", "properties": {"a": 1}}
    assert record["action"] == {"name": "read", "properties": {"b": 2}}
    assert record["resource"] == {"type": "doc", "id": "d", "properties": {"c": 3}}
    assert record["context"] == record["context_used"] == {"d": 4}
    assert [reason["id"] for reason in record["reasons"]] == ["alice"]
    assert "refused" not in record


# items that can't be answered


def test_an_item_that_is_refused_is_its_error_and_the_others_are_answered() -> None:
    forged = question()._replace(context={"now": 1})
    told, log = answers([UNREAD, question(), forged, question("bob")])
    assert told[0] is UNREAD
    assert told[1] is True
    assert isinstance(told[2], RequestError)
    assert told[3] is False
    first, _, third, _ = log.records
    assert (first["refused"], first["decision"], first["reasons"]) == ("`subject.id` is missing", False, [])
    assert (first["subject"], first["facts"], first["context_used"]) == ({"type": "", "id": ""}, None, None)
    assert first["version"] == "0" * 16
    assert third["refused"] == "`context.now` may not be sent, only the service asserts it"
    assert (third["subject"]["id"], third["decision"], third["context"]) == ("alice", False, {"now": 1})


# until


@pytest.mark.parametrize(
    ("until", "who", "told"),
    [
        (None, ["bob", "alice", "bob"], [False, True, False]),
        (False, ["alice", "alice", "bob", "alice"], [True, True, False]),
        (False, ["bob", "alice"], [False]),
        (False, ["alice", "alice"], [True, True]),
        (True, ["bob", "bob", "alice", "bob"], [False, False, True]),
        (True, ["alice", "bob"], [True]),
        (True, ["bob", "bob"], [False, False]),
    ],
)
def test_a_batch_ends_where_it_says(until: bool | None, who: list[str], told: list[bool]) -> None:
    answered, log = answers([question(name) for name in who], until=until)
    assert answered == told
    # what was not answered was not asked
    assert [record["decision"] for record in log.records] == told
    assert [record["subject"]["id"] for record in log.records] == who[: len(told)]


@pytest.mark.parametrize("refused", [UNREAD, question()._replace(context={"now": 1})])
def test_an_item_that_failed_counts_as_a_deny(refused: Request | RequestError) -> None:
    items = [question(), refused, question()]
    first_deny, log = answers(items, until=False)
    assert len(first_deny) == len(log.records) == 2
    assert isinstance(first_deny[1], RequestError)
    first_permit, _ = answers(items[1:], until=True)
    assert isinstance(first_permit[0], RequestError)
    assert first_permit[1:] == [True]


def test_an_empty_batch_is_answered_by_nothing() -> None:
    for until in (None, True, False):
        assert answers([], until=until)[0] == []


# what the service asserts


def when(condition: str) -> str:
    return f"permit(principal, action, resource) when {{ {condition} }};"


def test_the_context_says_whose_key_it_is_and_from_where() -> None:
    near = when('context.caller.key == "key-1" && context.caller.ip.isInRange(ip("10.0.0.0/8"))')
    assert answers([question()], near, address="10.1.2.3")[0] == [True]
    assert answers([question()], near, address="11.1.2.3")[0] == [False]
    assert answers([question()], near, Caller("acme", "key-2"), address="10.1.2.3")[0] == [False]


def test_no_address_is_asserted_where_none_is_known() -> None:
    unknown = when('!(context.caller has ip) && context.caller.key == "key-1"')
    assert answers([question()], unknown)[0] == [True]


def test_now_is_now() -> None:
    policies = when('context.now > datetime("2026-01-01") && context.now < datetime("2226-01-01")')
    told, log = answers([question()], policies)
    assert told == [True]
    now = log.records[0]["context_used"]["now"]["__extn"]
    assert now["fn"] == "datetime"
    assert now["arg"].endswith("Z")


def test_the_tenant_is_the_caller_s() -> None:
    policies = when('principal.tenant == "acme" && resource.tenant == "acme"')
    assert answers([question()], policies)[0] == [True]


# enough to decide again


def recall(record: Mapping[str, Any], bundle: Bundle) -> Facts:
    """The facts of a decision from its record alone."""
    subject, action, resource = record["subject"], record["action"], record["resource"]
    asked = ask(
        Request(
            Thing(subject["type"], subject["id"], subject.get("properties", {})),
            Act(action["name"], action.get("properties", {})),
            Thing(resource["type"], resource["id"], resource.get("properties", {})),
            record["context"],
        )
    )
    entities: dict[Uid, Entity | None] = {asked.action: Entity(asked.action, asked.action_attributes)}
    for raw in record["facts"]:
        uid = Uid(raw["uid"]["type"], raw["uid"]["id"])
        parents = frozenset(Uid(parent["type"], parent["id"]) for parent in raw["parents"])
        entities[uid] = Entity(uid, read_record(raw["attrs"], trusted=True), parents)
    principal, acted, target = (entities[uid] for uid in (asked.principal, asked.action, asked.resource))
    assert principal
    assert acted
    assert target
    needs = bundle.index.find(principal, acted, target).needs
    return Facts(asked, needs, entities, read_record(record["context_used"], trusted=True))


FILES = {
    "p.cedar": 'permit(principal in Group::"staff", action, resource in folder::"f");\n'
    "permit(principal, action, resource) when { resource.owner.manager == principal && context.caller has key };\n"
    'forbid(principal, action == Action::"drop", resource) unless { action has soft && action.soft };\n',
    "p.abac.json": '{"uid": "high", "effect": "allow", "targets": {},'
    ' "rules": {"subject": {"$.level": {"condition": "Gt", "value": 3}}}}',
    "groups.csv": "g, user:alice, group:staff, acme\n",
    "entities.json": orjson.dumps(
        [
            {
                "uid": {"type": "doc", "id": "d1"},
                "attrs": {"owner": {"__entity": {"type": "user", "id": "bob"}}},
                "parents": [{"type": "folder", "id": "f"}],
            },
            {"uid": {"type": "user", "id": "bob"}, "attrs": {"manager": {"__entity": {"type": "user", "id": "eve"}}}},
        ]
    ).decode(),
}


def test_a_record_suffices_to_decide_again() -> None:
    bundle = make_bundle(FILES)
    requests = [
        question("alice"),
        question("alice", "drop"),
        Request(Thing("user", "alice"), Act("drop", {"soft": True}), Thing("doc", "d1")),
        question("alice", resource="d2"),
        question("eve"),
        question("bob"),
        question("bob", level=4),
        question("bob", level="x"),
    ]
    for until in (None, True, False):
        for request in requests:
            log = FakeLog()
            _, (decision,) = authorize(serve(log, acme=bundle), CALLER, Batch([request], "r-1", until=until))
            (record,) = log.records
            assert decide(bundle, recall(record, bundle)) == decision
    log = FakeLog()
    _, decisions = authorize(serve(log, acme=bundle), CALLER, Batch(requests, "r-1"))
    assert [decide(bundle, recall(record, bundle)) for record in log.records] == decisions
    told = [decision.allowed for decision in decisions if isinstance(decision, Decision)]
    assert told == [True, False, True, False, True, False, True, False]
