"""What is wrong with policy files before they are merged: findings, warnings, and which files are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from policy_service.authoring.check import Report, check
from policy_service.errors import Refused
from policy_service.model import Finding
from tests.unit.bundles.folders import case, fill, make, policy

GOOD = {"tenant.yaml": "name: x\n"}
HAZARD = '@id("h") forbid(principal, action, resource) when { principal.level > 1 && resource.open };\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A platform, and the tenants `acme` and `citadel` with one policy each."""
    make(tmp_path, "acme", "citadel")
    return tmp_path


def run(site: Path, *paths: str) -> Report:
    return check(site / "policies", site / "tenants", [site / path for path in paths])


def add(site: Path, folder: str, files: Mapping[str, str]) -> None:
    fill(site / folder, files)


def findings(report: Report) -> list[str]:
    return [str(finding) for finding in report.findings]


def places(report: Report) -> list[str]:
    return [f"{finding.path}:{finding.line}" for finding in report.findings]


def test_good_files_have_no_finding(site: Path) -> None:
    add(site, "tenants/acme", {"cases/a.yaml": case("allow")})
    report = run(site)
    assert (report.findings, report.warnings) == ((), ())
    assert (report.tenants, report.policies, report.cases) == (2, 3, 1)
    assert report.summary == "2 tenants, 3 policies, 1 case tried: good"


def test_findings_of_every_tenant_are_told_in_order(site: Path) -> None:
    add(site, "tenants/citadel", {"b.cedar": "nonsense"})
    add(site, "tenants/acme", {"b.cedar": policy("one"), "c.cedar": "\nnonsense"})
    report = run(site)
    assert places(report) == ["tenants/acme/b.cedar:1", "tenants/acme/c.cedar:2", "tenants/citadel/b.cedar:1"]
    assert report.summary.endswith(": 3 findings")


def test_a_tenant_s_finding_is_one_it_only_has_with_the_platform(site: Path) -> None:
    add(site, "tenants/acme", {"b.cedar": policy("platform")})
    assert places(run(site)) == ["tenants/acme/b.cedar:1"]


def test_cases_that_fail_are_findings(site: Path) -> None:
    add(site, "tenants/acme", {"cases/a.yaml": case("deny")})
    report = run(site)
    assert places(report) == ["tenants/acme/cases/a.yaml:2"]
    assert report.summary == "2 tenants, 3 policies, 1 case tried: 1 finding"


def test_the_platform_s_cases_are_tried_once_and_without_a_tenant_s_policies(site: Path) -> None:
    # `one` permits everybody, in each tenant
    add(site, "policies", {"cases/a.yaml": case("deny")})
    report = run(site)
    assert (report.findings, report.cases) == ((), 1)
    add(site, "policies", {"cases/a.yaml": case("allow")})
    report = run(site)
    assert places(report) == ["policies/cases/a.yaml:2"]
    assert report.cases == 1


def test_the_platform_s_findings_are_told_once_and_tenants_are_still_looked_at(site: Path) -> None:
    add(site, "policies", {"x.cedar": "nonsense", "cases/a.yaml": case("allow")})
    add(site, "tenants/acme", {"cases/a.yaml": case("deny")})
    report = run(site)
    assert places(report) == ["policies/x.cedar:1", "tenants/acme/cases/a.yaml:2"]


def test_a_platform_that_is_missing_is_a_finding(site: Path) -> None:
    report = check(site / "nowhere", site / "tenants")
    assert places(report) == ["policies:1"]


# warnings


def test_a_forbid_that_can_fail_is_a_warning_and_no_finding(site: Path) -> None:
    add(site, "tenants/acme", {"h.cedar": "\n" + HAZARD})
    report = run(site)
    assert report.findings == ()
    (warning,) = report.warnings
    assert (warning.path, warning.line) == ("tenants/acme/h.cedar", 2)
    assert warning.sentence.startswith("`h` denies where it fails to evaluate: ")
    assert warning.sentence.endswith("(and 3 more)")


def test_so_is_one_of_the_platform_told_once(site: Path) -> None:
    add(site, "policies", {"h.cedar": HAZARD})
    assert [warning.path for warning in run(site).warnings] == ["policies/h.cedar"]


def test_who_asks_for_a_tenant_is_not_told_the_platform_s(site: Path) -> None:
    """Its author could change none of them."""
    add(site, "policies", {"h.cedar": HAZARD})
    add(site, "tenants/acme", {"h.cedar": HAZARD.replace('"h"', '"own"')})
    assert {warning.path for warning in run(site, "tenants/acme").warnings} == {"tenants/acme/h.cedar"}
    assert [warning.path for warning in run(site, "policies").warnings] == ["policies/h.cedar"]
    assert len(run(site, "tenants/acme", "policies/h.cedar").warnings) == 2
    add(site, "policies", {"broken.cedar": "nonsense"})
    assert "policies/broken.cedar:1" in places(run(site, "tenants/acme"))


def test_what_can_t_fail_or_is_a_permit_is_no_warning(site: Path) -> None:
    guarded = HAZARD.replace("principal.level > 1 && resource.open", "principal has level && principal.level == 1")
    add(site, "tenants/acme", {"h.cedar": guarded})
    add(site, "tenants/citadel", {"h.cedar": HAZARD.replace("forbid", "permit")})
    assert run(site).warnings == ()


def test_one_hazard_is_not_followed_by_more(site: Path) -> None:
    add(site, "tenants/acme", {"h.cedar": HAZARD.replace("principal.level > 1 && resource.open", "context.x == 1")})
    (warning,) = run(site).warnings
    assert "more)" not in warning.sentence


def test_what_lists_come_to_is_told_of_each_tenant_whose_files_are_good(site: Path) -> None:
    add(site, "tenants/citadel", {"b.cedar": "nonsense"})
    assert run(site).filters.keys() == {"acme"}


# which files


def test_a_path_names_its_tenant(site: Path) -> None:
    add(site, "tenants/citadel", {"b.cedar": "nonsense"})
    for path in ("tenants/acme", "tenants/acme/a.cedar", "tenants/acme/missing.cedar"):
        assert run(site, path).findings == ()
        assert run(site, path).tenants == 1
    assert places(run(site, "tenants/citadel/b.cedar")) == ["tenants/citadel/b.cedar:1"]
    both = run(site, "tenants/citadel", "tenants/acme", "tenants/acme/a.cedar")
    assert (both.tenants, len(both.findings)) == (2, 1)


def test_the_folder_of_the_tenants_names_them_all(site: Path) -> None:
    assert run(site, "tenants").tenants == 2


@pytest.mark.parametrize("path", ["policies", "policies/platform.cedar"])
def test_a_path_of_the_platform_names_no_tenant(site: Path, path: str) -> None:
    add(site, "tenants/acme", {"b.cedar": "nonsense"})
    add(site, "policies", {"cases/a.yaml": case("allow")})
    report = run(site, path)
    assert report.tenants == 0
    assert places(report) == ["policies/cases/a.yaml:2"]


def test_the_platform_is_looked_at_whatever_is_named(site: Path) -> None:
    add(site, "policies", {"x.cedar": "nonsense"})
    assert places(run(site, "tenants/acme")) == ["policies/x.cedar:1"]


@pytest.mark.parametrize("path", [".", "elsewhere", "tenants/../elsewhere/acme", "policies-2/x"])
def test_a_path_that_lies_in_neither_folder_is_refused(site: Path, path: str) -> None:
    with pytest.raises(Refused, match="lies neither in"):
        run(site, path)


@pytest.mark.parametrize("path", ["tenants/nobody", "tenants/Wrong/a.cedar", "tenants/README.md"])
def test_a_tenant_that_is_none_is_refused(site: Path, path: str) -> None:
    add(site, "tenants", {"README.md": "", "Wrong/tenant.yaml": "name: x"})
    with pytest.raises(Refused, match=rf"there is no tenant `{Path(path).parts[1]}`"):
        run(site, path)


def test_a_folder_of_tenants_that_is_missing_is_refused(site: Path) -> None:
    with pytest.raises(Refused, match="name the folder of the tenants with --tenants"):
        check(site / "policies", site / "nowhere")


def test_a_tenant_s_folder_may_be_a_link(site: Path) -> None:
    """Swapping a link is the atomic way to deploy."""
    add(site, "releases/2", {**GOOD, "a.cedar": "nonsense"})
    (site / "tenants" / "linked").symlink_to("../releases/2")
    for paths in ([], ["tenants/linked"], ["tenants/linked/a.cedar"]):
        assert places(run(site, *paths)) == ["tenants/linked/a.cedar:1"]


def test_so_may_the_folder_of_the_tenants(site: Path) -> None:
    (site / "link").symlink_to("tenants")
    for path in ("link/acme", "tenants/acme"):
        assert check(site / "policies", site / "link", [site / path]).tenants == 1


# strays


def test_a_folder_that_no_tenant_can_have_is_a_finding(site: Path) -> None:
    add(site, "tenants", {"Wrong/tenant.yaml": "name: x", ".git/x": "", "README.md": ""})
    report = run(site)
    assert places(report) == ["tenants/Wrong:1"]
    assert report.tenants == 2
    # who asks about one tenant is not told about others
    assert run(site, "tenants/acme").findings == ()
    # and the platform's cases are tried all the same
    add(site, "policies", {"cases/a.yaml": case("allow")})
    assert places(run(site)) == ["policies/cases/a.yaml:2", "tenants/Wrong:1"]


def test_progress_is_told_before_each_tenant(site: Path) -> None:
    told: list[str] = []
    check(site / "policies", site / "tenants", progress=told.append)
    assert told == ["acme", "citadel"]


@pytest.mark.parametrize(
    ("report", "summary"),
    [
        (Report((), (), 0, 1, 0), "0 tenants, 1 policy, 0 cases tried: good"),
        (Report((), (Finding("x", 1, "y"),), 1, 0, 1), "1 tenant, 0 policies, 1 case tried: good"),
        (Report((Finding("x", 1, "y"),), (), 12_345, 2, 3), "12,345 tenants, 2 policies, 3 cases tried: 1 finding"),
    ],
)
def test_a_summary_counts(report: Report, summary: str) -> None:
    assert report.summary == summary
