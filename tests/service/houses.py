"""The service in this process over folders of its own: real bundles, keys and log, rebuilt when a test says so."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from policy_service.access.authorize import Batch, Service, authorize
from policy_service.audit.decision_log import DecisionLog
from policy_service.audit.reader import read
from policy_service.audit.sealer import Sealer
from policy_service.bundles.current import Bundles
from policy_service.config import Settings
from policy_service.errors import PolicyServiceError, RequestError
from policy_service.identity import keys
from policy_service.identity.keys import KeyRing
from policy_service.model import Caller, Decision, Request
from policy_service.store.opening import open_store
from tests.unit.bundles.folders import fill as fill

ROOT = Path(__file__).parents[2]


class House:
    """A service over `<folder>/policies` (the platform's own), `<folder>/tenants` and `<folder>/data`."""

    def __init__(self, folder: Path, quiet: float = 0.0, watch: bool = False) -> None:
        shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("cases"))
        (folder / "tenants").mkdir()
        self.settings = Settings(folder / "policies", folder / "tenants", folder / "data")
        self.bundles = Bundles(self.settings, quiet=quiet)
        if watch:
            self.bundles.start()
        self.keys = KeyRing(self.settings.tenants)
        self.store = open_store(self.settings)
        self.log_folder = self.settings.data / "log"
        self.log = self._open_log()

    def _open_log(self) -> DecisionLog:
        return DecisionLog(self.log_folder, self.store.keys, segment_bytes=1 << 26, keep_bytes=1 << 30, keep_days=30)

    def turn_page(self, name: str) -> None:
        """Go on with an empty log."""
        self.log.close()
        self.log_folder = self.settings.data / name
        self.log = self._open_log()

    def close(self) -> None:
        self.bundles.close()
        self.store.close()
        self.log.close()

    def folder(self, tenant: str) -> Path:
        return self.settings.tenants / tenant

    def new_key(self, tenant: str, **options: Any) -> str:
        return keys.create(self.settings.tenants, tenant, now=time.time(), **options)[0]

    def find(self, token: str, tenant: str | None = None) -> Caller:
        return self.keys.find(token, tenant=tenant, now=time.time())

    def ask(
        self, caller: Caller | str, requests: Sequence[Request | RequestError], request_id: str = "r", **options: Any
    ) -> tuple[str, list[Decision | RequestError]]:
        """Version and decisions of one batch."""
        known = caller if isinstance(caller, Caller) else Caller(caller, "key", frozenset({"decide"}))
        service = Service(self.settings, self.bundles, self.keys, self.log, self.store, Sealer(self.store))
        return authorize(service, known, Batch(requests, request_id, **options))

    def try_to_ask(self, tenant: str, requests: Sequence[Request]) -> None:
        """Ask where it may be that nothing answers."""
        with suppress(PolicyServiceError):
            self.ask(tenant, requests)

    def take(self, tenant: str) -> None:
        """Take in what the files of a tenant are now, as the watch does."""
        if self.folder(tenant).exists():
            self.bundles.rebuild(tenant)
        else:
            self.bundles.entries.drop(tenant)

    def records(self, tenant: str | None = None) -> list[Mapping[str, Any]]:
        """What the log holds; fails where a line can't be read."""
        unreadable: list[str] = []
        found = list(read(self.log_folder, self.store.keys, tenant=tenant, report=unreadable.append))
        assert not unreadable
        return found


def clear(folder: Path) -> None:
    """Take a tenant's folder away, or the link in its place."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def tell(decision: Decision | RequestError) -> tuple[Any, ...]:
    """All that a decision says, as something that compares; cedarpy gives reasons in no order."""
    if isinstance(decision, RequestError):
        return ("refused", str(decision))
    errors = {(failure.policy, failure.why) for failure in decision.errors}
    return decision.allowed, set(decision.reasons), errors, decision.version, set(decision.unsatisfied)
