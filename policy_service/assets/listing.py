"""Pages of assets, in the order of their ids."""

from __future__ import annotations

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.inventory import Inventory


def page(
    inventory: Inventory, kind: Kind, *, type_: str = "", class_: str = "", after: str = "", limit: int = 100
) -> list[Asset]:
    """At most `limit` assets whose ids come after `after`, by type and class where they are given, deleted ones not."""
    raise NotImplementedError
