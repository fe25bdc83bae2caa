"""`relationships.yaml`: what stored relationships draw."""

from __future__ import annotations

import pytest

from policy_service.model import Version
from policy_service.policy.bundle import join
from policy_service.policy.files import parse_layer
from policy_service.policy.relationships import Attribute, Drawing, parse_relationships

PATH = "tenants/acme/relationships.yaml"
POLICY = {"a.cedar": b'@id("p") permit(principal, action, resource);'}


def test_a_parent_and_an_attribute_are_drawn() -> None:
    text = """
relationships:
  acme_team_owns_host: {parent: from, attribute: {on: to, name: team}}
  host_in_zone: {parent: to}
  user_has_key: {attribute: {on: from, name: keys}}
"""
    assert parse_relationships(PATH, text) == (
        {
            "acme_team_owns_host": Drawing("from", Attribute("to", "team"), 3),
            "host_in_zone": Drawing("to", None, 4),
            "user_has_key": Drawing(None, Attribute("from", "keys"), 5),
        },
        [],
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "relationships:\n", "relationships: {}\n"])
def test_nothing_may_be_drawn(text: str) -> None:
    assert parse_relationships(PATH, text) == ({}, [])


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("- x\n", 1, "no map, write `relationships:`"),
        ("\nrules: {}\n", 2, "`rules` is nothing this file has"),
        ("relationships: []\n", 1, "`relationships` is no map"),
        ("relationships:\n  owns:\n", 2, "`owns`: nothing is drawn"),
        ("relationships:\n  owns: {}\n", 2, "nothing is drawn"),
        ("relationships:\n  owns: {parent: both}\n", 2, "`parent` is neither `from` nor `to`"),
        ("relationships:\n  owns: {parent: null}\n", 2, "`parent` is neither"),
        ("relationships:\n  a: {parent: to}\n  owns: {paren: to}\n", 3, "`paren` is nothing that is read here"),
        ("relationships:\n  owns: {attribute: team}\n", 2, "`attribute` is no map"),
        ("relationships:\n  owns: {attribute: {name: team}}\n", 2, "`on` is neither"),
        ("relationships:\n  owns: {attribute: {on: to}}\n", 2, "is no name"),
        ("relationships:\n  owns: {attribute: {on: to, name: '__entity'}}\n", 2, "is no name"),
        ("relationships:\n  owns: {attribute: {on: to, name: property.x}}\n", 2, "is no name"),
        ("relationships:\n  owns: {attribute: {on: to, name: class}}\n", 2, "the entity's own or the service's"),
        ("relationships:\n  owns: {attribute: {on: to, name: tenant}}\n", 2, "the entity's own or the service's"),
        ("relationships:\n  owns: {attribute: {on: to, name: x, of: y}}\n", 2, "`of` is nothing"),
        ("relationships: *x\n", 1, "alias"),
        ('relationships:\n  "a\\0b": {parent: to}\n', 2, "this is no type"),
        ("relationships:\n  '': {parent: to}\n", 2, "this is no type"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, told: str) -> None:
    drawings, findings = parse_relationships(PATH, text)
    assert drawings == {}
    assert [(finding.path, finding.line) for finding in findings] == [(PATH, line)]
    assert told in findings[0].sentence


def _join(platform: bytes, tenant: bytes):
    settings = {"tenant.yaml": b"name: Acme\nrestricted: [ssn]\n", "relationships.yaml": tenant}
    return join(
        parse_layer("policies", {**POLICY, "relationships.yaml": platform}, tenant=None),
        parse_layer(
            "tenants/acme",
            {**settings, "entities.json": b'[{"uid": {"type": "Team", "id": "red"}}]'},
            tenant="acme",
        ),
        Version("0" * 64),
    )


def test_a_bundle_has_what_both_layers_draw() -> None:
    bundle, findings = _join(b"relationships:\n  a: {parent: to}\n", b"relationships:\n  b: {parent: from}\n")
    assert findings == []
    assert bundle is not None
    assert {kind: drawing.parent for kind, drawing in bundle.relationships.items()} == {"a": "to", "b": "from"}
    assert bundle.restricted == {"ssn"}
    assert bundle.file_types == {"Team"}


def test_a_tenant_can_not_redraw_what_the_platform_draws() -> None:
    bundle, findings = _join(b"relationships:\n  a: {parent: to}\n", b"relationships:\n\n  a: {parent: from}\n")
    assert bundle is None
    assert [str(finding) for finding in findings] == [
        "tenants/acme/relationships.yaml:3: what `a` draws is told by policies/relationships.yaml:2, take it out"
    ]
