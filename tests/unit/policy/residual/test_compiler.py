"""Expressions."""

from __future__ import annotations

from tests.unit.policy.residual.questions import tell

# a condition, when it is true of a row and when it is false; on all others it fails
TOLD = {
    "resource.a == 1 && resource.b == 2": (
        "(a = 1 and b = 2)",
        "((a is there and not (a = 1)) or (a is there and b is there and not (b = 2)))",
    ),
    "resource.a == 1 || resource.b == 2": (
        "(a = 1 or (a is there and b = 2))",
        "(a is there and not (a = 1) and b is there and not (b = 2))",
    ),
    "!(resource.a == 1)": (
        "(a is there and not (a = 1))",
        "a = 1",
    ),
    "resource has a && resource.a == 1": (
        "a = 1",
        "not (a = 1)",
    ),
    "!(resource has a) || resource.a == 1": (
        "(not (a is there) or a = 1)",
        "(a is there and not (a = 1))",
    ),
    "resource.a > 0 && resource.a < 5": (
        "(a > 0 and a < 5)",
        "(a <= 0 or a >= 5)",
    ),
    "resource.a == 1 || resource.a == 2 || resource.a == 3": (
        "a is one of 1, 2, 3",
        "(a is there and not (a = 1) and not (a = 2) and not (a = 3))",
    ),
    "if resource.a == 1 then resource.b == 2 else resource.c == 3": (
        "((a = 1 and b = 2) or (a is there and not (a = 1) and c = 3))",
        ("((a = 1 and b is there and not (b = 2)) or (a is there and not (a = 1) and c is there and not (c = 3)))"),
    ),
    "if resource has a then resource.a == 1 else principal.nothing": (
        "a = 1",
        "(a is there and not (a = 1))",
    ),
    "(if resource.a == 1 then resource.b else resource.c) == 2": (
        "((a = 1 and b = 2) or (a is there and not (a = 1) and c = 2))",
        ("((a = 1 and b is there and not (b = 2)) or (a is there and not (a = 1) and c is there and not (c = 2)))"),
    ),
    '(if resource.a == 1 then principal else user::"bob").team == "blue"': (
        "(a is there and not (a = 1))",
        "a = 1",
    ),
    "resource.team == principal.team": (
        'team = "red"',
        '(team is there and not (team = "red"))',
    ),
    "resource.team == principal.boss.team": (
        'team = "blue"',
        '(team is there and not (team = "blue"))',
    ),
    "resource.team == principal.nothing": (
        "no row",
        "no row",
    ),
    "principal.nothing == 1 && resource.a == 1": (
        "no row",
        "no row",
    ),
    "principal.level == 3 && resource.a == 1": (
        "a = 1",
        "(a is there and not (a = 1))",
    ),
    "principal.level == 4 && resource.nothing.nothing": (
        "no row",
        "every row",
    ),
    "principal.level == 3 || resource.nothing.nothing": (
        "every row",
        "no row",
    ),
    "principal.level": (
        "no row",
        "no row",
    ),
    'resource.name like "web*"': (
        'name is like "web*"',
        '(name is a text and not (name is like "web*"))',
    ),
    'resource.name like "web"': (
        'name = "web"',
        '(name is a text and not (name = "web"))',
    ),
    'resource.name like "*"': (
        'name is like "*"',
        '(name is a text and not (name is like "*"))',
    ),
    'resource.name like "a\\u{0}*"': (
        "no row",
        "name is a text",
    ),
    '(resource.n + 1) like "x"': (
        "no row",
        "no row",
    ),
    "ip(resource.a).isIpv4()": (
        "(a is a text and decided one by one: `ip` of a text that the row has)",
        "(a is a text and decided one by one: `ip` of a text that the row has)",
    ),
    "resource.a.isIpv4()": (
        "no row",
        "no row",
    ),
    'ip("10.0.0.1").isInRange(ip(resource.a))': (
        "(a is a text and decided one by one: `ip` of a text that the row has)",
        "(a is a text and decided one by one: `ip` of a text that the row has)",
    ),
    'ip("10.0.0.1").isInRange(resource.a)': (
        "no row",
        "no row",
    ),
    'datetime("2024-01-01").offset(resource.a) == datetime("2024-01-01")': (
        "no row",
        "no row",
    ),
    "ip(resource.n + 1).isIpv4()": (
        "no row",
        "no row",
    ),
}


def test_expressions_are_told() -> None:
    assert tell(list(TOLD)) == TOLD
