"""Search over the store: what is found is what evaluating one by one allows, page by page, on both databases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policy_service.access.authorize import Batch, authorize
from policy_service.access.candidates import Search
from policy_service.access.search import search
from policy_service.errors import RequestError
from policy_service.model import Act, Caller, Decision, Request, Thing
from tests.unit.access.desks import Desk, relationship

POLICIES = """
@id("level") permit(principal, action == Action::"open", resource) when {
  resource has level && resource.level < 5 && principal has clearance && resource.level <= principal.clearance };
@id("zone") permit(principal, action == Action::"open", resource)
  when { resource has zone && resource.zone.contains(principal) };
@id("secret") forbid(principal, action == Action::"open", resource) when { resource has secret && resource.secret };
@id("address") permit(principal, action == Action::"ping", resource)
  when { resource has ip && ip(resource.ip).isInRange(ip("10.0.0.0/8")) };
@id("link") permit(principal, action == Action::"follow", resource is owns);
"""
FILES = {
    "relationships.yaml": "relationships:\n  owns: {attribute: {on: to, name: zone}}\n",
    "entities.json": '[{"uid": {"type": "user", "id": "eve"}, "attrs": {"clearance": 9}}]',
    "groups.csv": "g, user:bob, group:staff, acme\n",
}
CALLER = Caller("acme", "key-app", frozenset({"decide"}))
EVE, BOB = Thing("user", "eve"), Thing("user", "bob")


@pytest.fixture
def ids(desk: Desk) -> list[str]:
    """Hosts of levels 0 to 8, each third secret; two are in eve's zone; of one the address is none."""
    desk.write_files({"p.cedar": POLICIES, **FILES})
    made = [
        desk.make(f"h{n}", level=n, secret=n % 3 == 0, ip="nowhere" if n == 4 else f"{10 + n % 2}.0.0.{n}")
        for n in range(9)
    ]
    for number in (7, 8):
        link = {**relationship(f"l{number}", "eve", made[number]), "_fromEntityType": "user"}
        assert desk.ask("ada", "POST", "/relationships", link).status == 201
    return made


def find(desk: Desk, role: Any, request: Request, limit: int = 100, token: str = "") -> tuple[list[Any], str]:
    found = search(desk.service, CALLER, Search(role, request, limit, "r", token=token))
    return [one.name if isinstance(one, Act) else one.id for one in found.results], found.token


def allowed(desk: Desk, role: str, request: Request, ids: list[str]) -> list[str]:
    """One by one."""
    part: Thing = getattr(request, role)
    items = [request._replace(**{role: part._replace(id=id_)}) for id_ in ids]
    _, decisions = authorize(desk.service, CALLER, Batch(items, "r"))
    return [id_ for id_, one in zip(ids, decisions, strict=True) if isinstance(one, Decision) and one.allowed]


@pytest.mark.parametrize(
    ("subject", "action", "many"),
    [
        (EVE, "open", 5),
        (BOB, "open", 0),
        (Thing("user", "bob", {"clearance": 3}), "open", 2),
        (BOB, "ping", 4),
        (BOB, "nothing", 0),
        (Thing("user", "ada"), "nothing", 9),
    ],
)
def test_stored_resources(desk: Desk, ids: list[str], subject: Thing, action: str, many: int) -> None:
    request = Request(subject, Act(action), Thing("host", ""))
    whole, token = find(desk, "resource", request)
    assert (len(whole), token) == (many, "")
    assert whole == sorted(allowed(desk, "resource", request, ids))
    for limit in (1, 2):
        pages, token = find(desk, "resource", request, limit)
        while token:
            more, token = find(desk, "resource", request, limit, token)
            assert more
            pages += more
        assert pages == whole


def test_stored_relationships_are_resources_too(desk: Desk, ids: list[str]) -> None:
    found, _ = find(desk, "resource", Request(BOB, Act("follow"), Thing("owns", "")))
    assert len(found) == 2
    assert found == allowed(desk, "resource", Request(BOB, Act("follow"), Thing("owns", "")), found)


def test_stored_subjects(desk: Desk, ids: list[str]) -> None:
    request = Request(Thing("host", "", {"clearance": 4}), Act("open"), Thing("host", ids[2]))
    whole, _ = find(desk, "subject", request)
    assert whole == sorted(ids)
    request = request._replace(subject=Thing("host", "", {"clearance": 1}))
    assert find(desk, "subject", request) == ([], "")
    assert allowed(desk, "subject", request, ids) == []


def test_what_is_sent_of_the_resource_is_of_each(desk: Desk, ids: list[str]) -> None:
    request = Request(EVE, Act("open"), Thing("host", "", {"secret": False, "level": 1}))
    assert find(desk, "resource", request)[0] == sorted(allowed(desk, "resource", request, ids)) == sorted(ids)


def test_files_come_before_the_store_and_a_page_may_end_between(desk: Desk, ids: list[str]) -> None:
    desk.write_files({"p.cedar": POLICIES, **FILES, "groups.csv": f"g, host:{'x' * 40}, group:staff, acme\n"})
    request = Request(Thing("user", "ada"), Act("any"), Thing("host", ""))
    whole, _ = find(desk, "resource", request)
    assert whole == ["x" * 40, *sorted(ids)]
    first, token = find(desk, "resource", request, 1)
    assert (first, bool(token)) == (["x" * 40], True)
    assert find(desk, "resource", request, 100, token)[0] == sorted(ids)


def test_what_files_and_the_store_both_name_is_found_once(desk: Desk, ids: list[str]) -> None:
    both = "".join(f"g, host:{id_}, group:staff, acme\n" for id_ in ids[::2])
    desk.write_files({"p.cedar": POLICIES, **FILES, "groups.csv": both})
    request = Request(Thing("user", "ada"), Act("any"), Thing("host", ""))
    for limit in (1, 2, 3, 100):
        pages, token = find(desk, "resource", request, limit)
        while token:
            more, token = find(desk, "resource", request, limit, token)
            pages += more
        assert pages == [*sorted(ids[::2]), *sorted(ids[1::2])]


def test_what_is_allowed_and_on_the_next_page_is_not_recorded_as_withheld(desk: Desk, ids: list[str]) -> None:
    desk.write_files(
        {"p.cedar": POLICIES, **FILES, "groups.csv": "".join(f"g, host:h{n}, group:s, acme\n" for n in "abc")}
    )
    desk.log.records.clear()
    assert find(desk, "resource", Request(Thing("user", "ada"), Act("any"), Thing("host", "")), 1)[0] == ["ha"]
    (record,) = desk.log.records
    assert record["rows"] == {"examined": 1, "shown": 1, "ids": ["ha"], "withheld": []}


def test_what_can_t_be_said_of_rows_is_decided_and_not_more_than_so_many(
    desk: Desk, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policy_service.access.search.EXAMINED", 2)
    request = Request(BOB, Act("ping"), Thing("host", ""))
    pages, token, asked = *find(desk, "resource", request), 1
    while token:
        more, token = find(desk, "resource", request, 100, token)
        pages, asked = pages + more, asked + 1
    assert pages == sorted(allowed(desk, "resource", request, ids))
    assert asked >= len(ids) // 2


def test_the_more_policies_concern_one_the_fewer_are_decided_for_a_page(
    desk: Desk, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policy_service.access.search.EXAMINED", 9)
    request = Request(BOB, Act("ping"), Thing("host", ""))
    whole, token = find(desk, "resource", request)
    assert (len(whole), token) == (4, "")
    monkeypatch.setattr("policy_service.access.search.FEW", 1)
    monkeypatch.setattr("policy_service.access.search._AT_ONCE", 2)
    pages, token = find(desk, "resource", request)
    assert token
    while token:
        more, token = find(desk, "resource", request, 100, token)
        pages += more
    assert pages == whole


def decided(desk: Desk, request: Request, limit: int = 100) -> tuple[list[str], list[int]]:
    """What the pages of a search find together, and how many candidates were decided for each."""
    desk.log.records.clear()
    pages, token = find(desk, "resource", request, limit)
    while token:
        more, token = find(desk, "resource", request, limit, token)
        pages += more
    return pages, [record["rows"]["examined"] for record in desk.log.records]


def test_what_is_decided_for_a_page_weighs_so_much(desk: Desk, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        desk.make(f"w{number}", ip=f"{10 + number % 2}.0.0.1", note="n" * 50_000)
    request = Request(BOB, Act("ping"), Thing("host", ""))
    whole, examined = decided(desk, request)
    assert (len(whole), sum(examined), len(examined)) == (9, 18, 1)
    monkeypatch.setattr("policy_service.access.search.MOST", 120_000)
    for limit in (100, 2):
        found, examined = decided(desk, request, limit)
        assert found == whole
        # three of those that are large, and small ones between them
        assert len(examined) >= 3
        assert max(examined) <= 3 + 9
    # one at least, whatever it weighs
    monkeypatch.setattr("policy_service.access.search.MOST", 1)
    assert decided(desk, request) == (whole, [1] * 18)


def test_what_files_name_weighs_as_much_as_is_stored_of_it(
    desk: Desk, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = [desk.make(f"w{number}", ip="10.0.0.1", note="n" * 50_000) for number in range(9)]
    members = "".join(f"g, host:{id_}, group:staff, acme\n" for id_ in large)
    desk.write_files({"p.cedar": POLICIES, **FILES, "groups.csv": members})
    monkeypatch.setattr("policy_service.access.search._AT_ONCE", 2)
    request = Request(BOB, Act("ping"), Thing("host", ""))
    whole, examined = decided(desk, request)
    assert len(examined) == 1
    monkeypatch.setattr("policy_service.access.search.MOST", 120_000)
    found, examined = decided(desk, request)
    assert found == whole
    assert found[:9] == sorted(large)
    assert max(examined) <= 3 + 2 + 9
    assert examined[0] <= 4


def test_a_filter_decides_nothing_one_by_one(desk: Desk, ids: list[str]) -> None:
    find(desk, "resource", Request(EVE, Act("open"), Thing("host", "")))
    record = desk.log.records[-1]
    assert (record["rows"]["examined"], record["rows"]["shown"]) == (0, 5)
    assert "secret" in record["filter"]


def test_another_tenant_s_rows_are_never_found(desk: Desk, ids: list[str]) -> None:
    other = Caller("globex", "key-app", frozenset({"decide"}))
    request = Request(Thing("user", "ada"), Act("any"), Thing("host", ""))
    assert search(desk.service, other, Search("resource", request, 100, "r")).results == []


def test_a_token_of_a_store_s_page_is_bound(desk: Desk, ids: list[str]) -> None:
    request = Request(EVE, Act("open"), Thing("host", ""))
    _, token = find(desk, "resource", request, 1)
    with pytest.raises(RequestError):
        find(desk, "resource", request._replace(subject=BOB), 1, token)


def test_a_token_is_good_for_the_same_question_in_another_order(desk: Desk, ids: list[str]) -> None:
    sent = {"a": 1, "b": {"c": [Decimal("1.5")], "d": 2}}
    turned = {"b": {"d": 2, "c": [Decimal("1.5")]}, "a": 1}
    request = Request(EVE._replace(properties=sent), Act("open"), Thing("host", "", sent), sent)
    _, token = find(desk, "resource", request, 1)
    again = Request(EVE._replace(properties=turned), Act("open"), Thing("host", "", turned), turned)
    assert find(desk, "resource", again, 1, token)[0] == find(desk, "resource", request, 1, token)[0] != []
    for other in ({**sent, "a": "1"}, {**sent, "a": True}, {**sent, "b": {"c": ["1.5"], "d": 2}}):
        with pytest.raises(RequestError):
            find(desk, "resource", request._replace(context=other), 1, token)


def test_pages_go_on_after_the_longest_id(desk: Desk, ids: list[str]) -> None:
    names = [str(number) * length for number, length in enumerate((10, 11_900, 40_000, 10))]
    desk.write_files({"p.cedar": POLICIES, "groups.csv": "".join(f"g, doc:{name}, group:s, acme\n" for name in names)})
    found, token = find(desk, "resource", Request(Thing("user", "ada"), Act("any"), Thing("doc", "")), 1)
    while token:
        more, token = find(desk, "resource", Request(Thing("user", "ada"), Act("any"), Thing("doc", "")), 1, token)
        found += more
    assert found == names


@pytest.mark.parametrize("role", ["subject", "resource"])
def test_one_that_can_t_be_asked_about_is_not_found(desk: Desk, ids: list[str], role: str) -> None:
    every = '@id("all") permit(principal, action == Action::"see", resource);'
    desk.write_files({"p.cedar": every, **FILES})
    request = Request(Thing("user", "", {"mfa": True}), Act("see"), Thing("user", "", {"mfa": False}))
    # with two values for `mfa` an evaluation is an error
    other = "subject" if role == "resource" else "resource"
    asked = request._replace(**{other: getattr(request, other)._replace(id="bob")})
    assert allowed(desk, role, asked, ["bob", "eve"]) == ["eve"]
    assert find(desk, role, asked)[0] == ["eve"]
    assert find(desk, role, asked._replace(**{other: Thing("user", "bob", {"mfa": role == "subject"})}))[0]
    for reserved in ({"tenant": "globex"}, {"mfa": {"__entity": {"type": "user", "id": "x"}}}):
        wrong = asked._replace(**{role: Thing("user", "", reserved)})
        with pytest.raises(RequestError):
            find(desk, role, wrong)
