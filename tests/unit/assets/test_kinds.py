"""The kinds of values that assets ever had, as they are written with the asset."""

from __future__ import annotations

from decimal import Decimal

from policy_service.assets import entities
from policy_service.assets.drafts import read_entity
from policy_service.assets.kinds import BITS, LONG_TEXT, SEALED, find_kinds
from policy_service.policy.values import read_json
from tests.unit.assets.inventories import entity, make_bundle, opened, relationship


def test_they_only_grow(store) -> None:
    with opened(store) as inventory:
        entity(inventory, "a", n=1, tag__n="x")
    with opened(store) as inventory:
        a = entity(inventory, "a", n="text")
        entities.remove(inventory, entities.find(inventory, [a.id], lock=True)[a.id], 2_000)
        assert find_kinds(inventory, "entity", ["n", "m"]) == {
            ("attribute", "n"): BITS["long"] | BITS["text"],
            ("tag", "n"): BITS["text"],
        }
        assert find_kinds(inventory, "relationship", ["n"]) == {}


def test_each_kind_has_its_bit(store) -> None:
    sent = '{"_key":"k","_type":"t","_class":"C","a":"x","b":1,"c":true,"d":1.5,"e":1e30,"f":["x"],"g":"%s","h":[]}'
    with opened(store) as inventory:
        draft = read_entity(read_json(sent % ("é" * 501)))
        assert draft.properties["d"] == Decimal("1.5")
        entities.store(inventory, entities.propose(inventory, draft, 1))
        found = find_kinds(inventory, "entity", "abcdefgh")
    expected = ["text", "long", "bool", "decimal", "number", "set", "text", "set"]
    told = {name: BITS[kind] for name, kind in zip("abcdefgh", expected, strict=True)}
    assert {name: bits for (_, name), bits in found.items()} == told | {"g": BITS["text"] | LONG_TEXT}


def test_of_what_is_sealed_there_is_only_that_it_is(store) -> None:
    with opened(store, make_bundle(restricted="ssn")) as inventory:
        entity(inventory, "k", ssn="1")
        expected = SEALED if store.backend == "postgresql" else BITS["text"]
        assert find_kinds(inventory, "entity", ["ssn"]) == {("attribute", "ssn"): expected}
    with opened(store) as inventory:
        entity(inventory, "k", ssn="2")
        expected |= BITS["text"]
        assert find_kinds(inventory, "entity", ["ssn"]) == {("attribute", "ssn"): expected}


def test_a_relationship_has_kinds_of_its_own(store) -> None:
    with opened(store) as inventory:
        a, b = entity(inventory, "a"), entity(inventory, "b")
        relationship(inventory, "uses", a, b, since=1)
        assert find_kinds(inventory, "relationship", ["since"]) == {("attribute", "since"): BITS["long"]}
        assert find_kinds(inventory, "entity", ["since"]) == {}


def test_what_was_undone_with_a_part_of_the_transaction_is_written_again(store) -> None:
    """A batch undoes one item, and goes on."""
    with opened(store) as inventory:
        connection = inventory.session.connection()
        part = connection.begin_nested()
        entity(inventory, "a", n=1)
        # a second look in the same part finds what the first wrote, and must not believe that it stays
        entity(inventory, "b", n=2, m=2)
        part.rollback()
        with connection.begin_nested():
            entity(inventory, "c", n=3)
    with opened(store, write=False) as inventory:
        assert find_kinds(inventory, "entity", ["n"]) == {("attribute", "n"): BITS["long"]}
