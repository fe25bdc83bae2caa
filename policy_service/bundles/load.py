"""From folders to a bundle: read, parse, join. No cache and no store; `check`, `evaluate` and the service share it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from policy_service.bundles.revision import Revision, find_revision
from policy_service.bundles.sources import Source, read_layer
from policy_service.errors import UnknownTenant
from policy_service.model import Finding, Version, is_tenant_name
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.files import Layer, parse_layer

PLATFORM_ROOT = "policies"


@dataclass(frozen=True, slots=True)
class Part:
    """One layer with what it was read from."""

    layer: Layer
    source: Source
    revision: Revision


def load(policies: Path, tenants: Path, tenant: str) -> tuple[Bundle | None, list[Finding]]:
    """The bundle of a tenant as its files are now, or none and what is wrong with them.

    Raises `UnknownTenant` where there is no folder for the tenant.
    """
    platform = load_platform(policies)
    folder = find_folder(tenants, tenant)
    if folder is None:
        raise UnknownTenant(f"there is no tenant `{tenant[:80]}`, it is a folder in {tenants} with a `tenant.yaml`")
    return combine(platform, parse_part(read_layer(folder, tenant_root(tenant)), folder, tenant))


def load_platform(policies: Path) -> Part:
    """The platform's layer as its files are now; `layer.findings` says what is wrong with them."""
    return parse_part(read_layer(policies, PLATFORM_ROOT), policies, None)


def parse_part(source: Source, folder: Path, tenant: str | None) -> Part:
    """The layer of a source; what could not be read is among its findings, and then nothing else is looked at."""
    root = PLATFORM_ROOT if tenant is None else tenant_root(tenant)
    if source.findings:
        layer = Layer(root, tenant, tuple(sorted(source.files)), findings=source.findings)
        return Part(layer, source, Revision())
    return Part(parse_layer(root, source.files, tenant=tenant), source, find_revision(folder, source.files))


def combine(platform: Part, part: Part) -> tuple[Bundle | None, list[Finding]]:
    """The bundle of both layers; findings of either, or those they only have together."""
    revision = part.revision.join(platform.revision)
    digest = combine_digests(platform.source.digest, part.source.digest)
    bundle, findings = join(platform.layer, part.layer, Version(digest, revision.commit, revision.dirty))
    return bundle, sorted(set(findings))


def combine_digests(platform: str, tenant: str) -> str:
    """The digest of a bundle: of the digests of its two layers."""
    return hashlib.sha256(f"{platform}\n{tenant}".encode()).hexdigest()


def tenant_root(tenant: str) -> str:
    """What every path of a tenant's findings starts with."""
    return f"tenants/{tenant}"


def find_folder(tenants: Path, tenant: str) -> Path | None:
    """A tenant's folder; none where the name is no tenant's or there is no folder, of which no caller learns which."""
    if not is_tenant_name(tenant):
        return None
    folder = tenants / tenant
    return folder if os.path.isdir(folder) else None


def list_tenants(tenants: Path) -> Iterator[str]:
    """The names of all tenants, unsorted, read as they are asked for."""
    try:
        with os.scandir(tenants) as entries:
            for entry in entries:
                if is_tenant_name(entry.name) and entry.is_dir():
                    yield entry.name
    except OSError:
        return


def find_strays(tenants: Path) -> list[Finding]:
    """Folders among the tenants that no tenant can have; names with a dot in front and files are nobody's."""
    try:
        with os.scandir(tenants) as entries:
            names = sorted(entry.name for entry in entries if entry.name[0] != "." and entry.is_dir())
    except OSError as error:
        return [Finding("tenants", 1, f"can't be read: {(error.strerror or str(error)).lower()}")]
    sentence = "is no tenant's name, write a-z, 0-9 and `-`, at most 63, the first no `-`"
    return [Finding(f"tenants/{name}", 1, sentence) for name in names if not is_tenant_name(name)]
