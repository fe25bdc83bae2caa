"""Types and ancestors."""

from __future__ import annotations

from tests.unit.policy.residual.questions import tell

# a condition, when it is true of a row and when it is false; on all others it fails
TOLD = {
    "resource is Host": (
        'type = "Host"',
        'not (type = "Host")',
    ),
    "resource is Escaped_776520697264": (
        'type = "we ird"',
        'not (type = "we ird")',
    ),
    "resource is Escaped_zz": (
        "no row",
        "every row",
    ),
    "resource is PolicyService::Operator": (
        "no row",
        "every row",
    ),
    "resource.a is Host": (
        "no row",
        "no row",
    ),
    'resource is Host in Folder::"f"': (
        '(type = "Host" and the row is or is in Folder:f)',
        '(not (type = "Host") or not (the row is or is in Folder:f))',
    ),
    'resource in Folder::"f"': (
        "the row is or is in Folder:f",
        "not (the row is or is in Folder:f)",
    ),
    'resource in [Folder::"f", Folder::"g"]': (
        "the row is or is in Folder:f, Folder:g",
        "not (the row is or is in Folder:f, Folder:g)",
    ),
    'resource in [Folder::"f", "x"]': (
        "no row",
        "no row",
    ),
    "resource in []": (
        "no row",
        "every row",
    ),
    "resource in resource": (
        "every row",
        "no row",
    ),
    "resource in principal": (
        "the row is or is in user:alice",
        "not (the row is or is in user:alice)",
    ),
    "resource in resource.a": (
        "no row",
        "a = []",
    ),
    "resource in resource.owner": (
        "decided one by one: whether the row is in entities that relationships draw",
        "decided one by one: whether the row is in entities that relationships draw",
    ),
    'resource in [resource, Folder::"f"]': (
        "every row",
        "no row",
    ),
    'resource == Host::"a\\u{0}"': (
        "no row",
        "every row",
    ),
    "principal in resource": (
        '(type = "user" and id = "alice")',
        'not ((type = "user" and id = "alice"))',
    ),
    'principal in [resource, Folder::"f"]': (
        '(type = "user" and id = "alice")',
        'not ((type = "user" and id = "alice"))',
    ),
    'principal in [resource, Group::"staff"]': (
        "every row",
        "no row",
    ),
    "principal in resource.owner": (
        "some of owner is one of user:alice, group:staff",
        "(owner is there and not (some of owner is one of user:alice, group:staff))",
    ),
    "principal in resource.a": (
        "no row",
        "a = []",
    ),
    'resource.a in Folder::"f"': (
        "no row",
        "no row",
    ),
    "principal in resource.n + 1": (
        "no row",
        "no row",
    ),
}


def test_entities_are_placed() -> None:
    assert tell(list(TOLD)) == TOLD
