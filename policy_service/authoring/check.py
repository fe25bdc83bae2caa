"""What is wrong with policy files, before they are merged: parse, validate, try the cases.

It reads by the functions the service loads with, so that what passes here loads there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from policy_service.authoring.advice import find_advice
from policy_service.authoring.filters import Answer, tell_filters
from policy_service.bundles.load import (
    PLATFORM_ROOT,
    Part,
    combine,
    find_folder,
    find_strays,
    list_tenants,
    load_platform,
    parse_part,
    tenant_root,
)
from policy_service.bundles.sources import read_layer
from policy_service.errors import Refused
from policy_service.model import Finding
from policy_service.policy.bundle import Bundle
from policy_service.policy.layer import Layer
from policy_service.policy.trials import platform_bundle, run


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` found.

    `findings` are what must be mended, `warnings` what its author should know (a forbid that can fail to
    evaluate, which denies); `summary` says in one line what was looked at; `filters` what lists come to, by tenant.
    """

    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    tenants: int
    policies: int
    cases: int
    filters: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """One line: how much was looked at, and how much is wrong."""
        told = [
            _count(self.tenants, "tenant"),
            _count(self.policies, "policy", "policies"),
            f"{_count(self.cases, 'case')} tried",
        ]
        verdict = _count(len(self.findings), "finding") if self.findings else "good"
        return f"{', '.join(told)}: {verdict}"


def check(
    policies: Path, tenants: Path, paths: Sequence[Path] = (), progress: Callable[[str], None] = lambda _: None
) -> Report:
    """The report on the platform's files and on those of the tenants at `paths`, or of all tenants.

    A path that lies in neither folder is `Refused`. Of the platform's warnings there are none where only tenants
    are asked for; its findings always are. `progress` is told each tenant before it is looked at.
    """
    names = _select(policies, tenants, paths)
    platform = load_platform(policies)
    findings = list(platform.layer.findings) + ([] if paths else find_strays(tenants))
    # a tenant's author can change none of the platform's
    asked = not paths or any(_below(path, policies) is not None for path in paths)
    count, cases, tried = len(platform.layer.policies), 0, 0
    bundle, found = (None, []) if platform.layer.findings else platform_bundle(platform.layer)
    findings += found
    if bundle is not None:
        cases += _try(bundle, findings)
    warnings = list(find_advice(platform.layer, bundle)) if asked else []
    filters = {}
    for name in names:
        progress(name)
        part = _read_tenant(tenants, name)
        bundle, found = combine(_without_findings(platform), part)
        findings += found
        warnings += find_advice(part.layer, bundle)
        tried += 1
        count += len(part.layer.policies)
        if bundle is not None:
            cases += _try(bundle, findings)
            filters[name] = tell_filters(bundle)
    return Report(tuple(sorted(set(findings))), tuple(sorted(set(warnings))), tried, count, cases, filters)


def _try(bundle: Bundle, findings: list[Finding]) -> int:
    report = run(bundle)
    findings += report.findings
    return report.ran


def _read_tenant(tenants: Path, name: str) -> Part:
    folder = find_folder(tenants, name)
    if folder is None:
        raise Refused(f"there is no tenant `{name}`, make the folder {tenants / name}")
    return parse_part(read_layer(folder, tenant_root(name)), folder, name)


def _without_findings(platform: Part) -> Part:
    """The platform's part as tenants are judged by: its own findings are told once, not for each tenant."""
    if not platform.layer.findings:
        return platform
    return Part(Layer(PLATFORM_ROOT, None), platform.source, platform.revision)


def _select(policies: Path, tenants: Path, paths: Sequence[Path]) -> Iterator[str] | list[str]:
    if not tenants.is_dir():
        raise Refused(f"there is no folder {tenants}, name the folder of the tenants with --tenants")
    if not paths:
        return sorted(list_tenants(tenants))
    names: dict[str, None] = {}
    for path in paths:
        below = _below(path, tenants)
        if below:
            names[below[0]] = None
        elif below is not None:
            names |= dict.fromkeys(sorted(list_tenants(tenants)))
        elif _below(path, policies) is None:
            raise Refused(
                f"`{path}` lies neither in {policies} nor in {tenants}, name a tenant's folder or a file in it"
            )
    return list(names)


def _below(path: Path, folder: Path) -> tuple[str, ...] | None:
    """The parts of a path below a folder, none where it lies elsewhere; as it is named first, then as links lead."""
    for place, home in ((os.path.abspath(path), os.path.abspath(folder)), (path.resolve(), folder.resolve())):
        if Path(place).is_relative_to(home):
            return Path(place).relative_to(home).parts
    return None


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
