"""What the folders hold, ready to be judged: the platform's layer, or a tenant's bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from policy_service.bundles.last_good import PLATFORM, Store
from policy_service.bundles.load import PLATFORM_ROOT, Part, combine, parse_part, tenant_root
from policy_service.bundles.record import Good
from policy_service.bundles.revision import Revision
from policy_service.bundles.sources import Source
from policy_service.bundles.verdict import Candidate, Serving, run_cases
from policy_service.model import Finding, Version
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.files import Layer, parse_layer
from policy_service.policy.trials import CaseReport, platform_bundle

_ENDINGS = (".cedar", ".abac.json", ".casbin/policy.csv")


def is_empty(source: Source) -> bool:
    """Whether a platform's folder is missing or holds no policy file at all."""
    return (not source.findings and not any(path.endswith(_ENDINGS) for path in source.files)) or not source.signature


def platform_candidate(store: Store, folder: Path, source: Source) -> Candidate[Part]:
    """The platform's layer as `folder` holds it."""

    def build() -> tuple[Part | None, Revision, tuple[Finding, ...]]:
        part = parse_part(source, folder, None)
        return (None if part.layer.findings else part), part.revision, part.layer.findings

    def gate(part: Part) -> CaseReport:
        bundle, findings = platform_bundle(part.layer)
        return run_cases(bundle) if bundle else CaseReport(tuple(findings), 0, ())

    def restore(good: Good) -> Part | None:
        files = store.fetch(PLATFORM, good.platform)
        if files is None:
            return None
        layer = parse_layer(PLATFORM_ROOT, files, tenant=None)
        part = Part(layer, Source(files, good.platform), Revision(good.commit, good.dirty))
        return None if layer.findings else part

    seen = Good(source.digest, "", "", False, "", False)
    return Candidate(PLATFORM, seen, build, gate, restore, {source.digest: source.files})


def tenant_candidate(
    store: Store, folder: Path, source: Source, tenant: str, platform: Serving[Part]
) -> Candidate[Bundle]:
    """A tenant's bundle as `folder` holds it, with the platform's layer that answers now."""

    def build() -> tuple[Bundle | None, Revision, tuple[Finding, ...]]:
        part = parse_part(source, folder, tenant)
        bundle, findings = combine(platform.what, part)
        return bundle, part.revision.join(platform.what.revision), tuple(findings)

    def restore(good: Good) -> Bundle | None:
        base = _restore_platform(store, tenant, good.platform, platform)
        files = store.fetch(tenant, good.tenant)
        if base is None or files is None:
            return None
        layer = parse_layer(tenant_root(tenant), files, tenant=tenant)
        return join(base, layer, Version(good.digest, good.commit, good.dirty))[0]

    layers: Mapping[str, Mapping[str, bytes]] = {
        platform.what.source.digest: platform.what.source.files,
        source.digest: source.files,
    }
    seen = Good(platform.what.source.digest, source.digest, "", False, "", False)
    return Candidate(tenant, seen, build, run_cases, restore, layers)


def renew(kept: Serving[Bundle], platform: Serving[Part]) -> Serving[Bundle]:
    """What is kept of a tenant with the platform's layer of now; as it is where the two clash.

    Else a tenant whose files are broken, or whose cases fail, would go on without what the platform forbids since.
    """
    good = kept.good._replace(platform=platform.what.source.digest)
    if good == kept.good:
        return kept
    bundle, _ = join(platform.what.layer, kept.what.layer, Version(good.digest, good.commit, good.dirty))
    return kept if bundle is None else Serving(bundle, good, kept.repository)


def _restore_platform(store: Store, tenant: str, digest: str, platform: Serving[Part]) -> Layer | None:
    if platform.what.source.digest == digest:
        return platform.what.layer
    files = store.fetch(tenant, digest)
    return None if files is None else parse_layer(PLATFORM_ROOT, files, tenant=None)
