"""Attributes, members and tags."""

from __future__ import annotations

from tests.unit.policy.residual.questions import tell

# a condition, when it is true of a row and when it is false; on all others it fails
TOLD = {
    "resource has a": (
        "a is there",
        "not (a is there)",
    ),
    "resource has a.b": (
        "a.b is there",
        "(not (a is there) or ((a is a record or a is a number) and not (a.b is there)))",
    ),
    "resource.a has b": (
        "a.b is there",
        "((a is a record or a is a number) and not (a.b is there))",
    ),
    'resource.a has "__number"': (
        "a is a number",
        "a is a record",
    ),
    'resource.a["__number"] == "1e30"': (
        "(a is a number and decided one by one: the text of a number that is no Long and no decimal)",
        "(a is a number and decided one by one: the text of a number that is no Long and no decimal)",
    ),
    'resource has "a\\u{0}"': (
        "no row",
        "every row",
    ),
    'resource["a\\u{0}"] == 1': (
        "no row",
        "no row",
    ),
    'resource.a["a\\u{0}"] == 1': (
        "no row",
        "no row",
    ),
    "resource has tenant": (
        "every row",
        "no row",
    ),
    'resource.tenant == "acme"': (
        "every row",
        "no row",
    ),
    "resource.a.b == 1": (
        "a.b = 1",
        "(a.b is there and not (a.b = 1))",
    ),
    "resource.owner.b == 1": (
        "no row",
        "no row",
    ),
    "resource has owner": (
        "owner is there",
        "not (owner is there)",
    ),
    "resource has owner.b": (
        "no row",
        "not (owner is there)",
    ),
    'resource.hasTag("k")': (
        "tag.k is there",
        "not (tag.k is there)",
    ),
    'resource.hasTag("a\\u{0}")': (
        "no row",
        "every row",
    ),
    'resource.getTag("k") == "x"': (
        'tag.k = "x"',
        '(tag.k is there and not (tag.k = "x"))',
    ),
    'resource.getTag(resource.a) == "x"': (
        "(a is a text and decided one by one: a tag whose name is computed)",
        "(a is a text and decided one by one: a tag whose name is computed)",
    ),
    "resource.hasTag(resource.a)": (
        "decided one by one: a tag whose name is computed",
        "decided one by one: a tag whose name is computed",
    ),
    "resource.hasTag(1 + 1)": (
        "no row",
        "no row",
    ),
    'resource.a.hasTag("k")': (
        "no row",
        "no row",
    ),
    "principal.hasTag(resource.a)": (
        'a is one of "env", "zone"',
        '(a is a text and not (a is one of "env", "zone"))',
    ),
    'principal.getTag(resource.a) == "prod"': (
        'a = "env"',
        'a = "zone"',
    ),
    "{x: resource.a}.x == 1": (
        "a = 1",
        "(a is there and not (a = 1))",
    ),
    "{x: resource.a}.y == 1": (
        "no row",
        "no row",
    ),
    "{x: resource.a} has x": (
        "a is there",
        "no row",
    ),
}


def test_members_are_found() -> None:
    assert tell(list(TOLD)) == TOLD
