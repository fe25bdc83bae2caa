"""What stored relationships draw by `relationships.yaml`: parents and entity-valued attributes."""

from __future__ import annotations

from collections.abc import Collection

from policy_service.assets.asset import Edges
from policy_service.assets.inventory import Inventory
from policy_service.model import Uid


def fetch_edges(inventory: Inventory, uids: Collection[Uid]) -> dict[Uid, Edges]:
    """The edges of each of the entities. `Unavailable` where there are more than can be looked at."""
    raise NotImplementedError
