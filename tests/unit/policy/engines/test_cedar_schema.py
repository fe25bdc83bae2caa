"""Schemas: what a tenant may declare, how two become one, and what is validated against them."""

import pytest

from policy_service.model import Uid
from policy_service.policy.engines import cedar, cedar_schema

PLATFORM = """// the service's own
@doc("namespace {") namespace PolicyService {
  type Authn = { method: String, mfa: Bool };
  type Caller = { ip: ipaddr, key: String };
  entity Tenant = { tenant: String };
  entity Subject in [Group] = { tenant: String, authn?: Authn };
  action data;
  action view in [data], change in data;
  @note("x") action "read", list in [view] appliesTo {
    principal: [Subject], resource: Tenant,
    context: { now: datetime, principal?: Long, caller?: Caller }
  };
  action write, remove in [PolicyService::Action::"change"] appliesTo { resource: [Tenant], principal: Subject };
}
entity Group in [Group];
""".replace("action view in [data], change in data;", "action view, change in [data];")

TENANT = """namespace Inventory {
  entity Host, Store in [Team] = { tenant: String, owner?: Set<user> } tags String;
  entity Team = { tenant: String };
}
entity user in [Group] = { tenant: String, authn?: PolicyService::Authn };
entity Colour enum ["red"];
action poke appliesTo { principal: user, resource: Inventory::Host, context: { caller?: PolicyService::Caller } };
"""
PATH = "tenants/acme/schema.cedarschema"


def join(tenant: str = TENANT) -> str:
    text, findings = cedar_schema.join_schemas(PLATFORM, tenant, PATH)
    assert not findings, findings
    return text


def refuse(tenant: str) -> list[str]:
    text, findings = cedar_schema.join_schemas(PLATFORM, tenant, PATH)
    assert not text or findings
    return [str(finding).removeprefix(f"{PATH}:") for finding in findings]


def validate(policies: str, schema: str | None = None) -> list[str]:
    parsed, findings = cedar.parse("x.cedar", policies)
    assert not findings
    return [str(finding) for finding in cedar_schema.validate(parsed, schema or join())]


def test_a_schema_tells_its_types_and_actions():
    schema, findings = cedar_schema.parse_schema("policies/schema.cedarschema", PLATFORM, platform=True)
    assert not findings
    assert schema is not None
    assert schema.types == ("PolicyService::Tenant", "PolicyService::Subject", "Group")
    tenant, findings = cedar_schema.parse_schema(PATH, TENANT)
    assert not findings
    assert tenant is not None
    assert tenant.types == ("Inventory::Host", "Inventory::Store", "Inventory::Team", "user", "Colour")


def test_actions_have_all_their_ancestors():
    def own(*names: str) -> frozenset[Uid]:
        return frozenset(Uid("PolicyService::Action", name) for name in names)

    parents = cedar_schema.action_parents(join())
    assert parents[Uid("PolicyService::Action", "read")] == own("view", "data")
    assert parents[Uid("PolicyService::Action", "remove")] == own("change", "data")
    assert parents[Uid("PolicyService::Action", "data")] == frozenset()
    assert parents[Uid("Action", "poke")] == frozenset()
    assert cedar_schema.action_names(join()) == frozenset(parents)


@pytest.mark.parametrize(
    ("reference", "parent"),
    [
        ("b", Uid("N::Action", "b")),
        ('"b"', Uid("N::Action", "b")),
        ('Action::"b"', Uid("N::Action", "b")),
        ('[N::Action::"b"]', Uid("N::Action", "b")),
        ('M::Action::"b"', Uid("M::Action", "b")),
        ('[Action::"top"]', Uid("Action", "top")),
        ('"\\u{62}"', Uid("N::Action", "b")),
    ],
)
def test_references_to_actions_are_resolved_as_cedar_does(reference, parent):
    text = f"namespace N {{ action b; action a in {reference}; }} namespace M {{ action b; }} action top;"
    schema, findings = cedar_schema.parse_schema("x", text, platform=True)
    assert not findings
    assert schema is not None
    assert schema.actions[Uid("N::Action", "a")] == {parent}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("\nentity Group;", "2: `Group` can't be declared here, `Group` is declared by the platform's schema"),
        ("type Group = Long;", "1: `Group` can't be declared here, `Group` is declared by the platform's schema"),
        ("entity A, Group;", "1: `Group` can't be declared here, `Group` is declared by the platform's schema"),
        ("@a namespace PolicyService { entity X; }", "1: `PolicyService` can't be declared here"),
        ("namespace PolicyService::X {}", "1: `PolicyService::X` can't be declared here"),
        ("namespace A { entity Action; }", "1: `A::Action` can't be declared here, `Action` is the type of actions"),
        ("entity Action;", "1: `Action` can't be declared here, `Action` is the type of actions"),
        ("entity Escaped_aa;", "1: `Escaped_aa` can't be declared here, names that start with `Escaped_`"),
        ("entity A {", "1: `{` is never closed"),
        ("}", "1: `}` closes nothing that is open"),
        ("entity A;\nentity B\nentity C;", "3: invalid schema: unexpected token `entity`"),
        ("entity A {\n x: Foo };", "2: invalid schema: failed to resolve type: Foo"),
        ("entity A;\nentity A;", "2: invalid schema: `A` is declared twice"),
        ("entity A = {x: PolicyService::Nope};", "1: invalid schema: failed to resolve type: PolicyService::Nope"),
        ("entity user; namespace X { entity user; }", "1: invalid schema: definition of `X::user` illegally shadows"),
        ("#", "1: `#` is no part of Cedar"),
        ('action a in [PolicyService::Action::"viewing"];', "1: `a` can't be in `viewing`, the groups of"),
        (
            'action b;\naction a, "c d" in [b, PolicyService::Action::"view\\u{69}ng"];',
            "2: `c d` can't be in `viewing`",
        ),
        ('namespace X { action a in PolicyService :: Action :: "operating"; }', "1: `X::a` can't be in `operating`"),
        ('action a in [b];\naction b in [PolicyService::Action::"viewing"];', "1: `a` can't be in `viewing`"),
        ("action a in [b];\naction b in [a];", "1: invalid schema: cycle in action hierarchy"),
    ],
)
def test_what_a_tenant_may_not_declare(text, finding):
    assert any(told.startswith(finding) for told in refuse(text)), refuse(text)


def test_a_broken_platform_schema_is_told_at_its_line():
    _, findings = cedar_schema.parse_schema("p", "entity A;\nentity B\nentity C;", platform=True)
    assert [str(finding) for finding in findings] == ["p:3: invalid schema: unexpected token `entity`"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("entity A = {a: " + "Set<" * 80 + "Long" + ">" * 80 + "};", "the schema nests brackets deeper than 64 levels"),
        ("entity A = " + "{a: " * 80 + "Long" + "}" * 80 + ";", "the schema nests brackets deeper than 64 levels"),
        (" " * 300_000, "the schema is larger than 262144 bytes"),
        ("".join(f"entity A{n};" for n in range(501)), "the schema declares more than 500 names"),
        (f"entity {', '.join(f'A{n}' for n in range(501))};", "the schema declares more than 500 names"),
        (
            "".join(f"type A{n} = {{x: A{n + 1}, y: A{n + 1}}};" for n in range(40)) + "type A40 = Long;",
            "the types of the schema become too large when written out",
        ),
        (
            "".join(f"type A{n} = {{x: A{n + 1}}};" for n in range(100)) + "type A100 = Long;",
            "the types of the schema become too large when written out",
        ),
        ("type A = {x: B, y: B}; type B = {x: A, y: A};", "the types of the schema become too large when written out"),
    ],
)
def test_a_schema_that_would_kill_or_stall_is_refused_before_cedar_sees_it(text, sentence, monkeypatch):
    monkeypatch.setattr(cedar_schema, "read_schema", lambda _: pytest.fail("cedar saw it"))
    assert [told.split(":", 1)[1].strip() for told in refuse(text)] == [sentence]


def test_the_platforms_common_types_count_for_a_tenant():
    bomb = "".join(f"type A{n} = {{x: A{n + 1}, y: A{n + 1}}};" for n in range(12)) + "type A12 = Long;"
    platform = PLATFORM.replace("namespace PolicyService {", f"namespace PolicyService {{ {bomb}")
    text = "".join(f"entity E{n} = {{a: PolicyService::A0}};" for n in range(12))
    assert cedar_schema.join_schemas(platform, text, PATH)[1]


def test_a_tenants_types_are_principals_and_resources_of_the_platforms_actions():
    rule = 'permit(principal is user, action == PolicyService::Action::"%s", resource is Inventory::Host);'
    for action in ("read", "list", "write", "remove"):
        assert validate(rule % action) == []
    # without the loader's work there is no such action for them
    told = validate(rule % "read", PLATFORM + TENANT)
    assert told == ["x.cedar:1: unable to find an applicable action given the policy scope constraints"]


def test_the_types_of_the_service_may_be_used():
    condition = "principal has authn && principal.authn.mfa && context has caller && context.caller.ip.isLoopback()"
    assert validate(f'permit(principal, action == Action::"poke", resource) when {{ {condition} }};') == []


def test_findings_are_at_the_policys_line():
    policies = """
permit(principal, action == Action::"poke", resource) when { resource.owner == principal };

permit(principal, action == Action::"nope", resource);
forbid(principal, action, resource) when { principal.tenant != resource.tenant };
forbid(principal is Nobody, action, resource);
"""
    schema = join(TENANT.replace('entity Colour enum ["red"];', ""))
    assert validate(policies, schema) == [
        "x.cedar:2: the types user and Set<user> are not compatible",
        "x.cedar:2: unable to guarantee safety of access to optional attribute `owner` "
        "on entity type `Inventory::Host`",
        "x.cedar:4: unable to find an applicable action given the policy scope constraints",
        'x.cedar:4: unrecognized action `Action::"nope"`',
        "x.cedar:6: unable to find an applicable action given the policy scope constraints",
        "x.cedar:6: unrecognized entity type `Nobody`",
    ]


def test_an_actions_properties_can_only_be_tested_with_has():
    schema = join(TENANT.replace('entity Colour enum ["red"];', ""))
    rule = 'permit(principal, action == Action::"poke", resource) when { %s };'
    assert validate(rule % "action has soft && action.soft", schema) == []
    assert len(validate(rule % "action.soft", schema)) == 1


def test_actions_that_are_alike_are_checked_once_and_named_ones_always():
    schema = join()
    policies, _ = cedar.parse("x", 'permit(principal, action == PolicyService::Action::"write", resource);')
    thinned = cedar_schema._thin(schema, policies)
    assert cedar_schema.action_parents(thinned) == cedar_schema.action_parents(schema)
    kept = [action for action in cedar_schema._actions(thinned) if cedar_schema.applies_of(action)]
    assert [[name.text for name in action.names] for action in kept] == [['"read"'], ["write", "remove"], ["poke"]]
    other, _ = cedar.parse("x", 'permit(principal, action == PolicyService::Action::"list", resource);')
    assert validate('permit(principal, action in PolicyService::Action::"data", resource);') == []
    assert not cedar_schema.validate(other, schema)


def applied(schema: str, policies: str) -> list[list[str]]:
    """The actions that still apply to something in what the policies are checked against."""
    parsed, _ = cedar.parse("x", policies)
    thinned = cedar_schema._thin(schema, parsed)
    assert cedar_schema.action_parents(thinned) == cedar_schema.action_parents(schema)
    kept = [action for action in cedar_schema._actions(thinned) if cedar_schema.applies_of(action)]
    return [[name.text for name in action.names] for action in kept]


@pytest.mark.parametrize(
    ("policies", "kept"),
    [
        ("permit(principal, action, resource);", [["c"], ["e"], ["f"]]),
        ('permit(principal, action in Action::"g", resource);', [["a"], ["c"], ["e"], ["f"]]),
        # an action that is named stands for no other
        ('permit(principal, action == Action::"c", resource);', [["c", "d"], ["e"], ["f"]]),
        ('permit(principal, action in [Action::"c", Action::"d"], resource);', [["a"], ["c", "d"], ["e"], ["f"]]),
        ('permit(principal == T::"g", action, resource) when { action == Action::"f" };', [["a"], ["c"], ["e"], ["f"]]),
    ],
)
def test_an_action_stands_for_those_that_apply_to_less_and_are_told_apart_by_nobody(policies, kept):
    schema = """entity T, U, V; action g;
action a in [g] appliesTo { principal: T, resource: [U] };
action b in g appliesTo { principal: [T], resource: U };
action c, d appliesTo { principal: [T, U], resource: [V, U] };
action e appliesTo { principal: T, resource: U, context: { x: Long } };
action f appliesTo { principal: V, resource: U };
"""
    assert applied(schema, policies) == kept


def test_thinning_changes_no_verdict(monkeypatch):
    policies = """
permit(principal, action == PolicyService::Action::"list", resource) when { context.now > datetime("2026-01-01") };
permit(principal, action == PolicyService::Action::"write", resource) when { context.now > datetime("2026-01-01") };
permit(principal, action in PolicyService::Action::"change", resource) when { resource.tenant == "acme" };
permit(principal, action, resource is Inventory::Host) when { resource.nope };
permit(principal == user::"remove", action == PolicyService::Action::"remove", resource);
permit(principal, action, resource) when { action == PolicyService::Action::"list" || resource.nope };
permit(principal, action, resource) when { !(action in PolicyService::Action::"view") && principal.nope };
"""
    thin = validate(policies)
    assert thin
    monkeypatch.setattr(cedar_schema, "_thin", lambda schema, policies: schema)
    assert validate(policies) == thin


def test_too_many_combinations_are_a_finding_and_no_stall():
    schema = join("".join(f"entity T{n} in [Group];" for n in range(450)))
    policies, _ = cedar.parse("x.cedar", "permit(principal, action, resource);" * 10)
    (finding,) = cedar_schema.validate(policies, schema)
    assert finding.sentence.startswith("10 policies are too many to check against ")


def test_two_schemas_that_are_too_large_together_are_a_finding():
    filler = f"entity user; // {'x' * (256 * 1024 - len('entity user; // '))}"
    assert cedar_schema.parse_schema(PATH, filler)[0]
    sentence = "the schema is larger than 262144 bytes, together with the platform's"
    assert refuse(filler) == [f"1: {sentence}"]


def test_a_schema_that_grows_too_large_by_thinning_is_a_finding():
    groups = ", ".join(f"g{number}" for number in range(490))
    schema = f"entity T; action {groups}; action a, b, c in [{groups}] appliesTo {{ principal: T, resource: T }};"
    schema += f"// {'x' * (256 * 1024 - len(schema) - 3)}"
    policies, _ = cedar.parse("x.cedar", 'permit(principal, action == Action::"a", resource);')
    assert [finding.sentence for finding in cedar_schema.validate(policies, schema)] == [
        "the schema can't be used: the schema is larger than 262144 bytes"
    ]


def test_nothing_to_validate_is_fine():
    assert cedar_schema.validate([], "no schema at all") == []
