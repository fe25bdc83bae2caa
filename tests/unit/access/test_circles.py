"""Files that close a circle of parents over what is stored: decisions that meet it deny, and so do lists."""

from __future__ import annotations

from policy_service.assets.rebuilding import rebuild
from tests.unit.access.desks import Desk

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
