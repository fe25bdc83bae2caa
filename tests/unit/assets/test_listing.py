"""Pages on both databases: by id, by type and class, each row once."""

from __future__ import annotations

from policy_service.assets import entities, relationships
from policy_service.assets.listing import page
from tests.unit.assets.inventories import entity, make_bundle, opened, relationship


def pages(inventory, kind, **how):
    found, after = [], ""
    while part := page(inventory, kind, after=after, limit=2, **how):
        assert len(part) <= 2
        found += part
        after = part[-1].id
    return found


def test_pages_joined_are_the_whole_list(store) -> None:
    with opened(store) as inventory:
        hosts = [entity(inventory, f"h{number}", _class=["Host", "Device"]) for number in range(5)]
        users = [entity(inventory, f"u{number}", _type="user", _class="User") for number in range(3)]
        # a property of that name is no class
        odd = entity(inventory, "odd", _type="odd", _class="Odd", **{"class": ["Host"]})
        gone = entity(inventory, "gone", _class="Host")
        entities.remove(inventory, gone, 1)
    with opened(store, write=False) as inventory:
        for how, expected in (
            ({}, [*hosts, *users, odd]),
            ({"type_": "host"}, hosts),
            ({"class_": "Device"}, hosts),
            ({"class_": "Host", "type_": "host"}, hosts),
            ({"class_": "Host", "type_": "user"}, []),
            ({"class_": '"Host"'}, []),
        ):
            assert pages(inventory, "entity", **how) == sorted(expected, key=lambda asset: asset.id)
        assert page(inventory, "relationship") == []
    with opened(store, make_bundle("globex"), write=False) as inventory:
        assert page(inventory, "entity") == page(inventory, "entity", class_="Host") == []


def test_relationships_are_listed_by_type_and_class(store) -> None:
    with opened(store) as inventory:
        a, b = entity(inventory, "a"), entity(inventory, "b")
        uses = [relationship(inventory, "uses", a, b, _key=str(number), _class="USES") for number in range(3)]
        runs = relationship(inventory, "runs", a, b)
        relationships.remove(inventory, relationship(inventory, "runs", b, a), 1)
    with opened(store, write=False) as inventory:
        assert pages(inventory, "relationship") == sorted([*uses, runs], key=lambda asset: asset.id)
        assert pages(inventory, "relationship", class_="USES") == sorted(uses, key=lambda asset: asset.id)
        assert pages(inventory, "relationship", type_="runs") == [runs]
