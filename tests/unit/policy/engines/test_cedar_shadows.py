"""A tenant's names at the top that the service uses in its namespace too: each keeps its own meaning."""

from pathlib import Path

import pytest

from policy_service.model import Uid
from policy_service.policy.engines import cedar, cedar_schema
from policy_service.policy.engines.cedar_declarations import read_declarations
from policy_service.policy.engines.cedar_shadows import Aliases, Names, find_shadowed, qualify, read_paths
from policy_service.policy.engines.cedar_text import scan

PLATFORM = (Path(__file__).parents[4] / "policies" / "schema.cedarschema").read_text()
PATH = "tenants/press/schema.cedarschema"
TENANT = """entity Operator in [Group] = { tenant: String, badge: Long, chief?: PolicyService::Operator };
entity article = { tenant: String, editor?: Operator };
type Caller = { desk: String };
action viewing;
action read, readProperty in [viewing] appliesTo {
  principal: Operator, resource: article, context: { caller: Caller, service?: PolicyService::Caller }
};
action audit in [read] appliesTo { principal: Operator, resource: article };
"""


def join(tenant: str = TENANT) -> str:
    text, findings = cedar_schema.join_schemas(PLATFORM, tenant, PATH)
    assert not findings, findings
    return text


def validate(policies: str, schema: str | None = None) -> list[str]:
    parsed, findings = cedar.parse("x.cedar", policies)
    assert not findings
    return [finding.sentence for finding in cedar_schema.validate(parsed, schema or join())]


def test_cedar_alone_refuses_such_a_schema():
    with pytest.raises(ValueError, match="illegally shadows"):
        cedar.read_schema(PLATFORM + "action read;")
    with pytest.raises(ValueError, match="illegally shadows"):
        cedar.read_schema(PLATFORM + "entity Operator;")


def test_a_tenant_may_declare_every_name_of_the_service_at_the_top():
    declared = [found for found in read_declarations(PLATFORM) if found.namespace == "PolicyService"]
    entities, types, actions = (
        [name.text for found in declared if found.kind == kind for name in found.names]
        for kind in ("entity", "type", "action")
    )
    assert all([entities, types, actions])
    tenant = f"entity {', '.join(entities)} = {{ own: Long }};" + "".join(f"type {name} = Long;" for name in types)
    tenant += f"action {', '.join(actions)} appliesTo {{ principal: Operator, resource: HostedTenant }};"
    text = join(tenant)
    ours = {Uid("Action", name): frozenset[Uid]() for name in actions}
    assert cedar_schema.action_parents(text) == {**cedar_schema.action_parents(PLATFORM), **ours}
    for name in actions:
        assert (
            validate(f'permit(principal, action == Action::"{name}", resource) when {{ resource.own > 1 }};', text)
            == []
        )


def test_actions_keep_their_names_and_their_groups():
    parents = cedar_schema.action_parents(join())
    viewing = {Uid("PolicyService::Action", name) for name in ("viewing", "tenantData")}
    assert parents[Uid("PolicyService::Action", "read")] == viewing
    assert parents[Uid("Action", "read")] == {Uid("Action", "viewing")}
    assert parents[Uid("Action", "audit")] == {Uid("Action", "read"), Uid("Action", "viewing")}
    assert cedar_schema.action_names(join()) == frozenset(parents)


@pytest.mark.parametrize(
    "rule",
    [
        'permit(principal is Operator, action == Action::"read", resource) when { context.caller.desk == "news" };',
        'permit(principal is Operator, action == Action::"read", resource) when { resource == article::"a" };',
        'permit(principal, action in Action::"viewing", resource) when { principal.badge > 1 };',
        'permit(principal, action == PolicyService::Action::"read", resource) when { context.caller has ip };',
        'permit(principal, action in PolicyService::Action::"viewing", resource is PolicyService::AnyAsset);',
        'permit(principal is Operator, action in PolicyService::Action::"viewing", resource)'
        " when { principal.badge > 1 };",
        "forbid(principal is PolicyService::Operator, action, resource) when { principal has authn };",
        'permit(principal == Operator::"a", action, resource) when { principal.badge > 1 };',
        'permit(principal == PolicyService :: Operator // two lines\n:: "a", action, resource)'
        " when { principal has authn && principal.authn.mfa };",
        'permit(principal, action == Action::"audit", resource) when { action in Action::"viewing" };',
        'permit(principal, action in [PolicyService::Action::"\\u{72}ead"], resource is article);',
        'permit(principal, action == Action::"read", resource)'
        ' when { principal has chief && principal.chief == PolicyService::Operator::"a" };',
        'permit(principal, action == Action::"read", resource)'
        ' when { resource has editor && resource.editor == principal && resource.editor == Operator::"a" };',
        'permit(principal, action == Action::"read", resource)'
        " when { context has service && context.service has ip && context.service.ip.isLoopback() };",
    ],
)
def test_both_meanings_stand_side_by_side(rule):
    assert validate(rule) == []


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            'permit(principal, action == PolicyService::Action::"read", resource) when { context.caller.desk == "x" };',
            'attribute `caller.desk` in context for PolicyService::Action::"read" not found',
        ),
        (
            'permit(principal, action == Action::"read", resource) when { context.now > context.now };',
            'attribute `now` in context for Action::"read" not found',
        ),
        (
            "permit(principal is PolicyService::Operator, action, resource) when { principal.badge > 1 };",
            "attribute `badge` on entity type `PolicyService::Operator` not found",
        ),
        (
            "permit(principal is Operator, action, resource) when { principal.authn.mfa };",
            "attribute `authn` on entity type `Operator` not found",
        ),
        (
            'permit(principal, action == PolicyService::Action::"audit", resource);',
            'unrecognized action `PolicyService::Action::"audit"`',
        ),
        ('permit(principal, action == Action::"list", resource);', 'unrecognized action `Action::"list"`'),
        ('permit(principal == PolicyService::article::"a", action, resource);', "`PolicyService::article`"),
        # what they are called for Cedar is no name for anybody
        (
            'permit(principal, action == PolicyService::Action::"Own0_read", resource);',
            '`PolicyService::Action::"Own0_read"`',
        ),
        ('permit(principal == PolicyService::Own0_Operator::"a", action, resource);', "`PolicyService::Own0_Operator`"),
    ],
)
def test_what_is_wrong_is_still_found_and_told_with_true_names(rule, sentence):
    told = validate(rule)
    assert any(sentence in finding for finding in told), told
    assert "Own1_" not in "".join(told)
    if "Own0_" not in rule:
        assert "Own0_" not in "".join(told)


def test_a_schema_that_is_wrong_is_told_at_its_line_with_true_names():
    def refuse(tenant: str) -> list[str]:
        return [str(finding) for finding in cedar_schema.join_schemas(PLATFORM, TENANT + tenant, PATH)[1]]

    line = TENANT.count("\n") + 1
    (told,) = refuse("\nentity A\nentity B;")
    assert told.startswith(f"{PATH}:{line + 2}: invalid schema: unexpected token `entity`")
    (told,) = refuse('action again in [Action::"read", Action::"raed"];')
    assert 'Action::"raed"' in told
    assert "Own0_" not in told
    (told,) = refuse("entity A = {x: PolicyService::Caller, y: PolicyService::Own0_Caller};")
    assert "PolicyService::Own0_Caller" in told
    # a tenant's own names still may not shadow each other
    (told,) = refuse("\nnamespace Press { action audit; }")
    assert 'definition of `Press::Action::"audit"` illegally shadows' in told


def test_without_names_in_common_nothing_changes():
    plain = "entity user in [Group]; action press appliesTo { principal: user, resource: user };"
    declarations = [*read_declarations(PLATFORM), *read_declarations(plain)]
    assert find_shadowed(declarations) == Names(frozenset(), frozenset())
    assert qualify(PLATFORM, find_shadowed(declarations)) == PLATFORM
    aliases = Aliases(PLATFORM + plain, ['permit(principal, action == PolicyService::Action::"read", resource);'])
    assert aliases.write_schema(PLATFORM) == PLATFORM
    assert aliases.write_policy('// PolicyService::Action::"read"') == '// PolicyService::Action::"read"'
    assert aliases.restore("Own0_read") == "Own0_read"
    # a name in a namespace of the tenant's is no name at the top
    spaced = "namespace Press { entity Operator; action read; }"
    assert not any(find_shadowed([*read_declarations(PLATFORM), *read_declarations(spaced)]))


def test_only_references_to_the_services_own_names_are_qualified():
    platform = """namespace PolicyService {
  entity list; type read = { read: list, @list("read") "list"?: Set<read> };
  action "list", update in ["read", update, Action::"read", PolicyService::Action::"read", Other::Action::"read"]
    appliesTo { principal: [list, Other::list], resource: list, context: { list: read, other: PolicyService::read } };
}
namespace Other { entity list = { of: PolicyService::list }; action read in [read]; }
"""
    assert qualify(platform, Names(frozenset({"list", "read"}), frozenset({"read", "update", "in"}))) == (
        """namespace PolicyService {
  entity list; type read = { read: PolicyService::list, @list("read") "list"?: Set<PolicyService::read> };
  action "list", update in [PolicyService::Action::"read", PolicyService::Action::"update", """
        """PolicyService::Action::"read", PolicyService::Action::"read", Other::Action::"read"]
    appliesTo { principal: [PolicyService::list, Other::list], resource: PolicyService::list, """
        """context: { list: PolicyService::read, other: PolicyService::read } };
}
namespace Other { entity list = { of: PolicyService::list }; action read in [read]; }
"""
    )


def test_paths_are_the_longest_there_are():
    paths = [[token.text for token in path] for path in read_paths(list(scan('a A :: B::"c" [x.y::z, "s"] is N::T::')))]
    assert paths == [["a"], ["A", "B", '"c"'], ["x"], ["y", "z"], ['"s"'], ["is"], ["N", "T"]]


def test_longer_paths_and_attributes_are_left_alone():
    aliases = Aliases(join())
    for text in (
        "x.PolicyService.Operator",
        "A::PolicyService::Operator",
        "PolicyService::Operator::More",
        '"Operator"',
    ):
        assert aliases.write_policy(text) == text
    assert aliases.write_policy('PolicyService::Operator::"Operator"') == 'PolicyService::Own0_Operator::"Operator"'
