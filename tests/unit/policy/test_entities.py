"""Entities in files: Cedar's own format, and nothing that only the service may say."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from policy_service.model import Extension, Uid
from policy_service.policy.entities import parse_entities, read_entities


def item(kind: str = "host", name: str = "h1", **more: Any) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, **more}


def refuse(*items: Any) -> str:
    _, wrong = read_entities(list(items))
    assert len(wrong) == 1
    assert wrong[0][1]
    return wrong[0][1]


def test_values_are_trusted() -> None:
    text = json.dumps(
        [
            item(
                attrs={
                    "owner": {"__entity": {"type": "user", "id": "alice"}},
                    "address": {"__extn": {"fn": "ip", "arg": "10.0.0.1"}},
                    "cost": 1.5,
                    "count": 2.0,
                    "nothing": None,
                },
                parents=[{"type": "rack", "id": "r"}, {"__entity": {"type": "rack", "id": "s"}}],
                tags={"env": "prod"},
            )
        ]
    )
    entities, findings = parse_entities("entities.json", text)
    assert findings == []
    host = entities[Uid("host", "h1")]
    assert host.attributes == {
        "owner": Uid("user", "alice"),
        "address": Extension("ip", "10.0.0.1"),
        "cost": Decimal("1.5"),
        "count": 2,
    }
    assert host.parents == {Uid("rack", "r"), Uid("rack", "s")}
    assert host.tags == {"env": "prod"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("x", "no object"),
        ({}, "`uid` names no entity"),
        ({"uid": {"type": "host"}}, "`uid` names no entity"),
        ({"uid": {"type": "host", "id": 1}}, "no text"),
        (item("my host"), "no type that Cedar accepts"),
        (item("if"), "no type that Cedar accepts"),
        (item(attributes={}), "`attributes` is no member"),
        (item(attrs=[]), "no object"),
        (item(parents={}), "no list"),
        (item("Group"), "only the service may make"),
        (item("Action"), "only the service may make"),
        (item("Other::Action"), "only the service may make"),
        (item("PolicyService::Operator"), "only the service may make"),
        (item("Escaped_61"), "only the service may make"),
        (item(attrs={"tenant": "x"}), "`tenant`"),
        (item(attrs={"groups": []}), "`groups`"),
        (item(attrs={"authn": {}}), "`authn`"),
        (item(parents=[{"type": "Group", "id": "admins"}]), "groups.csv"),
        (item(parents=[{"type": "PolicyService::Operator", "id": "x"}]), "only the service may make"),
        (item(attrs={"x": {"__entity": {"type": "a b", "id": "c"}}}), "`__entity`"),
        (item(attrs={"x": {"__expr": "1"}}), "`__expr`"),
    ],
)
def test_what_is_wrong_is_said(wrong: Any, told: str) -> None:
    assert told in refuse(wrong)


def test_duplicates_and_cycles_are_findings() -> None:
    assert "stands twice" in refuse(item(), item())
    a = item("box", "a", parents=[{"type": "box", "id": "b"}])
    b = item("box", "b", parents=[{"type": "box", "id": "a"}])
    assert "in a circle" in refuse(a, b)
    assert "in a circle" in refuse(item(parents=[{"type": "host", "id": "h1"}]))


def test_cases_may_bring_entities_of_the_service() -> None:
    operator = item("PolicyService::Operator", parents=[{"type": "Group", "id": "admins"}])
    assert read_entities([operator], service=True)[1] == []
    for kind in ("Group", "Action", "PolicyService::Action", "Escaped_61"):
        assert read_entities([item(kind)], service=True)[1]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("{}", 1, "no list"),
        ('[\n {"uid": {"type": "a", "id": "b"}},\n {"uid": {"type": "a", "id": "b"}}\n]', 3, "stands twice"),
        ('[\n\n {"attrs": {}, "uid": {"type": "a b", "id": "c"}}\n]', 3, "no type"),
        ('[\n {"uid": {"type": "a", "id": "b"}, "uid": {"type": "a", "id": "c"}}\n]', 2, "twice"),
        ('[\n {"uid": }\n]', 2, "invalid JSON"),
        ("[NaN]", 1, "NaN"),
        ("[" * 100_000, 1, "nested deeper"),
        ("[" * 33 + "]" * 33, 1, "nested deeper"),
        ('[{"uid": {"type": "a", "id": "\\ud800"}}]', 1, "surrogate"),
    ],
)
def test_findings_have_a_line(text: str, line: int, told: str) -> None:
    entities, findings = parse_entities("entities.json", text)
    assert entities == {}
    assert [finding.line for finding in findings] == [line]
    assert told in findings[0].sentence


def test_a_long_chain_of_parents_loads() -> None:
    chain = [item("box", str(n), parents=[{"type": "box", "id": str(n + 1)}]) for n in range(5_000)]
    assert read_entities(chain)[1] == []
