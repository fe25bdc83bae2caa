"""Load tenants as the service does, in a process of its own that may take neither much memory nor much time.

    python -m tests.broken.loading POLICIES TENANTS NAME…

prints one line of JSON for each tenant: its name and its findings, those of its cases among them. Without names,
those of the platform in POLICIES.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

from policy_service.bundles.load import load, load_platform
from policy_service.model import Finding
from policy_service.policy.trials import platform_bundle, run

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
# generous: what this guards against takes minutes, or all the memory there is
SECONDS = 20
MEMORY = 1536 * 1024 * 1024


def load_apart(tenants: Path, *names: str, policies: Path = POLICIES) -> dict[str, list[str]]:
    """The findings of tenants, by name; an `AssertionError` where loading one of them crashes or hangs."""
    command = [sys.executable, "-m", "tests.broken.loading", str(policies), str(tenants), *names]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS * 2, cwd=ROOT, check=False)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"it hangs after {(error.stdout or b'')[-200:]!r}") from None
    told = dict(json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 0, f"exit {done.returncode} after {list(told)[-1:]}: {done.stderr.decode()[-2000:]}"
    return told


def find(policies: Path, tenants: Path, name: str) -> list[Finding]:
    """Whatever is wrong with a tenant's files."""
    bundle, findings = load(policies, tenants, name)
    return findings if bundle is None else [*findings, *run(bundle).findings]


def find_in_platform(policies: Path) -> list[Finding]:
    """Whatever is wrong with the platform's files."""
    layer = load_platform(policies).layer
    if layer.findings:
        return list(layer.findings)
    bundle, findings = platform_bundle(layer)
    return findings if bundle is None else [*findings, *run(bundle).findings]


def main(policies: str, tenants: str, *names: str) -> None:
    """Print the findings, each tenant's as soon as they are known."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    if not names:
        print(json.dumps(["", list(map(str, sorted(find_in_platform(Path(policies)))))]))
    for name in names:
        found = find(Path(policies), Path(tenants), name)
        print(json.dumps([name, list(map(str, sorted(set(found))))]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
