"""Why nothing can be said of all rows at once: what a tenant's files and its store say together can't be."""

from __future__ import annotations

from policy_service.access.facts import StoredFacts
from policy_service.assets.circles import is_circular
from policy_service.assets.inventory import Inventory
from policy_service.policy.residual.filter import Opaque

_CONTESTED = "a type is in `entities.json` and in the store"
_CIRCULAR = "`relationships.yaml` and `entities.json` make some entity its own ancestor"


def find_doubt(stored: StoredFacts, inventory: Inventory) -> Opaque | None:
    """What decisions deny that meet it, whatever policies say, so that each has to be asked for; none mostly."""
    if stored.contested():
        return Opaque(_CONTESTED)
    return Opaque(_CIRCULAR) if is_circular(inventory) else None
