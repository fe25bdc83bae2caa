"""Files that close a circle of parents over what is stored: decisions that meet it deny, and so do lists."""

from __future__ import annotations

from policy_service.access.candidates import Search
from policy_service.access.search import search
from policy_service.access.search_filters import Wanted, find_filter
from policy_service.assets.rebuilding import rebuild
from policy_service.model import Act, Caller, Request, Thing
from tests.unit.access.desks import Desk, relationship

CALLER = Caller("acme", "key-app", frozenset({"decide"}))
DRAWN = "relationships:\n  in: {parent: to}\n"
POLICIES = '@id("zone") permit(principal == user::"bob", action, resource) when { resource in zone::"%s" };\n'


def test_a_list_shows_what_a_read_shows(desk: Desk) -> None:
    desk.write_files({"relationships.yaml": DRAWN})
    inside, around, below = desk.make("inside"), desk.make("around", "zone"), desk.make("below")
    desk.relate("r1", inside, around, "in")
    desk.relate("r2", around, inside, "uses")
    desk.relate("r3", below, inside, "in")
    policies = {"own.cedar": POLICIES % around}
    for drawn in (DRAWN, f"{DRAWN}  uses: {{parent: to}}\n"):
        desk.write_files({**policies, "relationships.yaml": drawn})
        rebuild(desk.store, desk.bundles.held["acme"], rest=0)
        read = {id_ for id_ in (inside, around, below) if desk.ask("bob", "GET", f"/entities/{id_}").status == 200}
        listed = {item["_id"] for item in desk.ask("bob", "GET", "/entities").json["items"]}
        assert listed == read
    assert around not in read


def test_entities_of_a_file_may_close_one(desk: Desk) -> None:
    zones = '[{"uid": {"type": "zone", "id": "z"}, "parents": [%s]}]'
    policies = {"relationships.yaml": DRAWN, "own.cedar": POLICIES % "z"}
    desk.write_files({**policies, "entities.json": zones % ""})
    inside, below = desk.make("inside"), desk.make("below")
    link = {**relationship("r1", inside, "z", "in"), "_toEntityType": "zone"}
    assert desk.ask("ada", "POST", "/relationships", link).status == 201
    desk.relate("r2", below, inside, "in")
    for parent in ("", f'{{"type": "host", "id": "{below}"}}', f'{{"type": "host", "id": "{inside}"}}'):
        desk.write_files({**policies, "entities.json": zones % parent})
        read = {id_ for id_ in (inside, below) if desk.ask("bob", "GET", f"/entities/{id_}").status == 200}
        assert {item["_id"] for item in desk.ask("bob", "GET", "/entities").json["items"]} == read
        request = Request(Thing("user", "bob"), Act("PolicyService::read"), Thing("host", ""))
        found = search(desk.service, CALLER, Search("resource", request, 9, "r")).results
        assert {one.id for one in found if isinstance(one, Thing)} == read
        told, _ = find_filter(desk.service, CALLER, Wanted(request._replace(resource=Thing("doc", "")), "ast", "r"))
        assert told["exact"] is (len(read) == 2)
    assert inside not in read
