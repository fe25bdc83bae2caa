"""Where stored entities come from: the one seam behind which a tenant's files and its store are one.

What is pure about facts is in `policy.facts`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from policy_service.access.ownership import Owners
from policy_service.assets.facts import can_be_stored, fetch_entities
from policy_service.assets.inventory import Inventory, open_inventory
from policy_service.assets.types import find_types
from policy_service.errors import NoStore, UnknownTenant
from policy_service.model import Entity, Extension, Uid
from policy_service.policy.bundle import Bundle
from policy_service.store.control import State
from policy_service.store.door import SHUT, Store

if TYPE_CHECKING:
    from types import TracebackType


def fetch(bundle: Bundle, uids: Collection[Uid]) -> dict[Uid, Entity]:
    """Those of the entities that are in the tenant's `entities.json`, with their direct parents."""
    stored = bundle.entities
    return {uid: stored[uid] for uid in uids if uid in stored}


class StoredFacts:
    """The entities that the questions of one request may look at: those of the file, and those of the store.

    In a `with` block the store is entered when it is first needed, once, and not at all where the tenant has none.
    With `inventory` it is read through that one's session, which sees what the request itself has changed.
    """

    def __init__(self, store: Store, owners: Owners, bundle: Bundle, inventory: Inventory | None = None) -> None:
        self._store = store
        self._bundle = bundle
        self._inventory = inventory
        self._stack = ExitStack()
        self._stored = inventory is not None or has_store(store, bundle.tenant)
        self._known: dict[Uid, Entity] = {}
        self._owners = owners

    def __enter__(self) -> StoredFacts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inventory = None
        self._stack.__exit__(kind, error, trace)

    def fetch(self, uids: Collection[Uid]) -> Mapping[Uid, Entity]:
        """Those of the entities that exist, with their direct parents; `StoreFailed` where nobody can tell."""
        found = fetch(self._bundle, uids)
        if not self._stored:
            return found
        wanted = []
        for uid in uids:
            if uid in self._known:
                found[uid] = self._known[uid]
            elif can_be_stored(self._bundle, uid):
                wanted.append(uid)
        return {**found, **fetch_entities(self._enter(), wanted)} if wanted else found

    def inventory(self) -> Inventory | None:
        """The store, entered as for `fetch`; none where the tenant has none."""
        return self._enter() if self._stored else None

    def know(self, entities: Iterable[Entity]) -> None:
        """Take these as what is stored, without looking again: they were just read through the same session."""
        self._known.update((entity.uid, entity) for entity in entities if can_be_stored(self._bundle, entity.uid))

    def forget(self) -> None:
        """Look again from now on: something was changed."""
        self._known.clear()

    def contested(self) -> frozenset[str]:
        """The types that the file and the store both hold."""
        if not self._stored:
            return frozenset()
        return self._owners.contested(self._bundle, lambda types: find_types(self._enter().session, types))

    def _enter(self) -> Inventory:
        if self._inventory is None:
            session = self._stack.enter_context(self._store.session(self._bundle.tenant))
            self._inventory = open_inventory(self._store, session, self._bundle)
        return self._inventory


def is_shut(store: Store, tenant: str) -> bool:
    """Whether a tenant is suspended or erased, so that its keys are as good as wrong ones."""
    return tenant in store.shut()


def has_store(store: Store, tenant: str) -> bool:
    """Whether facts of a tenant are in a store too.

    `NoStore` while it is being made: what is there is not all. `UnknownTenant` where the tenant is suspended or
    erased, which to the holder of its keys is as if they were wrong.
    """
    state = store.state(tenant)
    if state is None or state is State.ACTIVE:
        return state is not None
    if state in SHUT:
        raise UnknownTenant(f"the tenant `{tenant}` is {state}")
    raise NoStore(f"the store of `{tenant}` is being made, try again when it is")


def now() -> Extension:
    """What `context.now` says: the time as Cedar reads it, in UTC with milliseconds."""
    return Extension("datetime", datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
