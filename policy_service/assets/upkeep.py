"""Rebuilding in the background: a thread that looks every few seconds whether files of tenants in use ask for more."""

from __future__ import annotations

import logging
import threading
import time
import weakref

from policy_service.assets.layout import Wish, read_wish
from policy_service.assets.rebuilding import is_due, rebuild
from policy_service.bundles.current import Bundles
from policy_service.errors import NoStore, StoreFailed
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store

LOOK_SECONDS = 2.0
# what was in order is looked at again after this long: another process may have left it half done
AGAIN_SECONDS = 60.0
_LOG = logging.getLogger(__name__)


class Upkeep:
    """Rebuilds for the tenants whose bundles are held, one at a time; it ends when the bundles are closed.

    A change of files is rebuilt for once two looks in a row have seen it: workers load it at different times.
    """

    def __init__(self, store: Store, bundles: Bundles, *, seconds: float = LOOK_SECONDS) -> None:
        self._store = store
        self._bundles = weakref.ref(bundles)
        self._seconds = seconds
        self._in_order: dict[str, tuple[Wish, float]] = {}
        self._seen: dict[str, Wish] = {}
        self._told: set[str] = set()

    def start(self) -> threading.Thread:
        """Look from now on, in this thread."""
        thread = threading.Thread(target=self._run, name="assets-upkeep", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds)
            bundles = self._bundles()
            if bundles is None or not bundles.is_watching:
                return
            for bundle in bundles.ready():
                if not bundles.is_watching:
                    return
                self.look(bundle)
            del bundles

    def look(self, bundle: Bundle) -> None:
        """See to one tenant; whatever goes wrong is told once and tried again."""
        try:
            self._look(bundle)
            self._told.discard(bundle.tenant)
        except (NoStore, StoreFailed) as error:
            # it is shut, or another process does it
            _LOG.info("%s", error)
        except Exception:
            if bundle.tenant not in self._told:
                _LOG.exception("what lists of `%s` start from can't be rebuilt, it is tried again", bundle.tenant)
            self._told.add(bundle.tenant)

    def _look(self, bundle: Bundle) -> None:
        tenant, wish = bundle.tenant, read_wish(bundle)
        known = self._in_order.get(tenant)
        if known is not None and known[0] == wish and time.monotonic() < known[1]:
            return
        self._in_order.pop(tenant, None)
        if self._store.has_store(tenant):
            with self._store.session(tenant) as session:
                due = is_due(session, wish)
            if due and self._seen.get(tenant) != wish:
                self._seen[tenant] = wish
                return
            if due:
                rebuild(self._store, bundle)
        self._seen.pop(tenant, None)
        self._in_order[tenant] = wish, time.monotonic() + AGAIN_SECONDS
