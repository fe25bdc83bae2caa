"""The examples of docs/entities.md are what the service reads."""

from __future__ import annotations

import re
from pathlib import Path

from policy_service.assets.drafts import read_entity, read_relationship
from policy_service.assets.members import LIMITS
from policy_service.policy.relationships import parse_relationships
from policy_service.policy.settings import parse_settings
from policy_service.policy.values import read_json

TEXT = Path("docs/entities.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_examples_can_be_read() -> None:
    entity, relationship = map(read_json, _blocks("json"))
    assert read_entity(entity).properties["ports"] == [443, 80]
    assert read_relationship(relationship).from_
    drawn, settings = _blocks("yaml")
    assert parse_relationships("x", drawn)[1] == []
    assert parse_settings("x", settings)[1] == []


def test_limits_are_those_of_the_code() -> None:
    for number in (LIMITS.key, LIMITS.key_bytes, LIMITS.properties, LIMITS.list, LIMITS.name, LIMITS.name_bytes):
        assert f"{number:,}" in TEXT
