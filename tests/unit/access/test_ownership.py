"""A type is the file's or the store's: where it is both, nothing about it is allowed, and the error names both."""

from __future__ import annotations

from collections.abc import Sequence

from policy_service.access.authorize import Batch, authorize
from policy_service.access.ownership import Owners
from policy_service.model import Act, Caller, Decision, Request, Thing
from tests.property.files import make_bundle
from tests.unit.access.desks import Desk, relationship

TEAM = '[{"uid": {"type": "host", "id": "web"}, "parents": [{"type": "team", "id": "red"}]}]'


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_looked_up_every_two_seconds_at_most() -> None:
    asked: list[Sequence[str]] = []
    held: set[str] = set()

    def find(types: Sequence[str]) -> set[str]:
        asked.append(types)
        return held & set(types)

    clock = Clock()
    owners = Owners(clock)
    bundle = make_bundle({"entities.json": TEAM})
    assert owners.contested(bundle, find) == frozenset()
    held.add("host")
    assert owners.contested(bundle, find) == frozenset()
    clock.now += 2.0
    assert owners.contested(bundle, find) == {"host"}
    assert asked == [["host"], ["host"]]
    # other files are looked at at once, and none are not looked at at all
    other = make_bundle({"entities.json": TEAM, "p.cedar": '@id("p") permit(principal, action, resource);'})
    object.__setattr__(other.version, "digest", "1" * 64)
    owners.contested(other, find)
    assert len(asked) == 3
    assert owners.contested(make_bundle({}), find) == frozenset()
    assert len(asked) == 3


def test_a_type_that_the_file_and_the_store_hold_is_denied(desk: Desk) -> None:
    id_, disk = desk.make("web-1"), desk.make("disk", "disk")
    desk.write_files({"entities.json": TEAM})
    for thing in (id_, "web"):
        decision = desk.decide("ada", "read", "host", thing)
        assert not decision.allowed
        assert decision.reasons == ()
        (failure,) = decision.errors
        assert failure.policy.file == "tenants/acme/entities.json"
        assert "`host` is in `tenants/acme/entities.json` and in the store" in failure.why
    assert desk.decide("ada", "read", "disk", disk).allowed
    asked = [Request(Thing("user", "ada"), Act("read"), Thing(kind, "web")) for kind in ("disk", "host", "disk")]
    _, until = authorize(desk.service, Caller("acme", "k"), Batch(asked, "r", until=False))
    assert [decision.allowed for decision in until if isinstance(decision, Decision)] == [True, False]
    assert desk.ask("ada", "GET", f"/entities/{id_}").status == 404
    assert [item["_id"] for item in desk.ask("ada", "GET", "/entities").json["items"]] == [disk]
    assert desk.ask("ada", "GET", f"/entities/{disk}").status == 200
    desk.write_files({})
    assert desk.decide("ada", "read", "host", id_).allowed


def test_what_is_below_or_refers_to_such_a_type_is_denied_too(desk: Desk) -> None:
    desk.write_files(
        {"relationships.yaml": "relationships:\n  holds: {parent: from}\n  runs: {attribute: {on: to, name: on}}\n"}
    )
    host, disk, job = desk.make("web-1"), desk.make("disk", "disk"), desk.make("job", "job")
    desk.relate("r", host, disk, "holds")
    desk.relate("s", host, job, "runs")
    files = {
        "relationships.yaml": "relationships:\n  holds: {parent: from}\n  runs: {attribute: {on: to, name: on}}\n",
        "reads.cedar": '@id("r") forbid(principal, action, resource is job) when { resource.on.contains(principal) };',
    }
    desk.write_files(files)
    assert desk.decide("ada", "read", "disk", disk).allowed
    assert desk.decide("ada", "read", "job", job).allowed
    desk.write_files({**files, "entities.json": TEAM})
    assert not desk.decide("ada", "read", "disk", disk).allowed


def test_a_relationship_holds_its_type_too(desk: Desk) -> None:
    rules = {
        "own.cedar": '@id("b") permit(principal == user::"bob", action, resource);\n'
        '@id("s") forbid(principal == user::"bob", action, resource) when { resource has secret };'
    }
    desk.write_files(rules)
    one, two = desk.make("one"), desk.make("two")
    secret = {**relationship("r", one, two, "trusts"), "secret": True}
    id_ = desk.ask("ada", "POST", "/relationships", secret).id
    assert desk.ask("bob", "GET", f"/relationships/{id_}").status == 404
    # the file's type has no facts in the store: what it forbids by one would be allowed
    desk.write_files({**rules, "entities.json": '[{"uid": {"type": "trusts", "id": "t"}, "attrs": {}, "parents": []}]'})
    assert desk.ask("bob", "GET", f"/relationships/{id_}").status == 404
    assert not desk.decide("ada", "read", "trusts", "t").allowed
