"""Fixtures that every test may ask for: a place for a store, and a store, on both databases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from policy_service.store.door import Store
from tests.stores import KINDS, Cluster, Place, make_place, start_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for all tests of a process; not below pytest's folder, which is root's alone where root tests."""
    with (
        tempfile.TemporaryDirectory(prefix="policy-pg-") as folder,
        start_cluster(Path(folder), durable=False) as running,
    ):
        yield running


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a store can be made, on each database; it has no tenants yet."""
    with make_place(request.param, tmp_path, request) as made:
        yield made


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """A store with the tenants `acme` and `globex`, as a server opens it, on each database."""
    opened = place.open()
    try:
        yield opened
    finally:
        opened.close()
