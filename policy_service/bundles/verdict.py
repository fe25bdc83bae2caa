"""Which combination of layers answers: one rule for every worker, a function of the folders and the record.

What is good answers; what was refused never does, the last good one answers in its place; what nobody has judged
is judged under the lock. An edit while the service answers is judged with its cases; a first load without them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from policy_service.bundles.last_good import Store
from policy_service.bundles.record import Good, Record
from policy_service.bundles.revision import Revision
from policy_service.model import Finding
from policy_service.policy.bundle import Bundle
from policy_service.policy.trials import CaseReport, run

CASE_SECONDS = 0.5
_LOG = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Serving(Generic[T]):
    """What answers: a bundle, or a platform's layer, what is known of it, and the git repository it was read in."""

    what: T
    good: Good
    repository: str = ""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """What the folders hold now and how to make it.

    name     the tenant, or `@platform`
    seen     the combination, as `Good` names it; what is not known yet is empty
    build    parses and joins: what would answer, its revision, or findings
    gate     runs the cases
    restore  makes what answers from the stored layers of a good combination
    layers   the files by digest, to be stored
    """

    name: str
    seen: Good
    build: Callable[[], tuple[T | None, Revision, tuple[Finding, ...]]]
    gate: Callable[[T], CaseReport]
    restore: Callable[[Good], T | None]
    layers: Mapping[str, Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Verdict(Generic[T]):
    """What answers from now on, nothing where nothing can; and what is wrong with what the folders hold."""

    serving: Serving[T] | None
    findings: tuple[Finding, ...] = ()


def judge(store: Store, candidate: Candidate[T], serving: Serving[T] | None) -> Verdict[T]:
    """The verdict on what the folders hold, where `serving` answers now; nothing answers on a first load."""
    record = store.read(candidate.name)
    if record.seen == candidate.seen.digest and _is_settled(record, candidate, serving):
        return _follow(record, candidate, serving)
    with store.lock(candidate.name):
        record = store.read(candidate.name)
        if _is_settled(record, candidate, serving):
            record = record.see(candidate.seen.digest)
            _save(store, candidate, record, ())
            return _follow(record, candidate, serving)
        return _decide(store, record, candidate, serving)


def run_cases(bundle: Bundle) -> CaseReport:
    """The bundle's cases, as many as the time of the gate allows."""
    until = time.monotonic() + CASE_SECONDS
    return run(bundle, lambda: time.monotonic() >= until)


def _is_settled(record: Record, candidate: Candidate[T], serving: Serving[T] | None) -> bool:
    digest = candidate.seen.digest
    if digest in record.refused:
        return True
    good = record.good
    if good is None or good.digest != digest:
        return False
    # loaded first by another worker, without its cases, while this one answers with what was before
    return good.gated or serving is None or serving.good.digest == digest


def _follow(record: Record, candidate: Candidate[T], serving: Serving[T] | None) -> Verdict[T]:
    """Do as the record says."""
    digest = candidate.seen.digest
    if digest in record.refused:
        return Verdict(_fall_back(record, candidate, serving), record.refused[digest])
    if record.good is None or (serving and serving.good.digest == digest):
        return Verdict(serving)
    what, revision, findings = candidate.build()
    if what is None:
        # good for the release that judged it and not for this one
        return Verdict(_fall_back(record, candidate, serving), findings)
    good = record.good._replace(commit=revision.commit, dirty=revision.dirty, loaded_at=_now())
    return Verdict(Serving(what, good, revision.repository))


def _decide(store: Store, record: Record, candidate: Candidate[T], serving: Serving[T] | None) -> Verdict[T]:
    """Judge what nobody has judged, and write the verdict down. The lock is held."""
    what, revision, findings = candidate.build()
    not_run: tuple[str, ...] = ()
    live = serving is not None
    if what is not None and live:
        report = candidate.gate(what)
        findings, not_run = report.findings, report.not_run
    if what is None or findings:
        record = record.refuse(candidate.seen.digest, findings)
        _save(store, candidate, record, ())
        return Verdict(_fall_back(record, candidate, serving), findings)
    good = candidate.seen._replace(
        commit=revision.commit, dirty=revision.dirty, loaded_at=_now(), gated=live, cases_not_run=not_run
    )
    _save(store, candidate, record.accept(good), (good.platform, good.tenant))
    return Verdict(Serving(what, good, revision.repository))


def _fall_back(record: Record, candidate: Candidate[T], serving: Serving[T] | None) -> Serving[T] | None:
    """What answers in place of what was refused: the last good one, as every worker has it."""
    if record.good is None or record.good.digest == candidate.seen.digest:
        return serving
    if serving and serving.good.digest == record.good.digest:
        return serving
    what = candidate.restore(record.good)
    return serving if what is None else Serving(what, record.good)


def _save(store: Store, candidate: Candidate[T], record: Record, digests: tuple[str, ...]) -> None:
    try:
        for digest in filter(None, digests):
            store.keep(candidate.name, digest, candidate.layers[digest])
        store.write(candidate.name, record)
    except OSError as error:
        _LOG.error("the verdict on %s can't be stored, a restart will not know it: %s", candidate.name, error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
