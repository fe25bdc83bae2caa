"""Stores under attack. Those of a module are shared by its tests, which undo what they take out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from policy_service.store.door import Store
from tests.store.rows import fill_both
from tests.stores import KINDS, Place, make_place


@dataclass(frozen=True)
class Town:
    """A place, and the store that is open there, with the rows of two tenants."""

    place: Place
    store: Store

    def own(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements on its PostgreSQL as a superuser, and return the rows of the last."""
        assert self.place.cluster is not None
        found: list[tuple[object, ...]] = []
        for statement in statements:
            found = self.place.cluster.execute(statement, self.place.database)
        return found


def _make(kind: str, factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Town]:
    with make_place(kind, factory.mktemp("town"), request) as place:
        store = place.open()
        try:
            fill_both(store)
            yield Town(place, store)
        finally:
            store.close()


@pytest.fixture(scope="module", params=KINDS)
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """On each database."""
    yield from _make(request.param, tmp_path_factory, request)


@pytest.fixture(scope="module")
def village(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """On PostgreSQL."""
    yield from _make("postgresql", tmp_path_factory, request)


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """On files."""
    yield from _make("sqlite", tmp_path_factory, request)
