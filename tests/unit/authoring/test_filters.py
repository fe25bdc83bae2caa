"""What lists come to: for whom a filter is exact, what a list starts from, and of which rows it is."""

from __future__ import annotations

import pytest

from policy_service.authoring.filters import EXPORT, LENGTH, READ, Answer, tell_filters
from policy_service.policy.hiding import READ_PROPERTY
from tests.property.files import make_bundle

GROUPS = "g, user:a, group:staff, acme\n"
OWNER = "relationships:\n  owns: {attribute: {on: to, name: owner}}\n"


def tell(policies: str, action: str = READ, kind: str = "entity", **files: str) -> list[Answer]:
    bundle = make_bundle({"p.cedar": policies, "groups.csv": GROUPS, **files})
    return [answer for answer in tell_filters(bundle) if (answer.action, answer.kind) == (action, kind)]


def one(policies: str, **files: str) -> Answer:
    """What a list of somebody in `staff` comes to."""
    return next(answer for answer in tell(policies, **files) if "user:a" in answer.subjects)


def permit(condition: str, head: str = "principal, action, resource") -> str:
    return f'@id("p") permit({head}) when {{ {condition} }};'


def test_each_action_is_told_of_entities_relationships_and_properties() -> None:
    bundle = make_bundle({"p.cedar": "permit(principal, action, resource);"})
    answers = [(answer.action, answer.kind, answer.lead) for answer in tell_filters(bundle)]
    assert answers == [
        (READ, "entity", "every row is in it"),
        (READ, "relationship", "every row is in it"),
        (EXPORT, "entity", "every row is in it"),
        (EXPORT, "relationship", "every row is in it"),
        (READ_PROPERTY, "property", "it hides nothing"),
    ]


def test_subjects_of_whom_the_same_is_said_are_told_together() -> None:
    answers = tell('permit(principal in Group::"staff", action, resource);')
    assert [(answer.subjects, answer.lead, answer.rows) for answer in answers] == [
        (("user:a",), "every row is in it", "every row"),
        (("anybody else",), "no row is in it", "no row"),
    ]


@pytest.mark.parametrize(
    ("condition", "lead"),
    [
        ("resource.owner.contains(principal)", "it starts from `owner`"),
        ("resource.zone == 7", "it looks at every row, unless tenant.yaml says `indexed: [zone]`"),
        ("resource.n < 7", "it looks at every row"),
    ],
)
def test_a_list_starts_from_an_index_or_looks_at_every_row(condition: str, lead: str) -> None:
    told = one(permit(condition), **{"relationships.yaml": OWNER})
    assert (told.lead, told.opaque) == (lead, ())
    assert told.scans is ("looks" in lead)


def test_what_tenant_yaml_calls_indexed_is_started_from() -> None:
    assert one(permit("resource.zone == 7"), **{"tenant.yaml": "name: x\nindexed: [zone]\n"}).lead == (
        "it starts from `zone`"
    )


def test_what_is_restricted_is_never_proposed_to_be_indexed() -> None:
    assert one(permit("resource.ssn == 7"), **{"tenant.yaml": "name: x\nrestricted: [ssn]\n"}).lead == (
        "it looks at every row"
    )


def test_what_can_t_be_said_of_rows_is_told_with_its_policy() -> None:
    told = one(
        "permit(principal, action, resource);\n"
        + permit("true").replace("permit", "forbid").replace("true", "ip(resource.addr).isLoopback()")
    )
    assert told.opaque == ("`p` (tenants/acme/p.cedar:2): `ip` of a text that the row has: `ip(resource.addr)`",)
    assert told.rows.startswith("(addr is a text and ")


def test_what_is_too_much_for_sql_is_told_too() -> None:
    (told,) = one(permit(f"{' + '.join(f'resource.n{n}' for n in range(12))} == 3")).opaque
    assert told.startswith("it adds up more than ")


def test_where_every_row_is_decided_one_by_one_not_every_row_is_said_to_be_in_it() -> None:
    told = one(permit('resource.addr like "' + "x" * 1_100 + '*"'))
    assert (told.lead, bool(told.opaque)) == ("it looks at every row", True)


def test_an_export_is_of_what_may_be_read_as_well() -> None:
    read = permit("resource.a == 1", 'principal, action == PolicyService::Action::"read", resource')
    export = permit("resource.b == 2", 'principal, action == PolicyService::Action::"export", resource')
    (told, *_) = tell(read + export.replace('"p"', '"q"'), EXPORT)
    assert told.rows == "(a = 1 and b = 2)"


def test_a_relationship_is_seen_where_both_ends_are() -> None:
    (told, *_) = tell(permit("resource.a == 1"), kind="relationship")
    assert told.rows.count("a = 1") == 3
    assert "the entity it goes to" in told.rows


def test_the_subject_is_asked_for_with_what_files_say_of_it_now_and_from_somewhere() -> None:
    entities = '[{"uid": {"type": "user", "id": "a"}, "attrs": {"level": 3}, "parents": []}]'
    files = {"entities.json": entities}
    assert one(permit("resource.n == principal.level"), **files).rows == "n = 3"
    asked = 'context.now > datetime("2020-01-01") && context.caller.ip.isLoopback()'
    assert one(permit(asked), **files).rows == "every row"


def test_what_is_hidden_is_told_but_for_rows_that_nobody_reads() -> None:
    policies = (
        "permit(principal, action, resource);"
        "forbid(principal, action, resource) when { resource has secret && resource.secret == true };"
        '@hides("pay, tag.*") forbid(principal, action == PolicyService::Action::"readProperty", resource is person)'
        ' unless { principal in Group::"staff" };'
    )
    answers = tell(policies, READ_PROPERTY, "property")
    assert [(answer.subjects, answer.lead, answer.rows) for answer in answers] == [
        (("user:a",), "it hides nothing", "no row"),
        (("anybody else",), "it hides `pay`, `tag.*`", 'type = "person"'),
    ]


def test_a_long_filter_is_cut() -> None:
    told = one(permit(f'resource.a == "{"x" * 2_000}"'))
    assert len(told.rows) == LENGTH
