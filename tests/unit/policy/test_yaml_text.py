"""YAML is read as plain data or refused with a line."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from policy_service.policy.scope import LIMITS
from policy_service.policy.yaml_text import NotYaml, read_document, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: 1\nb: [x, 'y', \"z\"]\n", {"a": 1, "b": ["x", "y", "z"]}),
        (
            "a: no\nb: on\nc: 1:30\nd: 2026-01-01\ne: y",
            {"a": "no", "b": "on", "c": "1:30", "d": "2026-01-01", "e": "y"},
        ),
        (
            "[true, False, null, ~, '', -3, 1.50, 1e3, '1']",
            [True, False, None, None, "", -3, Decimal("1.50"), 1000, "1"],
        ),
        ("2024: x\ntrue: y\n", {"2024": "x", "true": "y"}),
        ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
        ("- - 1\n  - {a: []}\n", [[1, {"a": []}]]),
    ],
)
def test_it_reads_plain_data(text: str, value: Any) -> None:
    assert read_yaml(text) == value


def test_fractions_are_decimal() -> None:
    assert isinstance(read_yaml("0.1"), Decimal)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a: &x [1]\nb: *x\n", 1, "anchor `&x`"),
        ("a: 1\nb: *x\n", 2, "alias `*x`"),
        ("a: 1\nb: !!python/object/apply:os.system ['x']\n", 2, "tag `"),
        ("a: !!str 1\n", 1, "tag `"),
        ("a: 1\n<<: {b: 1}\n", 2, "merge key"),
        ("a: 1\nb: 2\na: 3\n", 3, "`a` stands twice"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\n? [x]\n: 2\n", 2, "key that is no text"),
        ("a: b: c\n", 1, "invalid YAML"),
        ("a: 1\nb: [1\nc: 2\n", 3, "invalid YAML"),
        ("a: 1\nb: \x00\n", 2, "does not allow"),
        ("a: 1\n\nb: \x07\n", 3, "does not allow"),
        ("a: .nan\n", 1, "no number"),
    ],
)
def test_what_is_not_read_is_refused_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(NotYaml, match=re.escape(told)) as caught:
        read_yaml(text)
    assert caught.value.line == line


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 5_000 + "x", "{a: " * 5_000])
def test_nesting_is_bounded(text: str) -> None:
    with pytest.raises(NotYaml, match="nest"):
        read_yaml(text)


def test_size_is_bounded() -> None:
    with pytest.raises(NotYaml, match="at most"):
        read_yaml("#" * (LIMITS.file_bytes + 1))


def test_each_part_has_its_line() -> None:
    document = read_document("a: 1\nb:\n  - x\n  -\n    c: 2\n")
    assert [document.line(path) for path in (("a",), ("b",), ("b", 0), ("b", 1, "c"))] == [1, 2, 3, 5]
    assert document.line(("b", 1, "missing")) == document.line(("b", 1))
