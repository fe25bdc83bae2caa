"""Whether values are equal, and in which order they are."""

from __future__ import annotations

from tests.unit.policy.residual.questions import tell

# a condition, when it is true of a row and when it is false; on all others it fails
TOLD = {
    "resource.b": (
        "b = true",
        "b = false",
    ),
    "resource.n < 5": (
        "n < 5",
        "n >= 5",
    ),
    "5 < resource.n": (
        "n > 5",
        "n <= 5",
    ),
    "resource.n <= resource.m": (
        "n <= m",
        "n > m",
    ),
    "resource.n + 1 > 2": (
        "(n + 1) > 2",
        "(n + 1) <= 2",
    ),
    "2 * resource.n - 1 == 3": (
        "((2 * n) - 1) = 3",
        "(((2 * n) - 1) is there and not (((2 * n) - 1) = 3))",
    ),
    "-resource.n >= 2": (
        "(0 - n) >= 2",
        "(0 - n) < 2",
    ),
    'resource.n < "x"': (
        "no row",
        "no row",
    ),
    'resource.n + "x" == 1': (
        "no row",
        "no row",
    ),
    'resource.cost.lessThan(decimal("1.5"))': (
        "cost < 1.5",
        "cost >= 1.5",
    ),
    'decimal("1.5").greaterThanOrEqual(resource.cost)': (
        "cost <= 1.5",
        "cost > 1.5",
    ),
    'resource.n < decimal("1.5")': (
        "no row",
        "no row",
    ),
    'resource.n < datetime("2024-01-01")': (
        "no row",
        "no row",
    ),
    "resource.a == resource.a": (
        "a is there",
        "no row",
    ),
    "resource.a == resource.b": (
        "a = b",
        "(a is there and b is there and not (a = b))",
    ),
    "resource.a == 1": (
        "a = 1",
        "(a is there and not (a = 1))",
    ),
    'resource.a == "a\\u{0}"': (
        "no row",
        "a is there",
    ),
    'resource.a == ip("10.0.0.1")': (
        "no row",
        "a is there",
    ),
    'resource.a == [ip("10.0.0.1")]': (
        "no row",
        "a is there",
    ),
    "resource.a == principal": (
        "no row",
        "a is there",
    ),
    "resource.a == resource": (
        "no row",
        "a is there",
    ),
    "resource == principal": (
        '(type = "user" and id = "alice")',
        'not ((type = "user" and id = "alice"))',
    ),
    "resource == resource": (
        "every row",
        "no row",
    ),
    'resource == "x"': (
        "no row",
        "every row",
    ),
    "resource.a == resource.owner": (
        "no row",
        "(a is there and owner is there)",
    ),
    'resource.owner == [user::"a"]': (
        "(owner contains all of user:a and all of owner are among user:a)",
        "(owner is there and not ((owner contains all of user:a and all of owner are among user:a)))",
    ),
    'resource.owner == [user::"a", "x"]': (
        "no row",
        "owner is there",
    ),
    'resource.owner == [user::"a", user::"b\\u{0}"]': (
        "no row",
        "owner is there",
    ),
    "resource.owner == resource.owner": (
        "owner is there",
        "no row",
    ),
    "resource.n == resource.n + 1": (
        "n = (n + 1)",
        "((n + 1) is there and not (n = (n + 1)))",
    ),
    '(resource.n + 1) == "x"': (
        "no row",
        "(n + 1) is there",
    ),
    "{x: resource.a} == {x: 1}": (
        "a = 1",
        "(a is there and not (a = 1))",
    ),
    "{x: resource.a} == {y: 1}": (
        "no row",
        "a is there",
    ),
    "{x: resource.a} == resource.b": (
        "(a is there and decided one by one: a record made of what the row has)",
        "(a is there and decided one by one: a record made of what the row has)",
    ),
    "{x: resource.a} == 1": (
        "no row",
        "a is there",
    ),
    "[resource.a] == [1]": (
        "(a is there and decided one by one: a set made of what the row has)",
        "(a is there and decided one by one: a set made of what the row has)",
    ),
    '[resource.a] == "x"': (
        "no row",
        "a is there",
    ),
    "(resource.a == 1) == (resource.b == 2)": (
        "((a = 1 and b = 2) or (a is there and not (a = 1) and b is there and not (b = 2)))",
        "((a = 1 and b is there and not (b = 2)) or (a is there and not (a = 1) and b = 2))",
    ),
}


def test_values_are_compared() -> None:
    assert tell(list(TOLD)) == TOLD
