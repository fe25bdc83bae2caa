"""A tenant's assets as one session sees them: what every function of this room starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from policy_service.assets.restricted import Sealing
from policy_service.model import Uid
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store


@dataclass(frozen=True, slots=True)
class Inventory:
    """One session of the store, and the bundle that says which types are files', which properties are restricted
    and which relationships are drawn."""

    session: Session
    bundle: Bundle
    sealing: Sealing
    _keys: dict[tuple[str, str, str], list[Uid]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def account(self) -> str:
        """The tenant whose assets these are."""
        return self.bundle.tenant

    @property
    def entities_file(self) -> str:
        """The file whose types are not stored."""
        return f"tenants/{self.account}/entities.json"

    @property
    def file_keys(self) -> Mapping[tuple[str, str, str], list[Uid]]:
        """The entities of the file that have a `key`, by source, scope and key, as their attributes say."""
        if not self._keys:
            for uid, entity in self.bundle.entities.items():
                source, scope, key = (entity.attributes.get(name, "") for name in ("source", "scope", "key"))
                if key and isinstance(source, str) and isinstance(scope, str) and isinstance(key, str):
                    self._keys.setdefault((source, scope, key), []).append(uid)
        return self._keys


def open_inventory(store: Store, session: Session, bundle: Bundle) -> Inventory:
    """The inventory of a session that `store` opened for the bundle's tenant; another's is a `ValueError`."""
    if session.info.get("account") != bundle.tenant:
        raise ValueError(f"the session is not one of `{bundle.tenant}`")
    keys = store.keys if store.backend == "postgresql" else None
    return Inventory(session, bundle, Sealing(bundle.tenant, bundle.restricted, keys))
