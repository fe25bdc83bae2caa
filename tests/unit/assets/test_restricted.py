"""Restricted properties: sealed on PostgreSQL, found by a keyed digest, bound to their row and name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, text, update

from policy_service.assets import entities, relationships
from policy_service.assets.drafts import read_patch
from policy_service.assets.restricted import Sealing
from policy_service.errors import NoKey
from policy_service.policy.stored_values import write_json
from policy_service.store.control import KeyRow, KeyState
from policy_service.store.data_keys import DataKey
from policy_service.store.tables import BlindRow, EntityRow, RelationshipRow
from tests.unit.assets.inventories import entity, make_bundle, opened, relationship


def find_equal(inventory, name, value):
    """The ids of those that have a digest of the value, whatever the version of the key."""
    digests = inventory.sealing.digests(name, write_json(value))
    rows = select(BlindRow.id).where(BlindRow.name == name, BlindRow.digest.in_(digests))
    return list(inventory.session.scalars(rows.order_by(BlindRow.id)))


BUNDLE = make_bundle(restricted="ssn, salary")
SECRET = "078-05-1120"


def test_a_restricted_property_is_sealed_where_the_database_is_shared(store) -> None:
    with opened(store, BUNDLE) as inventory:
        asset = entity(inventory, "k", ssn=SECRET, salary=1e300, name="x")
        other = entity(inventory, "o", ssn="000")
        drawn = relationship(inventory, "uses", asset, other, ssn=SECRET)
    with opened(store, BUNDLE, write=False) as inventory:
        assert entities.find(inventory, [asset.id])[asset.id] == asset
        assert relationships.find(inventory, [drawn.id])[drawn.id] == drawn
        rows = inventory.session.execute(select(EntityRow.properties, EntityRow.sealed)).all()
        rows += inventory.session.execute(select(RelationshipRow.properties, RelationshipRow.sealed)).all()
        blinds = inventory.session.execute(select(BlindRow.name, BlindRow.id)).all()
        found, none = find_equal(inventory, "ssn", SECRET), find_equal(inventory, "salary", SECRET)
    if store.backend == "sqlite":
        assert all(row.sealed is None for row in rows)
        assert (blinds, found) == ([], [])
        return
    assert SECRET not in str(rows)
    assert sorted(rows[0].sealed or rows[1].sealed) in (["salary", "ssn"], ["ssn"])
    assert all(set(row.properties) <= {"name"} for row in rows)
    assert sorted(tuple(row) for row in blinds) == sorted([("ssn", asset.id), ("salary", asset.id), ("ssn", other.id)])
    assert found == [asset.id]
    assert none == []


def test_digests_follow_the_property(store) -> None:
    with opened(store, BUNDLE) as inventory:
        asset = entity(inventory, "k", ssn=SECRET)
        for patch, found in (
            (read_patch({"ssn": "1"}), 0),
            (read_patch({"ssn": SECRET}), 1),
            (read_patch({"ssn": [SECRET]}), 0),
        ):
            asset = entities.store(inventory, entities.propose_patch(inventory, asset, patch, 2)).after  # type: ignore[assignment]
            assert entities.find(inventory, [asset.id])[asset.id] == asset
            if store.backend == "postgresql":
                assert len(find_equal(inventory, "ssn", SECRET)) == found
        entities.store(inventory, entities.propose_patch(inventory, asset, read_patch({"ssn": SECRET}), 3))
        entities.remove(inventory, entities.find(inventory, [asset.id])[asset.id], 4)
        assert find_equal(inventory, "ssn", SECRET) == []
        row = inventory.session.execute(select(EntityRow.sealed, EntityRow.properties)).one()
        assert tuple(row) == (None, {})


def test_what_is_sealed_opens_in_its_own_place_only(store) -> None:
    if store.backend == "sqlite":
        pytest.skip("nothing is sealed in a file that is encrypted as a whole")
    with opened(store, BUNDLE) as inventory:
        asset, other = entity(inventory, "k", ssn=SECRET, salary=1), entity(inventory, "o", ssn="1", salary=2)
        sealed = inventory.session.scalar(select(EntityRow.sealed).where(EntityRow.id == asset.id))
        assert sealed is not None
        assert inventory.sealing.open("entity", asset.id, sealed) == {"salary": 1, "ssn": SECRET}
        with pytest.raises(NoKey):
            inventory.sealing.open("relationship", asset.id, sealed)
        broken = {"ssn": sealed["ssn"][:-8] + "AAAAAAA="}
        for row, moved in ((other.id, sealed), (asset.id, {"ssn": sealed["salary"]}), (asset.id, broken)):
            inventory.session.execute(
                update(EntityRow).where(EntityRow.id == row).values(sealed=moved),
                execution_options={"synchronize_session": False},
            )
            with pytest.raises(NoKey):
                entities.find(inventory, [row])


def test_a_property_that_is_not_restricted_any_more_is_read_and_written_plain(store) -> None:
    with opened(store, BUNDLE) as inventory:
        asset = entity(inventory, "k", ssn=SECRET)
    with opened(store, make_bundle()) as inventory:
        before = entities.find(inventory, [asset.id], lock=True)[asset.id]
        assert before == asset
        entities.store(inventory, entities.propose_patch(inventory, before, read_patch({"n": 1}), 2))
        assert inventory.session.scalar(select(EntityRow.sealed)) is None
        assert inventory.session.scalar(text("SELECT count(*) FROM blind")) == 0
        assert entities.find(inventory, [asset.id])[asset.id].properties["ssn"] == SECRET


class _Keys:
    """Two versions of a key, the newer active."""

    def __init__(self) -> None:
        self.versions = {number: DataKey("acme", number, bytes([number]) * 32) for number in (1, 2)}
        self.now = 1

    def active(self, account: str) -> DataKey:
        return self.versions[self.now]

    def version(self, account: str, version: int) -> DataKey:
        return self.versions[version]

    def all(self, account: str) -> list[tuple[KeyRow, DataKey]]:
        row = KeyRow("acme", 1, b"", "", KeyState.OLD, 0)
        return [(row, self.versions[number]) for number in range(1, self.now + 1)]


def test_old_versions_of_a_key_open_and_are_found(store) -> None:
    keys = _Keys()
    sealing = Sealing("acme", frozenset({"ssn"}), keys)  # type: ignore[arg-type]
    with opened(store, BUNDLE) as opened_inventory:
        inventory = replace(opened_inventory, sealing=sealing)
        old = entity(inventory, "old", ssn=SECRET)
        keys.now = 2
        new = entity(inventory, "new", ssn=SECRET)
        assert entities.find(inventory, [old.id, new.id]) == {old.id: old, new.id: new}
        assert find_equal(inventory, "ssn", SECRET) == sorted([old.id, new.id])
