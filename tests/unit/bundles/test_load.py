"""From folders to a bundle, without a cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy_service.bundles.load import find_folder, find_strays, list_tenants, load, load_platform
from policy_service.errors import UnknownTenant
from tests.unit.bundles.folders import fill, make, policy


def test_it_joins_both_layers_and_versions_their_files(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme", "citadel")
    bundle, findings = load(settings.policies, settings.tenants, "acme")
    assert findings == []
    assert bundle is not None
    assert {policy.id for policy in bundle.policies} == {"platform", "one"}
    assert bundle.tenant == "acme"
    again, _ = load(settings.policies, settings.tenants, "acme")
    assert again is not None
    assert again.version == bundle.version
    fill(settings.policies, {"more.cedar": policy("more", "forbid")})
    other, _ = load(settings.policies, settings.tenants, "acme")
    assert other is not None
    assert other.version != bundle.version


def test_findings_of_either_layer_are_told(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.policies, {"x.cedar": "nonsense"})
    fill(settings.tenants / "acme", {"y.cedar": "nonsense"})
    bundle, findings = load(settings.policies, settings.tenants, "acme")
    assert bundle is None
    assert [finding.path for finding in findings] == ["policies/x.cedar", "tenants/acme/y.cedar"]
    assert load_platform(settings.policies).layer.findings == tuple(findings[:1])


@pytest.mark.parametrize(
    "name", ["missing", "", "..", ".", "../tenants/acme", "ACME", "acme/", "acme\0", "/etc", "x" * 99]
)
def test_what_is_no_tenant_is_unknown(tmp_path: Path, name: str) -> None:
    settings = make(tmp_path, "acme")
    with pytest.raises(UnknownTenant):
        load(settings.policies, settings.tenants, name)


def test_tenants_are_folders_with_a_tenants_name(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    fill(settings.tenants, {"README.md": "x", "Wrong/tenant.yaml": "name: x", ".git/x": "", "file": ""})
    (settings.tenants / "linked").symlink_to("acme")
    assert sorted(list_tenants(settings.tenants)) == ["acme", "linked"]
    assert [finding.path for finding in find_strays(settings.tenants)] == ["tenants/Wrong"]
    assert find_folder(settings.tenants, "file") is None
    assert list(list_tenants(tmp_path / "missing")) == []
    assert find_strays(tmp_path / "missing")
