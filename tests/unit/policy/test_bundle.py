"""Two layers joined into one bundle, or told why not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from policy_service.model import Finding, Uid, Version
from policy_service.policy import bundle as module
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.files import parse_layer
from policy_service.policy.layer import Layer
from tests.property.files import NOTHING, encode

VERSION = Version("ab" * 32)
SCHEMA = """
entity user, doc = { level: Long };
action all;
action viewing in [all];
action read in [viewing] appliesTo { principal: [user], resource: [doc] };
"""
PLATFORM_SCHEMA = """
entity Group in [Group];
namespace PolicyService {
  entity AnySubject in [Group] = { tenant: String };
  entity AnyAsset = { tenant: String };
  action viewing;
  action read in [viewing] appliesTo { principal: [AnySubject], resource: [AnyAsset] };
}
"""


def platform(files: Mapping[str, str] | None = None) -> Layer:
    return parse_layer("policies", encode({"nothing.cedar": NOTHING, **(files or {})}), tenant=None)


def acme(files: Mapping[str, str]) -> Layer:
    return parse_layer("tenants/acme", encode({"tenant.yaml": "name: Acme\n", **files}), tenant="acme")


def joined(base: Layer, layer: Layer, version: Version = VERSION) -> Bundle:
    bundle, findings = join(base, layer, version)
    assert findings == []
    assert bundle
    return bundle


def refused(base: Layer, layer: Layer) -> list[str]:
    bundle, findings = join(base, layer, Version(""))
    assert bundle is None
    return [str(finding) for finding in findings]


def permit(name: str, condition: str = "true") -> str:
    return f'@id("{name}") permit(principal, action, resource) when {{ {condition} }};\n'


def test_it_holds_both_layers_the_platform_s_first() -> None:
    files = {
        "a.cedar": permit("a"),
        "groups.csv": "g, user:alice, group:x, acme\n",
        "entities.json": '[{"uid": {"type": "user", "id": "alice"}}]',
    }
    bundle = joined(platform(), acme(files))
    assert [policy.id for policy in bundle.policies] == ["platform-nothing", "a"]
    assert bundle.tenant == "acme"
    assert bundle.groups.members(Uid("Group", "x"))
    assert set(bundle.entities) == {Uid("user", "alice")}
    assert {policy.id for policy in bundle.index.whole().policies} == {"platform-nothing", "a"}


def test_it_names_its_version() -> None:
    assert joined(platform(), acme({}), Version("ab" * 32, "c" * 40, dirty=True)).version_text == (
        f"{'c' * 12}-dirty+{'ab' * 8}"
    )


def test_findings_of_either_layer_refuse_the_bundle() -> None:
    wrong = {"x.cedar": "nonsense"}
    assert refused(platform(wrong), acme({}))[0].startswith("policies/x.cedar:1: ")
    assert refused(platform(), acme(wrong))[0].startswith("tenants/acme/x.cedar:1: ")
    assert len(refused(platform(wrong), acme(wrong))) == 2


def test_an_id_is_taken_once_in_both_layers() -> None:
    base = platform({"p.cedar": "\n" + permit("mine")})
    assert refused(base, acme({"a.cedar": permit("own") + permit("mine")})) == [
        "tenants/acme/a.cedar:2: the policy id `mine` is taken by policies/p.cedar:2, give it another"
    ]
    abac = '{"uid": "mine", "effect": "deny", "rules": {}, "targets": {}}'
    assert "`mine` is taken" in refused(base, acme({"a.abac.json": abac}))[0]
    joined(base, acme({"a.cedar": permit("own")}))


def test_a_tenant_s_policies_are_validated_where_it_has_a_schema() -> None:
    wrong = permit("a", "principal.nosuch == 1")
    found = refused(platform(), acme({"a.cedar": wrong, "schema.cedarschema": SCHEMA}))
    assert len(found) == 1
    assert found[0].startswith("tenants/acme/a.cedar:1: ")
    assert "nosuch" in found[0]
    joined(platform(), acme({"a.cedar": wrong}))
    joined(platform(), acme({"a.cedar": permit("a", "principal.level == 1"), "schema.cedarschema": SCHEMA}))


def test_schemas_that_do_not_go_together_refuse_the_bundle() -> None:
    base = platform({"schema.cedarschema": PLATFORM_SCHEMA})
    found = refused(base, acme({"schema.cedarschema": "entity user in [nosuch];"}))
    assert found[0].startswith("tenants/acme/schema.cedarschema:1: ")


def test_a_schema_is_not_looked_at_where_something_else_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.cedar_schema, "join_schemas", None)
    assert len(refused(platform({"x.cedar": "nonsense"}), acme({"schema.cedarschema": SCHEMA}))) == 1


def test_the_findings_of_joining_come_before_those_of_validating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.cedar_schema, "join_schemas", lambda *_: ("", [Finding("s", 1, "no")]))
    monkeypatch.setattr(module.cedar_schema, "validate", None)
    assert refused(platform(), acme({"schema.cedarschema": SCHEMA})) == ["s:1: no"]


def test_actions_have_the_ancestors_that_the_schemas_give_them() -> None:
    read, service_read = Uid("Action", "read"), Uid("PolicyService::Action", "read")
    viewing = Uid("PolicyService::Action", "viewing")
    base = platform({"schema.cedarschema": PLATFORM_SCHEMA})
    own = joined(base, acme({"schema.cedarschema": SCHEMA}))
    assert own.action_ancestors(read) == {Uid("Action", "viewing"), Uid("Action", "all")}
    assert own.action_ancestors(service_read) == {viewing}
    other = joined(base, acme({}))
    assert other.action_ancestors(service_read) == {viewing}
    assert other.action_ancestors(read) == frozenset()
    assert joined(platform(), acme({})).action_ancestors(service_read) == frozenset()


def test_tenants_without_a_schema_share_what_the_platform_s_says() -> None:
    base = platform({"schema.cedarschema": PLATFORM_SCHEMA})
    assert joined(base, acme({})).actions is joined(base, acme({})).actions
    most = module._platform_actions.cache_info().maxsize
    assert most is not None, "else every edit of the platform's schema stays in memory"


@pytest.mark.parametrize(
    ("head", "meant"),
    [
        ('action == PolicyService::Action::"readProperty"', True),
        ('action in [Action::"x", PolicyService::Action::"readProperty"]', True),
        ('action in PolicyService::Action::"viewing"', True),
        ("action", True),
        ('action == PolicyService::Action::"read"', False),
        ('action == Action::"readProperty"', False),
        ('action in PolicyService::Action::"changing"', False),
    ],
)
def test_hiding_is_for_forbids_that_are_asked_about_properties(head: str, meant: bool) -> None:
    base = platform({"schema.cedarschema": PLATFORM_SCHEMA.replace("action read in", "action read, readProperty in")})
    for hides in ("salary", "*"):
        layer = acme({"a.cedar": f'\n@id("h") @hides("{hides}") forbid(principal, {head}, resource);'})
        if meant:
            joined(base, layer)
        else:
            sentence = (
                'tenants/acme/a.cedar:2: `@hides` is for a forbid of `PolicyService::Action::"readProperty"`, '
                "name that action or a group of it"
            )
            assert refused(base, layer) == [sentence]
    joined(base, acme({"a.cedar": f'@id("h") forbid(principal, {head}, resource);'}))


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ('@hides("salary") permit(principal, action, resource);', "take the `@hides` off this permit"),
        ("@hides forbid(principal, action, resource);", "`@hides` lacks a name"),
        ('@hides("a*b") forbid(principal, action, resource);', "`a*b` has a `*` before its end"),
    ],
)
def test_hiding_that_can_not_be_meant_is_a_finding(policy: str, sentence: str) -> None:
    (finding,) = refused(platform(), acme({"a.cedar": f"\n{policy}"}))
    assert finding.startswith("tenants/acme/a.cedar:2: ")
    assert sentence in finding
