"""What is known of a tenant's bundle, as `status` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policy_service.bundles.record import Good
from policy_service.model import Finding, Version


@dataclass(frozen=True, slots=True)
class TenantStatus:
    """What `status` shows of a tenant, or of `@platform`.

    version        what answers, or would at first use; empty where nothing can
    loaded_at      RFC 3339
    last_error     the first finding of what the folder holds, empty where it is what answers
    cases_not_run  cases there was no time for when it was judged
    loaded         whether this process holds it
    """

    tenant: str
    version: str
    loaded_at: str
    last_error: str
    cases_not_run: tuple[str, ...]
    loaded: bool


def describe(
    name: str, good: Good | None, findings: Sequence[Finding], *, loaded: bool, restless: bool
) -> TenantStatus:
    """The status of what answers, and of what the folder holds instead."""
    error = str(findings[0]) if findings else ""
    if restless:
        error = "the files keep changing, what was there before answers"
    if good is None:
        return TenantStatus(name, "", "", error, (), loaded)
    version = Version(good.digest, good.commit, good.dirty)
    return TenantStatus(name, str(version), good.loaded_at, error, good.cases_not_run, loaded)
