"""A desk over each of the databases."""

from __future__ import annotations

import pytest

from policy_service.store.door import Store
from tests.unit.access.desks import Desk, open_desk


@pytest.fixture
def desk(store: Store) -> Desk:
    return open_desk(store)
