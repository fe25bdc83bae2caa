"""Where stored entities come from: the file for its types, the store for the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from policy_service.access.facts import StoredFacts, fetch, has_store
from policy_service.access.ownership import Owners
from policy_service.errors import NoStore, StoreFailed, UnknownTenant
from policy_service.model import Entity, Uid
from policy_service.store.control import State
from tests.property.files import make_bundle
from tests.unit.access.desks import Desk

STORED = "00000000-0000-5000-8000-000000000000"
ENTITIES = [
    {"uid": {"type": "doc", "id": "a"}, "attrs": {"x": 1}, "parents": [{"type": "folder", "id": "f"}]},
    {"uid": {"type": "folder", "id": "f"}, "parents": [{"type": "folder", "id": "g"}]},
]


class FakeStore:
    """A store in some state, which fails when it is entered."""

    def __init__(self, state: State | None) -> None:
        self._state = state
        self.entered = 0

    def state(self, tenant: str) -> State | None:
        return self._state

    @contextmanager
    def session(self, tenant: str) -> Iterator[Any]:
        self.entered += 1
        raise StoreFailed("the store can't be reached")
        yield


def facts(store: FakeStore, files: dict[str, str] | None = None) -> StoredFacts:
    return StoredFacts(store, Owners(), make_bundle(files or {}))  # type: ignore[arg-type]


def test_those_of_the_file_are_given_with_their_direct_parents() -> None:
    bundle = make_bundle({"entities.json": json.dumps(ENTITIES), "groups.csv": "g, doc:a, group:x, acme\n"})
    known, missing = Uid("doc", "a"), Uid("doc", "b")
    assert fetch(bundle, [known, missing]) == {known: Entity(known, {"x": 1}, frozenset({Uid("folder", "f")}))}
    assert fetch(bundle, []) == {}


def test_another_tenant_s_are_not_there() -> None:
    uid = Uid("doc", "a")
    own = make_bundle({"entities.json": '[{"uid": {"type": "doc", "id": "a"}}]'})
    other = make_bundle({}, "citadel")
    assert set(fetch(own, [uid])) == {uid}
    assert fetch(other, [uid]) == {}


def test_a_tenant_without_a_store_never_enters_one() -> None:
    store = FakeStore(None)
    with facts(store, {"entities.json": json.dumps(ENTITIES)}) as stored:
        assert stored.fetch([Uid("host", STORED)]) == {}
        assert stored.contested() == frozenset()
    assert store.entered == 0


def test_what_no_store_can_hold_is_not_looked_for() -> None:
    store = FakeStore(State.ACTIVE)
    with facts(store) as stored:
        assert stored.fetch([Uid("user", "alice"), Uid("Group", "Users"), Uid("Action", "read")]) == {}
    assert store.entered == 0


def test_where_the_store_fails_nothing_is_known() -> None:
    with pytest.raises(StoreFailed), facts(FakeStore(State.ACTIVE)) as stored:
        stored.fetch([Uid("host", STORED)])
    with pytest.raises(StoreFailed), facts(FakeStore(State.ACTIVE), {"entities.json": json.dumps(ENTITIES)}) as stored:
        stored.contested()


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (None, False),
        (State.ACTIVE, True),
        (State.CREATING, NoStore),
        (State.SUSPENDED, UnknownTenant),
        (State.ERASING, UnknownTenant),
        (State.ERASED, UnknownTenant),
    ],
)
def test_a_tenant_in_each_state(state: State | None, outcome: bool | type[Exception]) -> None:
    store: Any = FakeStore(state)
    if isinstance(outcome, bool):
        assert has_store(store, "acme") is outcome
    else:
        with pytest.raises(outcome):
            has_store(store, "acme")


def test_the_decision_api_sees_what_is_stored(desk: Desk) -> None:
    desk.write_files({"own.cedar": '@id("o") permit(principal, action, resource) when { resource.open };'})
    id_ = desk.make("web-1", open=True)
    assert desk.decide("bob", "look", "host", id_).allowed
    # it is of one type, and of one tenant
    assert not desk.decide("bob", "look", "disk", id_).allowed
    desk.write_files({"own.cedar": '@id("o") permit(principal, action, resource) when { resource.open };'}, "globex")
    assert not desk.decide("bob", "look", "host", id_, "globex").allowed
    desk.ask("ada", "PATCH", f"/entities/{id_}", {"open": False})
    assert not desk.decide("bob", "look", "host", id_).allowed
