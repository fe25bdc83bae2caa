"""Folders of policy files for tests, and waiting for what a watch does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from policy_service.bundles.current import Bundles
from policy_service.config import Settings
from policy_service.errors import PolicyServiceError

QUIET = 0.05
PLATFORM = '@id("platform") forbid(principal, action, resource) when { context has stop };\n'


def policy(name: str, effect: str = "permit") -> str:
    """One Cedar policy with an id."""
    return f'@id("{name}") {effect}(principal, action, resource);\n'


def case(expect: str) -> str:
    """A case that holds where anybody's `read` is answered so."""
    return f"cases:\n  - {{subject: user:alice, action: read, resource: 'doc:1', expect: {expect}}}\n"


def fill(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files below the folder, which is made."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def make(root: Path, *tenants: str, bundles: int = 100) -> Settings:
    """Settings with a platform and tenants that each have the policy `one`."""
    fill(root / "policies", {"platform.cedar": PLATFORM})
    (root / "tenants").mkdir(exist_ok=True)
    for tenant in tenants:
        fill(root / "tenants" / tenant, {"tenant.yaml": "name: x\n", "a.cedar": policy("one")})
    return Settings(root / "policies", root / "tenants", root / "data", bundles=bundles)


def ids(bundles: Bundles, tenant: str = "acme") -> set[str]:
    """The ids of a tenant's own policies that answer now."""
    return {policy.id for policy in bundles.current(tenant).policies if policy.file.startswith("tenants/")}


def error(bundles: Bundles, tenant: str = "acme") -> str:
    """What `status` says is wrong."""
    return next((status.last_error for status in bundles.status() if status.tenant == tenant), "no status")


def wait_until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether it holds in time; a refusal does not count as holding."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if holds():
                return True
        except PolicyServiceError:
            pass
        time.sleep(0.01)
    return False
