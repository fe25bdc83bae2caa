"""Stored entities as policies see them, and what relationships draw, in few statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from policy_service.assets import edges, entities, rows
from policy_service.assets.asset import Edges
from policy_service.assets.edges import fetch_edges
from policy_service.assets.facts import fetch_entities
from policy_service.errors import Unavailable
from policy_service.model import Uid
from policy_service.policy.values import read_set
from tests.unit.assets.inventories import entity, make_bundle, opened, relationship

TEAM = ("Team", "red")


@contextmanager
def counted(inventory) -> Iterator[list[str]]:
    """The statements that the session runs in the block."""
    told: list[str] = []

    def note(connection, cursor, statement, parameters, context, many) -> None:
        told.append(statement)

    connection = inventory.session.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield told
    event.remove(connection, "before_cursor_execute", note)


def test_an_asset_is_an_entity_of_its_type_and_id(store) -> None:
    with opened(store) as inventory:
        asset = entity(
            inventory,
            "k",
            _class=["B", "A"],
            displayName="Web",
            note="x",
            key="own",
            groups="g",
            team="t",
            tag__env="prod",
        )
        odd = entity(inventory, "odd", _type="acme-host", **{"property.key": "forged"})
    with opened(store, write=False) as inventory:
        found = fetch_entities(inventory, [asset.uid, odd.uid])
    assert found[asset.uid] == (
        Uid("host", asset.id),
        {
            "key": "k",
            "type": "host",
            "class": ["A", "B"],
            "displayName": "Web",
            "source": "api",
            "scope": "",
            "note": "x",
            "property.key": "own",
            "property.groups": "g",
            # what relationships draw is never a property, drawn or not
            "property.team": "t",
        },
        frozenset(),
        {"env": "prod"},
    )
    assert odd.uid.type == "Escaped_61636d652d686f7374"
    # no property can be taken for another's
    assert found[odd.uid].attributes["property.property.key"] == "forged"
    assert "property.key" not in found[odd.uid].attributes
    assert "displayName" not in found[odd.uid].attributes


def test_relationships_draw_parents_and_attributes(store) -> None:
    with opened(store) as inventory:
        host, other, zone = entity(inventory, "h"), entity(inventory, "o"), entity(inventory, "z", _type="zone")
        drawn = relationship(inventory, "team_owns_host", TEAM, host)
        relationship(inventory, "team_owns_host", ("Org", "acme"), host)
        relationship(inventory, "host_in_zone", host, zone)
        relationship(inventory, "uses", other, host)
    red, org = Uid("Team", "red"), Uid("Org", "acme")
    with opened(store, write=False) as inventory:
        found = fetch_entities(inventory, [host.uid, other.uid, zone.uid, drawn.uid])
        assert fetch_edges(inventory, [host.uid]) == {
            host.uid: Edges(frozenset({red, org, zone.uid}), {"team": frozenset({red, org})})
        }
    assert found[host.uid].parents == {red, org, zone.uid}
    assert found[host.uid].attributes["team"] == read_set([red, org])
    assert found[other.uid].parents == found[zone.uid].parents == frozenset()
    assert "team" not in found[other.uid].attributes
    # a relationship is an entity, too
    assert found[drawn.uid].attributes["class"] == ["OWNS"]
    with opened(store) as inventory:
        entities.remove(inventory, zone, 2)
        assert fetch_entities(inventory, [host.uid, zone.uid])[host.uid].parents == {red, org}


def test_what_is_not_stored_is_not_found(store) -> None:
    with opened(store) as inventory:
        host = entity(inventory, "h")
        gone = entity(inventory, "gone")
        entities.remove(inventory, gone, 1)
    with opened(store, write=False) as inventory:
        asked = [
            gone.uid,
            Uid("user", host.id),
            Uid("Team", host.id),
            Uid("Group", host.id),
            Uid("host", "x"),
            Uid("host", ""),
        ]
        assert fetch_entities(inventory, asked) == {}
    with opened(store, make_bundle("globex"), write=False) as inventory:
        assert fetch_entities(inventory, [host.uid]) == {}
    # a type that the file took over is the file's
    with opened(store, make_bundle(filed='[{"uid": {"type": "host", "id": "x"}}]'), write=False) as inventory:
        assert fetch_entities(inventory, [host.uid]) == {}


def test_facts_cost_few_statements(store) -> None:
    with opened(store) as inventory:
        hosts = [entity(inventory, f"h{number}") for number in range(20)]
        for host in hosts:
            relationship(inventory, "team_owns_host", TEAM, host)
    with opened(store, write=False) as inventory:
        with counted(inventory) as told:
            assert len(fetch_entities(inventory, [host.uid for host in hosts])) == 20
        # the layout is read once
        assert len(told) == 3
        with counted(inventory) as told:
            fetch_entities(inventory, [hosts[0].uid, Uid("user", "alice"), Uid("Team", "red")])
        assert len(told) == 2
        with counted(inventory) as told:
            fetch_entities(inventory, [Uid("user", "alice"), Uid("Team", "red"), Uid("Group", "x")])
        assert told == []


def test_many_are_fetched_in_parts(store) -> None:
    with opened(store) as inventory:
        hosts = [entity(inventory, f"h{number}") for number in range(7)]
        for host in hosts:
            relationship(inventory, "team_owns_host", TEAM, host)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "CHUNK", 3)
            found = fetch_entities(inventory, [host.uid for host in hosts])
    assert [found[host.uid].parents for host in hosts] == [{Uid("Team", "red")}] * 7


def test_too_many_edges_are_looked_at_in_parts_and_not_cut_short(store, monkeypatch) -> None:
    with opened(store) as inventory:
        hosts = [entity(inventory, f"h{number}") for number in range(5)]
        for host in hosts:
            relationship(inventory, "team_owns_host", TEAM, host)
        monkeypatch.setattr(edges, "MOST_EDGES", 2)
        found = fetch_entities(inventory, [host.uid for host in hosts])
        assert [entity.parents for entity in found.values()] == [{Uid("Team", "red")}] * 5
        relationship(inventory, "team_owns_host", ("Org", "acme"), hosts[0])
        with pytest.raises(Unavailable, match="more than 2 ancestors"):
            fetch_entities(inventory, [hosts[0].uid])


def test_where_nothing_is_drawn_nothing_is_looked_up(store) -> None:
    with opened(store, make_bundle(drawn="")) as inventory:
        host = entity(inventory, "h")
    with opened(store, make_bundle(drawn=""), write=False) as inventory:
        with counted(inventory) as told:
            fetch_entities(inventory, [host.uid])
        assert len(told) == 2
