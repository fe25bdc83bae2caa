"""One store of each kind for all tests of a file, emptied after each: a new database for each costs seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from policy_service.store.door import Store
from policy_service.store.tables import BlindRow, ElementRow, EntityRow, KindRow, LayoutRow, RelationshipRow
from tests.stores import KINDS, TENANTS, make_place


@pytest.fixture(scope="module", params=KINDS)
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with the tenants `acme` and `globex`."""
    with make_place(request.param, tmp_path_factory.mktemp("store"), request) as place:
        opened = place.open()
        yield opened
        opened.close()


@pytest.fixture
def store(shared_store: Store) -> Iterator[Store]:
    """The same store, empty."""
    yield shared_store
    for tenant in TENANTS:
        with shared_store.session(tenant, write=True) as session:
            for rows in (ElementRow, BlindRow, RelationshipRow, EntityRow, KindRow, LayoutRow):
                session.execute(delete(rows).where(rows.account_id == tenant))
