"""The bundle that answers now: loaded on first use, swapped when files change, the last good one when they break."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from policy_service.bundles.candidates import is_empty, platform_candidate, renew, tenant_candidate
from policy_service.bundles.entries import Entries, Entry
from policy_service.bundles.last_good import PLATFORM, Store
from policy_service.bundles.load import PLATFORM_ROOT, Part, find_folder, list_tenants, tenant_root
from policy_service.bundles.quiet import QUIET, read_quiet, read_still
from policy_service.bundles.revision import Revision, find_revision, look_at_head
from policy_service.bundles.sources import Source, signature
from policy_service.bundles.status import TenantStatus, describe
from policy_service.bundles.verdict import Serving, Verdict, judge
from policy_service.bundles.watch import Watch
from policy_service.config import Settings
from policy_service.errors import NoBundle, Refused, UnknownTenant
from policy_service.model import Finding, Version
from policy_service.policy.bundle import Bundle

TOLD = 20  # findings of one layer that go into the log
_LOG = logging.getLogger(__name__)
T = TypeVar("T")

__all__ = ["Bundles", "TenantStatus"]


class Bundles:
    """The bundles of one process. `start` refuses to without a platform's layer, `current` answers from then on."""

    def __init__(self, settings: Settings, quiet: float = QUIET) -> None:
        self.policies = settings.policies
        self.tenants = settings.tenants
        self.store = Store(settings.data / "bundles")
        self.entries = Entries(settings.bundles)
        self.quiet = quiet
        self._ready, self._used, self._tick = self.entries.ready, self.entries.used, self.entries.tick
        self._platform: Entry[Part] | None = None
        self._platform_lock = threading.Lock()
        # two tenants that share a lock wait for each other, and no lock is ever left behind
        self._locks = [threading.Lock() for _ in range(64)]
        self._watch: Watch | None = None

    def start(self) -> None:
        """Load the platform's layer and watch both folders; `Refused` where the layer is missing, empty or never good.

        Reads no tenant's folder: bundles load on first use.
        """
        self.platform()
        self._watch = Watch(self)
        self._watch.start()

    def close(self) -> None:
        """Stop watching."""
        if self._watch:
            self._watch.close()
            self._watch = None

    @property
    def is_watching(self) -> bool:
        """Whether the folders are watched: from `start` to `close`."""
        return self._watch is not None

    def ready(self) -> list[Bundle]:
        """The bundles that are held and can answer."""
        return list(self._ready.values())

    def current(self, tenant: str) -> Bundle:
        """The bundle that answers for a tenant now.

        Raises `UnknownTenant` where there is no folder for it, `NoBundle` where it never had a bundle that loads.
        """
        bundle = self._ready.get(tenant)
        if bundle is None:
            return self._find(tenant)
        self._used[tenant] = self._tick()
        return bundle

    def names(self) -> Iterator[str]:
        """The tenants there are folders for, unsorted, read as they are asked for."""
        return list_tenants(self.tenants)

    def status(self) -> list[TenantStatus]:
        """The platform and every tenant: those held as they answer, the others as the store knows them."""
        held: dict[str, Entry[Part] | Entry[Bundle]] = {entry.name: entry for entry in self.entries.all()}
        if self._platform:
            held[PLATFORM] = self._platform
        names = [PLATFORM, *sorted({*self.names(), *(name for name in held if name != PLATFORM)})]
        return [self._describe(name, held.get(name)) for name in names]

    def _describe(self, name: str, entry: Entry[Part] | Entry[Bundle] | None) -> TenantStatus:
        restless = self._watch is not None and self._watch.is_restless(name)
        if entry is None:
            record = self.store.read(name)
            return describe(name, record.good, record.findings, loaded=False, restless=restless)
        good = entry.serving.good if entry.serving else None
        return describe(name, good, entry.findings, loaded=True, restless=restless)

    def platform(self) -> Entry[Part]:
        """The platform's layer that answers; `Refused` where none can."""
        entry = self._platform
        if entry is not None:
            return entry
        with self._platform_lock:
            if self._platform is None:
                self._platform = self._load_platform()
            return self._platform

    def rebuild(self, name: str) -> bool:
        """Judge a folder again; false where its files moved meanwhile, so that it has to be done again."""
        if name == PLATFORM:
            return self._rebuild_platform()
        with self._lock_of(name):
            entry = self.entries.get(name)
            folder = find_folder(self.tenants, name)
            if entry is None:
                return True
            if folder is None:
                # where the root itself is away nobody can tell who is gone
                if os.path.isdir(self.tenants):
                    self.entries.drop(name)
                return True
            source = read_still(folder, tenant_root(name), self.quiet)
            if source is None:
                return False
            judged = self._judge(name, folder, source, entry.serving)
            _tell(entry, judged)
            self.entries.put(judged)
            return True

    def _find(self, tenant: str) -> Bundle:
        entry = self.entries.get(tenant)
        if entry is None:
            if find_folder(self.tenants, tenant) is None:
                raise UnknownTenant(f"there is no tenant `{tenant[:80]}`")
            platform = self.platform()
            with self._lock_of(tenant):
                entry = self.entries.get(tenant) or self._load(tenant)
            self._look_back(entry, platform)
        self._used[tenant] = self._tick()
        if entry.serving is None:
            told = entry.findings[0] if entry.findings else "its files keep changing"
            raise NoBundle(f"`{tenant}` has no bundle that loads: {told}")
        return entry.serving.what

    def _look_back(self, entry: Entry[Bundle], platform: Entry[Part]) -> None:
        """What changed before the entry was held was nobody's to watch."""
        current = self._platform is platform and signature(self.tenants / entry.name) == entry.signature
        if self._watch and not current:
            self._watch.note(entry.name)

    def _load(self, tenant: str) -> Entry[Bundle]:
        folder = find_folder(self.tenants, tenant)
        if folder is None:
            raise UnknownTenant(f"there is no tenant `{tenant[:80]}`")
        source = read_quiet(folder, tenant_root(tenant), self.quiet)
        entry = self._judge(tenant, folder, source, None)
        _tell(None, entry)
        self.entries.put(entry)
        return entry

    def _judge(self, tenant: str, folder: Path, source: Source, serving: Serving[Bundle] | None) -> Entry[Bundle]:
        platform = self.platform().serving
        if platform is None:
            raise NoBundle("the platform's layer is gone")
        candidate = tenant_candidate(self.store, folder, source, tenant, platform)
        verdict = judge(self.store, candidate, serving)
        kept = verdict.serving
        if kept is not None and kept is serving and not verdict.findings:
            revision = find_revision(folder, source.files).join(platform.what.revision)
            kept = _restamp(kept, revision)
        if kept is not None:
            kept = renew(kept, platform)
            kept = serving if serving is not None and serving.good == kept.good else kept
        return _enter(tenant, Verdict(kept, verdict.findings), source, folder, platform)

    def _load_platform(self) -> Entry[Part]:
        source = read_quiet(self.policies, PLATFORM_ROOT, self.quiet)
        if is_empty(source):
            told = source.findings or (Finding(PLATFORM_ROOT, 1, "holds no policy file"),)
            raise Refused(f"the platform's layer {self.policies} is missing or empty, put its files there", told)
        verdict = judge(self.store, platform_candidate(self.store, self.policies, source), None)
        if verdict.serving is None:
            raise Refused(f"the platform's layer {self.policies} does not load", verdict.findings)
        entry = _enter(PLATFORM, verdict, source, self.policies, None)
        _tell(None, entry)
        return entry

    def _rebuild_platform(self) -> bool:
        with self._platform_lock:
            entry = self._platform
            source = read_still(self.policies, PLATFORM_ROOT, self.quiet)
            if source is None or entry is None:
                return False
            candidate = platform_candidate(self.store, self.policies, source)
            verdict = judge(self.store, candidate, entry.serving)
            kept = verdict.serving
            if kept is not None and kept is entry.serving and not verdict.findings:
                kept = _restamp_platform(kept, find_revision(self.policies, source.files))
            self._platform = _enter(PLATFORM, Verdict(kept, verdict.findings), source, self.policies, None)
            _tell(entry, self._platform)
            return True

    def _lock_of(self, tenant: str) -> threading.Lock:
        return self._locks[hash(tenant) % len(self._locks)]


def _enter(name: str, verdict: Verdict[T], source: Source, folder: Path, platform: Serving[Part] | None) -> Entry[T]:
    try:
        known = os.stat(folder)
        identity = (known.st_dev, known.st_ino)
    except OSError:
        identity = (0, 0)
    repository = verdict.serving.repository if verdict.serving else ""
    head = look_at_head(repository) if repository else ()
    real = os.path.realpath(folder)
    return Entry(name, verdict.serving, verdict.findings, source.signature, real, identity, platform, repository, head)


def _tell(before: Entry[T] | None, entry: Entry[T]) -> None:
    """Say in the log what is wrong with files that changed, and what answers now instead of what answered."""
    if entry.findings and (before is None or before.findings != entry.findings):
        stays = "what was good before answers" if entry.serving else "nothing answers"
        _LOG.error("the files of %s are refused, %s", entry.name, stays)
        for finding in entry.findings[:TOLD]:
            _LOG.error("%s", finding)
    elif entry.serving and before is not None and before.serving is not entry.serving:
        good = entry.serving.good
        _LOG.info("%s is now %s", entry.name, Version(good.digest, good.commit, good.dirty))


def _restamp(serving: Serving[Bundle], revision: Revision) -> Serving[Bundle]:
    """The same files, of another commit; the very same where the commit is too."""
    good = serving.good._replace(commit=revision.commit, dirty=revision.dirty)
    if (good, revision.repository) == (serving.good, serving.repository):
        return serving
    version = Version(good.digest, good.commit, good.dirty)
    return Serving(replace(serving.what, version=version, version_text=str(version)), good, revision.repository)


def _restamp_platform(serving: Serving[Part], revision: Revision) -> Serving[Part]:
    if revision == serving.what.revision:
        return serving
    good = serving.good._replace(commit=revision.commit, dirty=revision.dirty)
    return Serving(replace(serving.what, revision=revision), good, revision.repository)
