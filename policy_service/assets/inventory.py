"""A tenant's assets as one session sees them: what every function of this room starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from policy_service.assets.restricted import Sealing
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store


@dataclass(frozen=True, slots=True)
class Inventory:
    """One session of the store, and the bundle that says which types are files', which properties are restricted
    and which relationships are drawn."""

    session: Session
    bundle: Bundle
    sealing: Sealing
    _kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def account(self) -> str:
        """The tenant whose assets these are."""
        return self.bundle.tenant


def open_inventory(store: Store, session: Session, bundle: Bundle) -> Inventory:
    """The inventory of a session that `store` opened for the bundle's tenant; another's is a `ValueError`."""
    raise NotImplementedError
