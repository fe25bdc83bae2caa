"""Fixtures of tenancy's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from policy_service.store.door import Store
from tests.stores import Place
from tests.unit.tenancy.estates import Estate, make_estate


@pytest.fixture
def estate(place: Place, tmp_path: Path) -> Estate:
    """A service's folders, on each database."""
    return make_estate(place, tmp_path)


@pytest.fixture
def owner(estate: Estate) -> Iterator[Store]:
    """Its store, as the owner opens it."""
    with estate.owner() as store:
        yield store
