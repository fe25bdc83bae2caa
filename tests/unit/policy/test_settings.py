"""`tenant.yaml`: one required field, and no unknown ones."""

from __future__ import annotations

import pytest

from policy_service.policy.settings import parse_settings


def test_a_name_is_enough() -> None:
    assert parse_settings("tenant.yaml", "name: Acme, Inc.\n") == ({"name": "Acme, Inc."}, [])
    assert parse_settings("tenant.yaml", "name: x\ndescription: y\n")[1] == []
    assert parse_settings("tenant.yaml", "name: x\nrestricted: [ssn, displayNames]\n")[0]["restricted"] == [
        "ssn",
        "displayNames",
    ]
    assert parse_settings("tenant.yaml", "name: x\nindexed: [env, tag.env]\n")[0]["indexed"] == ["env", "tag.env"]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "no settings"),
        ("- x\n", 1, "no settings"),
        ("description: x\n", 1, "`name` is missing"),
        ("name: 5\n", 1, "no text of 1 to 200"),
        ("name: ''\n", 1, "no text of 1 to 200"),
        (f"name: {'x' * 201}\n", 1, "no text of 1 to 200"),
        ("name: x\ndescription: [y]\n", 2, "`description` is no text"),
        ("name: x\n\nnmae: y\n", 3, "`nmae` is no setting"),
        ("name: x\nname: y\n", 2, "stands twice"),
        ("name: *x\n", 1, "alias"),
        ("name: x\nrestricted: ssn\n", 2, "`restricted` is no list of properties"),
        ("name: x\nrestricted:\n  - ssn\n  - tag.ssn\n", 4, "`restricted` is no list of properties"),
        ("name: x\nrestricted: [displayName]\n", 2, "`restricted` is no list of properties"),
        ("name: x\nrestricted: [_key]\n", 2, "`restricted` is no list of properties"),
        ("name: x\nrestricted: [a, a]\n", 2, "`restricted` is no list of properties"),
        ("name: x\nrestricted: [1]\n", 2, "`restricted` is no list of properties"),
        ("name: x\nindexed: env\n", 2, "`indexed` is no list of properties and tags"),
        ("name: x\nindexed:\n  - env\n  - _key\n", 4, "`indexed` is no list of properties and tags"),
        ("name: x\nindexed: [displayName]\n", 2, "`indexed` is no list of properties and tags"),
        ("name: x\nindexed: [tag.]\n", 2, "`indexed` is no list of properties and tags"),
        ("name: x\nindexed: [env, env]\n", 2, "`indexed` is no list of properties and tags"),
        ("name: x\nrestricted: [ssn]\nindexed:\n  - env\n  - ssn\n", 5, "`ssn` is restricted"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, told: str) -> None:
    settings, findings = parse_settings("tenant.yaml", text)
    assert settings == {}
    assert [finding.line for finding in findings] == [line]
    assert told in findings[0].sentence
