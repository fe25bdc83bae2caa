"""Sets."""

from __future__ import annotations

import pytest

from policy_service.policy.residual.sets import contains, contains_all, contains_any, is_empty
from policy_service.policy.residual.symbols import Fixed, Lost, Member
from tests.unit.policy.residual.questions import tell

# a condition, when it is true of a row and when it is false; on all others it fails
TOLD = {
    'resource.tags.contains("x")': (
        'some of tags is one of "x"',
        '(tags is a set and not (some of tags is one of "x"))',
    ),
    'resource.tags.contains(ip("10.0.0.1"))': (
        "no row",
        "tags is a set",
    ),
    "resource.tags.contains(principal)": (
        "no row",
        "tags is a set",
    ),
    "resource.tags.contains(resource)": (
        "no row",
        "tags is a set",
    ),
    "resource.tags.contains(resource.a)": (
        "tags contains a",
        "(tags is a set and a is there and not (tags contains a))",
    ),
    "resource.tags.contains(resource.n + 1)": (
        "decided one by one: a computed value is looked for in a set of the row",
        "decided one by one: a computed value is looked for in a set of the row",
    ),
    "resource.owner.contains(principal)": (
        "some of owner is one of user:alice",
        "(owner is there and not (some of owner is one of user:alice))",
    ),
    'resource.owner.contains("x")': (
        "no row",
        "owner is there",
    ),
    "resource.owner.contains(resource)": (
        "decided one by one: the row itself is looked for in a set of the row",
        "decided one by one: the row itself is looked for in a set of the row",
    ),
    "resource.owner.contains(resource.a)": (
        "no row",
        "(owner is there and a is there)",
    ),
    '["x", 1].contains(resource.a)': (
        'a is one of "x", 1',
        '(a is there and not (a is one of "x", 1))',
    ),
    '["x"].contains(resource.a)': (
        'a = "x"',
        '(a is there and not (a = "x"))',
    ),
    "[].contains(resource.a)": (
        "no row",
        "a is there",
    ),
    "[principal].contains(resource)": (
        '(type = "user" and id = "alice")',
        'not ((type = "user" and id = "alice"))',
    ),
    "[resource.a, 1].contains(2)": (
        "a = 2",
        "(a is there and not (a = 2))",
    ),
    "[resource.a, 1].contains(resource.b)": (
        "(a is there and (b = 1 or a = b))",
        "(a is there and b is there and not ((b = 1 or a = b)))",
    ),
    '["x"].contains(resource.n + 1)': (
        "no row",
        "(n + 1) is there",
    ),
    '"x".contains(resource.a)': (
        "no row",
        "no row",
    ),
    'resource.tags.containsAll(["x", "y"])': (
        'tags contains all of "x", "y"',
        '(tags is a set and not (tags contains all of "x", "y"))',
    ),
    "resource.tags.containsAll([])": (
        "tags is a set",
        "no row",
    ),
    'resource.tags.containsAll(["x", principal])': (
        "no row",
        "tags is a set",
    ),
    'resource.tags.containsAll(["x", ip("10.0.0.1")])': (
        "no row",
        "tags is a set",
    ),
    "resource.tags.containsAll(resource.labels)": (
        "tags contains all of labels",
        "(tags is a set and labels is a set and not (tags contains all of labels))",
    ),
    "resource.tags.containsAll(resource.owner)": (
        "no row",
        "(tags is a set and owner is there)",
    ),
    "resource.owner.containsAll(resource.tags)": (
        "(owner is there and tags = [])",
        "(owner is there and tags is a set and not ((owner is there and tags = [])))",
    ),
    '["x", "y"].containsAll(resource.tags)': (
        'all of tags are among "x", "y"',
        '(tags is a set and not (all of tags are among "x", "y"))',
    ),
    '["x", principal].containsAll(resource.owner)': (
        "all of owner are among user:alice",
        "(owner is there and not (all of owner are among user:alice))",
    ),
    '["x"].containsAll([resource.a])': (
        'a = "x"',
        '(a is there and not (a = "x"))',
    ),
    "[resource.a].containsAll(resource.tags)": (
        "(a is there and decided one by one: a set of the row is held against a set made of what it has)",
        "(a is there and decided one by one: a set of the row is held against a set made of what it has)",
    ),
    '[resource.a, "y"].containsAll(["x"])': (
        'a = "x"',
        '(a is there and not (a = "x"))',
    ),
    'resource.tags.containsAll("x")': (
        "no row",
        "no row",
    ),
    'resource.tags.containsAny(["x", "y"])': (
        'some of tags is one of "x", "y"',
        '(tags is a set and not (some of tags is one of "x", "y"))',
    ),
    "resource.tags.containsAny([])": (
        "no row",
        "tags is a set",
    ),
    '["x"].containsAny(resource.tags)': (
        'some of tags is one of "x"',
        '(tags is a set and not (some of tags is one of "x"))',
    ),
    'resource.tags.containsAny([resource.a, "y"])': (
        '(a is there and (tags contains a or some of tags is one of "y"))',
        '(a is there and tags is a set and not ((tags contains a or some of tags is one of "y")))',
    ),
    "resource.tags.containsAny(resource.labels)": (
        "labels shares an element with tags",
        "(labels is a set and tags is a set and not (labels shares an element with tags))",
    ),
    "resource.tags.containsAny(resource.owner)": (
        "no row",
        "(owner is there and tags is a set)",
    ),
    "[resource.a].containsAny([1])": (
        "a = 1",
        "(a is there and not (a = 1))",
    ),
    'resource.tags.containsAny("x")': (
        "no row",
        "no row",
    ),
    "resource.tags.isEmpty()": (
        "tags = []",
        "(tags is a set and not (tags = []))",
    ),
    "resource.owner.isEmpty()": (
        "no row",
        "owner is there",
    ),
    "[resource.a].isEmpty()": (
        "no row",
        "a is there",
    ),
    "(resource.n + 1).isEmpty()": (
        "no row",
        "no row",
    ),
}


def test_sets_are_asked() -> None:
    assert tell(list(TOLD)) == TOLD


@pytest.mark.parametrize(
    "verdict",
    [
        is_empty(Member()),
        contains(Member(), Fixed("staff")),
        contains_all(Fixed(["staff"]), Member()),
        contains_any(Member(), Fixed(["staff"])),
    ],
)
def test_all_groups_of_a_row_are_opaque(verdict: object) -> None:
    assert isinstance(verdict, Lost)
