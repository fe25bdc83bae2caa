"""Relationships on both databases: their ends, what goes with an entity, circles of parents."""

from __future__ import annotations

import json
import random
import string
import threading
from contextlib import ExitStack
from itertools import pairwise

import pytest

from policy_service.assets import entities, relationships
from policy_service.assets.asset import render
from policy_service.assets.drafts import read_patch, read_relationship
from policy_service.errors import Conflict, RequestError
from policy_service.model import Uid
from tests.unit.assets.inventories import entity, make_bundle, opened, parse, relationship

TEAM = ("Team", "red")


def draft(**members):
    return read_relationship(parse(**{"_key": "r", "_type": "uses", "_class": "USES", **members}))


def test_the_ends_are_shown(store) -> None:
    with opened(store) as inventory:
        host = entity(inventory, "h", _type="acme-host")
        made = relationship(inventory, "team_owns_host", TEAM, host, note="x")
        assert made.kind == "relationship"
    with opened(store, write=False) as inventory:
        assert relationships.find(inventory, [made.id]) == {made.id: made}
        assert relationships.find_by_key(inventory, "api", "", made.key) == made
        assert entities.find(inventory, [made.id]) == {}
    shown = render(made, "acme")
    assert shown["_class"] == "OWNS"
    assert (shown["_fromEntityType"], shown["_fromEntityId"]) == TEAM
    assert (shown["_toEntityType"], shown["_toEntityId"]) == ("acme-host", host.id)
    assert made.to == host.uid


@pytest.mark.parametrize(
    ("sent", "uid"),
    [
        ({"Key": "a"}, "a"),
        ({"Key": "b", "Scope": "eu"}, "b"),
        ({"Key": "red", "Source": "hr"}, Uid("Team", "red")),
        ({"Id": "red", "Type": "Team"}, Uid("Team", "red")),
    ],
)
def test_an_end_is_found(store, sent, uid) -> None:
    with opened(store) as inventory:
        known = {"a": entity(inventory, "a"), "b": entity(inventory, "b", _scope="eu")}
        other = entity(inventory, "other")
        named = {f"_fromEntity{part}": value for part, value in sent.items()}
        edit = relationships.propose(inventory, draft(**named, _toEntityId=other.id), 1)
        assert edit.after is not None
        assert edit.after.from_ == (known[uid].uid if isinstance(uid, str) else uid)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"Key": "nothing"}, "there is no entity `nothing`, make it first"),
        ({"Key": "b"}, "there is no entity `b`"),
        ({"Key": "a", "Source": "hr"}, "there is no entity `a` of source `hr`"),
        ({"Key": "gone"}, "there is no entity `gone`"),
        ({"Id": "red"}, "there is no entity `red`"),
        ({"Id": "red", "Type": "Group"}, "there is no entity `Group` `red`"),
        ({"Key": "twice", "Source": "hr"}, r"is the key of `Team:t1` and of `Team:t2` in tenants/acme/entities\.json"),
    ],
)
def test_an_end_that_is_missing_is_a_conflict(store, sent, told) -> None:
    filed = """[{"uid": {"type": "Team", "id": "t1"}, "attrs": {"key": "twice", "source": "hr"}},
                {"uid": {"type": "Team", "id": "t2"}, "attrs": {"key": "twice", "source": "hr"}},
                {"uid": {"type": "Team", "id": "red"}}]"""
    with opened(store, make_bundle(filed=filed)) as inventory:
        entity(inventory, "a")
        entity(inventory, "b", _scope="eu")
        entities.remove(inventory, entity(inventory, "gone"), 1)
        named = {f"_fromEntity{part}": value for part, value in sent.items()}
        with pytest.raises(Conflict, match=told):
            relationships.propose(inventory, draft(**named, _toEntityKey="a"), 1)


def test_an_end_whose_id_fits_no_index_is_a_conflict(store) -> None:
    short, long = ("".join(random.Random(1).choices(string.ascii_letters, k=size)) for size in (1600, 1601))
    filed = json.dumps([{"uid": {"type": "Team", "id": id_}} for id_ in (short, long)])
    with opened(store, make_bundle(filed=filed)) as inventory:
        entity(inventory, "a")
        relationship(inventory, "uses", ("Team", short), ("Team", short), _key="short")
        with pytest.raises(Conflict, match=r"an id of more than 1600 bytes.* in tenants/acme/entities\.json"):
            relationships.propose(inventory, draft(_fromEntityKey="a", _toEntityId=long, _toEntityType="Team"), 1)


def test_an_id_of_another_type_is_missing(store) -> None:
    with opened(store) as inventory:
        a = entity(inventory, "a")
        with pytest.raises(Conflict, match="there is no entity `user`"):
            relationships.propose(inventory, draft(_fromEntityId=a.id, _fromEntityType="user", _toEntityKey="a"), 1)


def test_another_tenants_entity_is_no_end(store) -> None:
    with opened(store, make_bundle("globex")) as inventory:
        foreign = entity(inventory, "a")
    with opened(store) as inventory:
        entity(inventory, "b")
        with pytest.raises(Conflict, match="there is no entity"):
            relationships.propose(inventory, draft(_fromEntityId=foreign.id, _toEntityKey="b"), 1)


def test_ends_and_class_stay_one(store) -> None:
    with opened(store) as inventory:
        a, b = entity(inventory, "a"), entity(inventory, "b")
        made = relationship(inventory, "uses", a, b)
        same = draft(_key=made.key, _fromEntityKey="a", _toEntityId=b.id, _class="OWNS", note=1)
        assert relationships.propose_update(inventory, made, same, 2).after.version == 2  # type: ignore[union-attr]
        turned = draft(_key=made.key, _fromEntityKey="b", _toEntityKey="b")
        with pytest.raises(Conflict, match="goes from another entity than `b`"):
            relationships.propose_update(inventory, made, turned, 2)
        with pytest.raises(Conflict, match="goes from another entity"):
            relationships.propose(inventory, turned, 2)
        with pytest.raises(RequestError, match="one `_class`"):
            relationships.propose_patch(inventory, made, read_patch({"_class": ["A", "B"]}), 2)
        edit = relationships.store(
            inventory, relationships.propose_patch(inventory, made, read_patch({"_class": "RUNS", "n": 1}), 2)
        )
        assert relationships.find(inventory, [made.id]) == {made.id: edit.after}


def test_a_relationship_goes_with_its_entity(store) -> None:
    with opened(store) as inventory:
        a, b, c = (entity(inventory, key) for key in "abc")
        gone = [relationship(inventory, "uses", a, b), relationship(inventory, "uses", c, a)]
        stays = relationship(inventory, "uses", b, c)
    with opened(store) as inventory:
        edits = entities.remove(inventory, a, 2_000)
        assert {edit.before.id for edit in edits if edit.before} == {a.id, *(row.id for row in gone)}
        assert edits[0].before == a
    with opened(store) as inventory:
        assert list(relationships.find(inventory, [stays.id, *(row.id for row in gone)])) == [stays.id]
        [edit] = relationships.remove(inventory, stays, 3_000)
        assert edit.after is None
        assert relationships.find(inventory, [stays.id]) == {}
        back = relationship(inventory, "uses", c, b, 4_000, _key=stays.key)
        assert (back.id, back.version, back.from_) == (stays.id, 2, c.uid)
        assert relationships.find(inventory, [stays.id]) == {stays.id: back}


def test_an_entity_with_too_many_relationships_is_not_deleted(store, monkeypatch) -> None:
    monkeypatch.setattr(entities, "MOST_REMOVED", 1)
    with opened(store) as inventory:
        a, b, c = (entity(inventory, key) for key in "abc")
        relationship(inventory, "uses", a, b)
        relationship(inventory, "uses", a, c)
        assert len(entities.remove(inventory, c, 1)) == 2
        relationship(inventory, "uses", b, a)
        with pytest.raises(Conflict, match="more than 1 relationships"):
            entities.remove(inventory, a, 1)


def test_a_deletion_meanwhile_leaves_nothing_dangling(store) -> None:
    """Whoever is first, no relationship is left of an entity that is gone."""
    bundle = make_bundle()
    with opened(store, bundle) as inventory:
        a, b = entity(inventory, "a"), entity(inventory, "b")
    told: list[BaseException] = []
    with ExitStack() as stack:
        first = stack.enter_context(opened(store, bundle))
        relationships.propose(first, draft(_fromEntityKey="a", _toEntityKey="b"), 1)

        def delete() -> None:
            try:
                with opened(store, bundle) as inventory:
                    held = entities.find(inventory, [a.id], lock=True)[a.id]
                    told.append(AssertionError(len(entities.remove(inventory, held, 2))))
            except BaseException as error:
                told.append(error)

        thread = threading.Thread(target=delete)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "the end is locked"
        relationships.store(first, relationships.propose(first, draft(_fromEntityKey="a", _toEntityKey="b"), 1))
    thread.join()
    assert [str(error) for error in told] == ["2"]
    assert b


@pytest.mark.parametrize("length", [1, 2, 3, 12])
def test_parents_in_a_circle_are_refused(store, length) -> None:
    with opened(store) as inventory:
        zones = [entity(inventory, f"z{number}", _type="zone") for number in range(length)]
        for below, above in pairwise(zones):
            relationship(inventory, "host_in_zone", below, above)
        # what draws no parent may go round
        relationship(inventory, "uses", zones[-1], zones[0])
        with pytest.raises(Conflict, match="parents in a circle: `zone:") as error:
            relationship(inventory, "host_in_zone", zones[-1], zones[0])
        named = str(error.value).split(": ", 1)[1].split(",")[0].split(" in ")
        assert named[0] == named[-1]
        assert len(named) == min(length + 1, 9)


def test_a_circle_through_the_file_is_refused(store) -> None:
    with opened(store, make_bundle(filed="[]")) as inventory:
        host, zone = entity(inventory, "h"), entity(inventory, "z", _type="zone")
        relationship(inventory, "host_in_zone", zone, host)
    filed = f"""[{{"uid": {{"type": "Team", "id": "red"}}, "parents": [{{"type": "Org", "id": "acme"}}]}},
      {{"uid": {{"type": "Org", "id": "acme"}}, "parents": [{{"type": "zone", "id": "{zone.id}"}}]}}]"""
    told = r"circle: `host:.*` in `Team:red` in `Org:acme` in `zone:.*` in `host:"
    with opened(store, make_bundle(filed=filed)) as inventory, pytest.raises(Conflict, match=told):
        relationship(inventory, "team_owns_host", TEAM, host)


def test_a_hierarchy_has_a_size(store, monkeypatch) -> None:
    from policy_service.assets import circles

    monkeypatch.setattr(circles, "MOST_ANCESTORS", 2)
    with opened(store) as inventory:
        zones = [entity(inventory, f"z{number}", _type="zone") for number in range(5)]
        for below, above in ((1, 2), (2, 3)):
            relationship(inventory, "host_in_zone", zones[below], zones[above])
        with pytest.raises(Conflict, match="more than 2 ancestors"):
            relationship(inventory, "host_in_zone", zones[0], zones[1])


def test_no_more_is_drawn_onto_an_entity_than_one_look_finds(store, monkeypatch) -> None:
    from policy_service.assets import circles, edges

    for module in (circles, edges):
        monkeypatch.setattr(module, "MOST_DRAWN", 2)
    with opened(store) as inventory:
        host, other = entity(inventory, "h1"), entity(inventory, "h2")
        zones = [entity(inventory, f"z{number}", _type="zone") for number in range(3)]
        for zone in zones[:2]:
            relationship(inventory, "host_in_zone", host, zone)
        with pytest.raises(Conflict, match="has 2 ancestors and drawn values"):
            relationship(inventory, "host_in_zone", host, zones[2])
        relationship(inventory, "host_in_zone", other, zones[2])
        # what draws nothing is not counted
        relationship(inventory, "likes", host, zones[2])


def test_two_halves_of_a_circle_wait_for_each_other(store) -> None:
    bundle = make_bundle()
    with opened(store, bundle) as inventory:
        a, b, c, d = (entity(inventory, key, _type="zone") for key in "abcd")
        relationship(inventory, "host_in_zone", b, c)
        relationship(inventory, "host_in_zone", d, a)
    told: list[str] = []

    def close() -> None:
        try:
            with opened(store, bundle) as inventory:
                relationship(inventory, "host_in_zone", c, d)
        except Conflict as error:
            told.append(str(error))

    with opened(store, bundle) as inventory:
        relationship(inventory, "host_in_zone", a, b)
        thread = threading.Thread(target=close)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join()
    assert ["parents in a circle" in sentence for sentence in told] == [True]


def test_nothing_is_drawn_onto_an_entity_of_the_file(store) -> None:
    with opened(store) as inventory:
        host = entity(inventory, "h")
        for type_, ends in (("host_in_zone", (TEAM, host)), ("team_owns_host", (host, TEAM))):
            with pytest.raises(Conflict, match=r"`Team:red`, of which tenants/acme/entities\.json alone speaks"):
                relationship(inventory, type_, *ends)
        relationship(inventory, "uses", host, TEAM)


def test_only_its_own_relationships_go_with_an_entity(store) -> None:
    with opened(store) as inventory:
        a, b = entity(inventory, "a"), entity(inventory, "b")
    filed = f'[{{"uid": {{"type": "Team", "id": "{a.id}"}}}}]'
    with opened(store, make_bundle(filed=filed)) as inventory:
        stays = [relationship(inventory, "uses", b, ("Team", a.id)), relationship(inventory, "uses", ("Team", a.id), b)]
        assert len(entities.remove(inventory, a, 2_000)) == 1
        assert len(relationships.find(inventory, [row.id for row in stays])) == 2
