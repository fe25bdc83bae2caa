"""From files to a layer: what is read, what is ignored, and that nothing is lost silently."""

from __future__ import annotations

import pytest

from policy_service.model import Uid
from policy_service.policy.files import Layer, is_ignored, parse_layer
from policy_service.policy.scope import LIMITS, Limits

NAME = {"tenant.yaml": b"name: Acme\n"}
PERMIT = b'@id("p1") permit(principal == user::"alice", action, resource);\n'
MODEL = (
    b"[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n"
    b"[policy_effect]\ne = some(where (p.eft == allow))\n"
    b"[matchers]\nm = r.sub == p.sub && r.obj == p.obj && r.act == p.act\n"
)
ABAC = (
    b'[{"uid": "a1", "effect": "allow", "targets": {},'
    b' "rules": {"subject": {"$.x": {"condition": "Equals", "value": "1"}},'
    b' "resource": {}, "action": {}, "context": {}}}]'
)


def tenant(files: dict[str, bytes]) -> Layer:
    return parse_layer("tenants/acme", {**NAME, **files}, tenant="acme")


def told(layer: Layer) -> list[str]:
    return [str(finding) for finding in layer.findings]


def test_a_tenant_needs_nothing_but_its_name() -> None:
    layer = tenant({})
    assert told(layer) == []
    assert layer.settings == {"name": "Acme"}
    assert layer.policies == ()


def test_every_kind_of_file_is_read() -> None:
    layer = tenant(
        {
            "a.cedar": PERMIT,
            "deep/er/b.cedar": b'@id("p2") forbid(principal, action, resource) when { resource has secret };',
            "c.abac.json": ABAC,
            "d.casbin/model.conf": MODEL,
            "d.casbin/policy.csv": b"p, alice, doc, read\n",
            "groups.csv": b"g, user:alice, group:editors, acme\r\n",
            "entities.json": b'[{"uid": {"type": "doc", "id": "1"}}]',
            "relationships.yaml": b"relationships:\n  owns: {parent: from}\n",
            "cases/a.yaml": b"cases:\n  - {subject: user:alice, action: read, resource: 'doc:1', expect: allow}\n",
        }
    )
    assert told(layer) == []
    assert {policy.policy.id for policy in layer.policies} >= {"p1", "p2", "a1"}
    assert len(layer.policies) == 4
    assert {policy.policy.file for policy in layer.policies} >= {"tenants/acme/a.cedar", "tenants/acme/deep/er/b.cedar"}
    assert layer.groups.closure(Uid("user", "alice")) == {Uid("Group", "editors")}
    assert list(layer.entities) == [Uid("doc", "1")]
    assert layer.relationships["owns"].parent == "from"
    assert len(layer.cases) == 1


@pytest.mark.parametrize(
    "path", ["README.md", "docs/notes.md", "keys.yaml", ".gitignore", ".git/x.cedar", "deep/.#a.cedar"]
)
def test_what_is_plainly_no_policy_is_ignored(path: str) -> None:
    layer = tenant({path: b"\xff nonsense"})
    assert is_ignored(path)
    assert told(layer) == []
    assert layer.files == ("tenant.yaml",)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a.ceder", "an ending that nothing reads"),
        ("a.CEDAR", "an ending that nothing reads"),
        ("a.cedar~", "an ending that nothing reads"),
        ("a.json", "an ending that nothing reads"),
        ("cases/a.yml", "an ending that nothing reads"),
        ("case/a.yaml", "an ending that nothing reads"),
        ("deep/keys.yaml", "an ending that nothing reads"),
        ("tenant.yml", "an ending that nothing reads"),
        ("x.casbin", "an ending that nothing reads"),
        ("deep/groups.csv", "move `groups.csv` to the top"),
        ("deep/schema.cedarschema", "to the top"),
        ("other.cedarschema", "an ending that nothing reads"),
        ("x.casbin/Policy.csv", "no part of a casbin policy"),
    ],
)
def test_a_file_that_nothing_reads_is_a_finding(path: str, said: str) -> None:
    layer = tenant({path: b""})
    assert any(finding.path == f"tenants/acme/{path}" and said in finding.sentence for finding in layer.findings)


def test_half_a_casbin_folder_is_a_finding() -> None:
    assert "tenants/acme/x.casbin:1: lacks `policy.csv`" in told(tenant({"x.casbin/model.conf": MODEL}))[0]
    assert "lacks `model.conf`" in told(tenant({"x.casbin/policy.csv": b"p, a, b, c\n"}))[0]


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"\xef\xbb\xbf" + PERMIT, 1, "byte order mark"),
        (PERMIT + b"// \xff\n", 2, "no UTF-8"),
        (PERMIT.decode().encode("utf-16"), 1, "no UTF-8"),
        (PERMIT + b"\x00", 2, "NUL"),
        (b"// hidden\rforbid(principal, action, resource);\n", 1, "carriage return"),
    ],
)
@pytest.mark.parametrize("path", ["a.cedar", "groups.csv", "entities.json", "cases/a.yaml", "c.abac.json"])
def test_broken_encodings_are_findings(path: str, content: bytes, line: int, said: str) -> None:
    layer = tenant({path: content})
    assert [(finding.path, finding.line) for finding in layer.findings] == [(f"tenants/acme/{path}", line)]
    assert said in layer.findings[0].sentence


def test_windows_line_ends_are_fine() -> None:
    assert (
        told(tenant({"a.cedar": PERMIT.replace(b"\n", b"\r\n"), "groups.csv": b"g, user:a, group:b, acme\r\n"})) == []
    )


def test_a_layer_with_a_finding_is_refused_whole() -> None:
    layer = tenant({"a.cedar": PERMIT, "b.cedar": b"nonsense"})
    assert layer.findings
    assert layer.policies == ()
    assert layer.settings == {}


def test_ids_are_unique_across_files_and_languages() -> None:
    other = PERMIT.replace(b"p1", b"a1")
    layer = tenant({"a.cedar": PERMIT, "b.cedar": PERMIT, "c.cedar": other, "d.abac.json": ABAC})
    assert len(layer.findings) == 2
    assert all("is taken by" in sentence for sentence in told(layer))


def test_names_that_differ_by_case_only_are_a_finding() -> None:
    layer = tenant({"hosts.cedar": PERMIT, "Hosts.cedar": PERMIT})
    assert any("by case only" in sentence for sentence in told(layer))


def test_a_tenant_without_a_name_is_refused() -> None:
    layer = parse_layer("tenants/acme", {"a.cedar": PERMIT}, tenant="acme")
    assert told(layer) == [
        "tenants/acme/tenant.yaml:1: is missing, write one line: `name: <what people call the tenant>`"
    ]


def test_groups_of_cases_are_checked() -> None:
    case = b"groups: {editors: [alice]}\ncases:\n  - {subject: user:a, action: b, resource: 'c:d', expect: deny}\n"
    assert any("is not typed" in sentence for sentence in told(tenant({"cases/a.yaml": case})))


def test_limits_are_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Limits(file_bytes=100, layer_bytes=300, files=3, policies=2)
    monkeypatch.setattr("policy_service.policy.files.LIMITS", small)
    assert "at most 100" in told(tenant({"a.cedar": b"/" * 101}))[0]
    assert "at most 300" in told(tenant({f"{n}.cedar": b" " * 99 for n in range(4)}))[0]
    assert "4 files, at most 3" in told(tenant({f"{n}.cedar": b"" for n in range(3)}))[0]
    three = b"".join(b"forbid(principal,action,resource);" for _ in range(2))
    assert any("policies, at most 2" in sentence for sentence in told(tenant({"a.cedar": three, "b.cedar": three})))
    assert LIMITS.files > 3


def test_the_platform_needs_a_policy_and_has_nothing_of_a_tenant() -> None:
    assert "holds no policy" in told(parse_layer("policies", {}, tenant=None))[0]
    assert "holds no policy" in told(parse_layer("policies", {"cases/a.yaml": b"cases: []\n"}, tenant=None))[0]
    layer = parse_layer("policies", {"a.cedar": PERMIT, "groups.csv": b"", "tenant.yaml": b"name: x"}, tenant=None)
    assert len(layer.findings) == 2
    assert all("belongs to a tenant" in sentence for sentence in told(layer))


def test_the_platforms_policies_are_held_against_its_schema() -> None:
    schema = b"entity user; entity doc; action read appliesTo { principal: user, resource: doc };"
    good = b'permit(principal, action == Action::"read", resource);'
    assert told(parse_layer("policies", {"a.cedar": good, "schema.cedarschema": schema}, tenant=None)) == []
    wrong = b'permit(principal, action == Action::"reed", resource);'
    layer = parse_layer("policies", {"a.cedar": wrong, "schema.cedarschema": schema}, tenant=None)
    assert {finding.path for finding in layer.findings} == {"policies/a.cedar"}


def test_a_tenant_may_not_declare_what_is_the_services_own() -> None:
    layer = tenant({"schema.cedarschema": b"entity Group;"})
    assert "tenants/acme/schema.cedarschema:1" in told(layer)[0]
