"""A tenant's assets as one session sees them: what every function of this room starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from policy_service.assets.asset import Kind
from policy_service.assets.elements import Root
from policy_service.assets.layout import Layout
from policy_service.assets.layout_row import read_layout
from policy_service.assets.restricted import Sealing
from policy_service.model import Uid
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store


@dataclass(slots=True)
class Memory:
    """What a session knows of its tenant.

    layout      what is in force, once it was read
    kinds       the kinds of values that were found, by the kind of asset, then by root and name
    grown_in    the part of the transaction in which kinds were written last
    is_ordered  whether the session has the hierarchy to itself
    """

    layout: Layout | None = None
    kinds: dict[Kind, dict[tuple[Root, str], int]] = field(default_factory=dict)
    grown_in: object = None
    is_ordered: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """One session of the store, and the bundle that says which types are files' and which properties are restricted."""

    session: Session
    bundle: Bundle
    sealing: Sealing
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)
    _keys: dict[tuple[str, str, str], list[Uid]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def account(self) -> str:
        """The tenant whose assets these are."""
        return self.bundle.tenant

    @property
    def layout(self) -> Layout:
        """Which drawings are in force and which properties are indexed; `NoStore` where that is still being made."""
        if self.memory.layout is None:
            self.memory.layout = read_layout(self.session, self.bundle)
        return self.memory.layout

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


def open_inventory(store: Store, session: Session, bundle: Bundle, layout: Layout | None = None) -> Inventory:
    """The inventory of a session that `store` opened for the bundle's tenant; another's is a `ValueError`.

    With `layout` that is taken for the one in force. `NoStore` where the session is to write and its layout is still
    being made.
    """
    if session.info.get("account") != bundle.tenant:
        raise ValueError(f"the session is not one of `{bundle.tenant}`")
    keys = store.keys if store.backend == "postgresql" else None
    sealing = Sealing(bundle.tenant, bundle.restricted, keys)
    inventory = Inventory(session, bundle, sealing, Memory(layout))
    if layout is None and session.info["write"]:
        # before any part of the transaction begins: what is locked in one is let go with it
        inventory.memory.layout = read_layout(session, bundle)
    return inventory
