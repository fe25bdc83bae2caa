"""Entities on both databases: ids, versions, what a change is, deletion, writers that meet."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from policy_service.assets import entities
from policy_service.assets.asset import derive_id, render
from policy_service.assets.drafts import read_entity, read_patch
from policy_service.assets.inventory import open_inventory
from policy_service.errors import Conflict, RequestError
from policy_service.policy.stored_values import write_json
from policy_service.policy.values import read_json
from policy_service.store.tables import ElementRow, EntityRow
from tests.unit.assets.inventories import entity, make_bundle, opened, parse

HUGE = "123456789012345678901234567890.12345678901234567890"


def test_what_was_sent_is_read_back(store) -> None:
    text = (
        '{"_key": "k", "_type": "host", "_class": ["Server", "Host", "Host"], "displayName": "Web 1", "active": true,'
        f' "cpus": 4, "load": 1.50, "price": {HUGE}, "tiny": 1e-300, "big": 1e20, "zero": -0.0, "owner": null,'
        ' "ports": [443, 80, 443, 0.5], "a-b \\" é": ["x"], "empty": []}'
    )
    with opened(store) as inventory:
        entities.store(inventory, entities.propose(inventory, read_entity(read_json(text)), 1_000))
    with opened(store, write=False) as inventory:
        asset = entities.find_by_key(inventory, "api", "", "k")
        assert asset is not None
    assert asset.classes == ("Host", "Server")
    shown = read_json(write_json(render(asset, "acme")))
    assert shown["load"] == Decimal("1.5")
    assert shown["price"] == Decimal(HUGE)
    assert shown["tiny"] == Decimal("1e-300")
    assert shown["big"] == Decimal("1e20")
    assert shown["zero"] == 0
    assert shown["ports"] == [443, 80, Decimal("0.5")]
    assert shown['a-b " é'] == ["x"]
    assert shown["empty"] == []
    assert "owner" not in shown
    assert shown["active"] is True
    system = {name: value for name, value in shown.items() if name.startswith("_")}
    assert system == {
        "_id": derive_id("entity", "acme", "api", "", "k"),
        "_key": "k",
        "_type": "host",
        "_class": ["Host", "Server"],
        "_accountId": "acme",
        "_source": "api",
        "_scope": "",
        "_version": 1,
        "_createdOn": 1_000,
        "_beginOn": 1_000,
        "_endOn": None,
        "_deleted": False,
    }


def test_a_read_can_be_sent_back_and_changes_nothing(store) -> None:
    with opened(store) as inventory:
        entity(inventory, "k", ports=[1, 2.5, 1e300], tag__env="prod", note="x")
    with opened(store) as inventory:
        before = entities.find_by_key(inventory, "api", "", "k", lock=True)
        assert before is not None
        sent = read_json(write_json(render(before, "acme")))
        edit = entities.propose_update(inventory, before, read_entity(sent), 9_000)
        assert not edit.changes
        assert entities.store(inventory, edit).after == before


def test_each_change_is_a_version_and_nothing_else_is(store) -> None:
    with opened(store) as inventory:
        entity(inventory, "k", flag=True, n=1, tag__env="prod")
        assert entity(inventory, "k", 2_000, flag=True, n=1.0, tag__env="prod").version == 1
        # Python takes True for 1
        changed = entity(inventory, "k", 3_000, flag=1, n=1, tag__env="prod")
    assert (changed.version, changed.created_on, changed.begin_on) == (2, 1_000, 3_000)
    with opened(store) as inventory:
        before = entities.find(inventory, [changed.id], lock=True)[changed.id]
        patch = read_patch(parse(n=None, other="x", tag__env=None, _class=["Host", "Device"]))
        edit = entities.store(inventory, entities.propose_patch(inventory, before, patch, 4_000))
    with opened(store, write=False) as inventory:
        asset = entities.find(inventory, [changed.id])[changed.id]
        elements = inventory.session.scalars(select(ElementRow.value).order_by(ElementRow.value)).all()
    assert asset == edit.after
    assert asset.properties == {"flag": 1, "other": "x"}
    assert asset.properties["flag"] is not True
    assert asset.tags == {}
    assert asset.version == 3
    assert elements == ['"Device"', '"Host"']


def test_an_id_is_of_account_source_scope_and_key() -> None:
    ids = {
        derive_id("entity", "acme", "api", "", "k"),
        derive_id("relationship", "acme", "api", "", "k"),
        derive_id("entity", "globex", "api", "", "k"),
        derive_id("entity", "acme", "ap", "i", "k"),
        derive_id("entity", "acme", "api", "k", ""),
        derive_id("entity", "acme", "api", '","', "k"),
        derive_id("entity", "acme", "api", "", ',"k'),
    }
    assert len(ids) == 7
    # an id never changes: what is stored was given out
    assert derive_id("entity", "acme", "api", "", "k") == "0a627509-600c-5ea5-a43b-3d718553a0a6"
    assert derive_id("relationship", "acme", "api", "", "k") == "f2a768cc-9404-5995-ad5c-8eaecbcdb16d"


def test_keys_are_told_apart_by_source_and_scope(store) -> None:
    with opened(store) as inventory:
        first = entity(inventory, "k")
        second = entity(inventory, "k", _scope="eu")
        draft = read_entity(parse(_key="k", _type="host", _class="Host", _source="hr", _scope="eu"))
        third = entities.store(inventory, entities.propose(inventory, draft, 1, source="hr")).after
        assert third is not None
        assert len(entities.find(inventory, [first.id, second.id, third.id])) == 3
        with pytest.raises(RequestError, match="`_source` is `api`"):
            entities.propose(inventory, draft, 1)


def test_what_is_deleted_is_gone_and_goes_on_when_it_comes_back(store) -> None:
    with opened(store) as inventory:
        asset = entity(inventory, "k", secret="x", displayName="Web", tag__env="prod")
        assert [edit.after for edit in entities.remove(inventory, asset, 2_000)] == [None]
    with opened(store) as inventory:
        assert entities.find(inventory, [asset.id]) == {}
        assert entities.find_by_key(inventory, "api", "", "k") is None
        row = inventory.session.execute(select(EntityRow)).scalar_one()
        assert (row.deleted, row.end_on, row.version) == (True, 2_000, 1)
        assert (row.properties, row.tags, row.classes, row.display_name, row.sealed) == ({}, {}, [], None, None)
        assert inventory.session.scalar(select(func.count()).select_from(ElementRow)) == 0
        inventory.session.expunge_all()
        back = entity(inventory, "k", 3_000, _type="server")
    with opened(store, write=False) as inventory:
        assert entities.find(inventory, [asset.id])[asset.id] == back
    assert (back.id, back.type, back.version) == (asset.id, "server", 2)
    assert (back.created_on, back.begin_on, back.end_on, back.deleted) == (3_000, 3_000, None, False)


def test_a_type_of_the_file_is_not_stored(store) -> None:
    with opened(store) as inventory, pytest.raises(Conflict, match=r"`Team` is one of tenants/acme/entities\.json"):
        entity(inventory, "k", _type="Team")
    with opened(store, make_bundle(filed="[]")) as inventory:
        asset = entity(inventory, "k", _type="Team")
    # the file came second: what is stored can be deleted, and not changed
    with opened(store) as inventory:
        with pytest.raises(Conflict, match="`Team` is one of"):
            entities.propose_patch(inventory, asset, read_patch({"a": 1}), 1)
        entities.remove(inventory, asset, 2_000)


def test_type_and_key_stay(store) -> None:
    with opened(store) as inventory:
        asset = entity(inventory, "k")
        for name, value in (("_key", "other"), ("_type", "other"), ("_source", "hr"), ("_scope", "eu")):
            draft = read_entity(parse(**{"_key": "k", "_type": "host", "_class": "Host", name: value}))
            with pytest.raises(Conflict, match=f"`{name}`"):
                entities.propose_update(inventory, asset, draft, 1)
        with pytest.raises(Conflict, match="`_type`"):
            entity(inventory, "k", _type="other")


def test_an_entity_has_a_size(store) -> None:
    with opened(store) as inventory:
        with pytest.raises(RequestError, match="262144"):
            entity(inventory, "k", **{f"p{number}": "é" * 32_000 for number in range(5)})
        asset = entity(inventory, "k", **{f"p{number}": number for number in range(1_000)})
        with pytest.raises(RequestError, match="1001 properties and tags, at most 1000"):
            entities.propose_patch(inventory, asset, read_patch({"tag.x": 1}), 1)


def test_another_tenants_entity_is_never_found(store) -> None:
    with opened(store) as inventory:
        asset = entity(inventory, "k")
    with opened(store, make_bundle("globex")) as inventory:
        assert entities.find(inventory, [asset.id]) == {}
        assert entities.find_by_key(inventory, "api", "", "k") is None
        assert entity(inventory, "k").id != asset.id


def test_a_session_of_another_tenant_is_refused(store) -> None:
    bundle = make_bundle("globex")
    with store.session("acme") as session, pytest.raises(ValueError, match="not one of `globex`"):
        open_inventory(store, session, bundle)


def test_what_changed_since_it_was_read_is_a_conflict(store) -> None:
    with opened(store) as inventory:
        asset = entity(inventory, "k", n=1)
        stale = entities.propose_patch(inventory, asset, read_patch({"n": 2}), 2_000)
        entity(inventory, "k", n=3)
        with pytest.raises(Conflict, match="changed by another"):
            entities.store(inventory, stale)
        with pytest.raises(Conflict, match="changed by another"):
            entities.remove(inventory, asset, 3_000)


def test_two_creators_of_one_key_meet_as_a_conflict(store) -> None:
    with opened(store) as inventory:
        draft = read_entity(parse(_key="k", _type="host", _class="Host"))
        late = entities.propose(inventory, draft, 1_000)
        entity(inventory, "k")
        with pytest.raises(Conflict, match="created by another"):
            entities.store(inventory, late)
        # the rest of the transaction outlives it
        entity(inventory, "other")
    with opened(store, write=False) as inventory:
        assert entities.find_by_key(inventory, "api", "", "other")


def test_no_update_of_writers_that_run_at_once_is_lost(store) -> None:
    bundle = make_bundle()
    with opened(store, bundle) as inventory:
        asset = entity(inventory, "k", n=0)
    failed: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(10):
                with opened(store, bundle) as inventory:
                    before = entities.find(inventory, [asset.id], lock=True)[asset.id]
                    patch = read_patch({"n": int(before.properties["n"]) + 1})  # type: ignore[call-overload]
                    entities.store(inventory, entities.propose_patch(inventory, before, patch, 2_000))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with opened(store, bundle, write=False) as inventory:
        after = entities.find(inventory, [asset.id])[asset.id]
    assert after == replace(asset, properties={"n": 40}, version=41, begin_on=2_000)


def test_writers_of_one_key_wait_for_each_other(store) -> None:
    bundle = make_bundle()
    with opened(store, bundle) as inventory:
        asset = entity(inventory, "k", n=0)
    failed: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(1, 11):
                with opened(store, bundle) as inventory:
                    entity(inventory, "k", 2_000, **{name: number})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with opened(store, bundle, write=False) as inventory:
        assert entities.find(inventory, [asset.id])[asset.id].version == 41
