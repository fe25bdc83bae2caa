"""Targets as `fnmatch` reads them, regular expressions as RE2 does, both in linear time."""

from __future__ import annotations

import contextlib
import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_service.policy.engines.abac_patterns import compile_regex, read_target
from policy_service.policy.scope import LIMITS
from tests.unit.policy.engines.abac_facts import find, policy

ALPHABET = "ab-]![*?^\\.&~|# \n\x00é"


@given(st.text(ALPHABET, min_size=1, max_size=8), st.lists(st.text(ALPHABET, max_size=5), max_size=5))
def test_a_target_matches_as_fnmatch_does(glob: str, texts: list[str]) -> None:
    try:
        target = read_target(glob)
    except ValueError:
        return
    for text in [*texts, glob]:
        assert (target is None or target.matches(text)) is fnmatch.fnmatchcase(text, glob)


def test_a_list_matches_where_one_does() -> None:
    target = read_target(["bob", "team-*", "*-admin", "u?er", "[a-c]1"])
    assert target
    matching = ["bob", "team-", "team-x", "x-admin", "user", "b1"]
    assert [text for text in [*matching, "bobby", "xteam-", "admin", "d1"] if target.matches(text)] == matching


@pytest.mark.parametrize("raw", ["*", "**", ["bob", "*"]])
def test_a_star_is_anyone(raw: str | list[str]) -> None:
    assert read_target(raw) is None


@pytest.mark.parametrize(
    ("glob", "why"),
    [
        ("[z-a]", "never matches"),
        ("x[!z-a]", "empty range"),
        ("a[b", "without a `]`"),
        ("a[]", "without a `]`"),
        ("*a" * 17 + "?", "more than 16"),
        ("*" + "a" * LIMITS.pattern_bytes, "longer than"),
    ],
)
def test_targets_that_never_match_or_explode_are_findings(glob: str, why: str) -> None:
    (sentence,) = find(policy(targets={"resource_id": ["x", glob]}))
    assert why in sentence
    assert "(at `targets.resource_id`)" in sentence


def test_many_stars_in_a_row_are_one() -> None:
    target = read_target("a" + "*" * 500 + "?b")
    assert target
    assert target.matches("axxb")


def test_an_exact_id_may_be_long() -> None:
    assert find(policy(targets={"subject_id": "x" * 5_000})) == []


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [
        ("b", "abc", True),
        ("^a.c$", "abc", True),
        ("^a$", "a\n", False),
        (r"^\d+$", "٣", False),
        ("(?i)É", "é", True),
        ("(a+)+$", "a" * 28 + "!", False),
        ("^.$", "é", True),
    ],
)
def test_a_regular_expression_means_what_re2_says(expression: str, text: str, found: bool) -> None:
    assert compile_regex(expression).matches(text) is found


@pytest.mark.parametrize(
    "expression",
    ["(a", "[z-a]", "*a", "(?=a)b", r"(a)\1", r"a\Z", "a" * 1_001, "((a{30}){30}){30}", r"\pL{15}", "(" * 1_000, "\\"],
)
def test_what_re2_cannot_run_is_a_finding(expression: str) -> None:
    (sentence,) = find(policy({"subject": {"$.x": {"condition": "RegexMatch", "value": expression}}}))
    assert sentence.startswith("the regular expression ")
    assert "(at `rules.subject.$.x`)" in sentence


@pytest.mark.parametrize(
    "expression", ["^(a+)+$", "(a?){900}b", "((a?b?){30}){20}c", "a.*" * 200 + "c", "(.{0,100}a){4}c"]
)
def test_no_expression_takes_long(expression: str) -> None:
    pattern = compile_regex(expression)
    start = time.process_time()
    for size in (28, 500, 5_000, 50_000, 500_000):
        # a text that is too long is refused, any other is matched
        with contextlib.suppress(ValueError):
            pattern.matches("a" * size + "!")
    assert time.process_time() - start < 2


def test_a_target_on_a_huge_id_takes_no_time() -> None:
    target, unlucky = read_target("*" + "a" * 900 + "b?c"), read_target("*" + "a" * 900 + "b*c")
    assert target
    assert unlucky
    start = time.process_time()
    with pytest.raises(ValueError, match="longer than"):
        target.matches("a" * 1_000_000)
    assert target.matches("a" * 1_000) is False
    assert unlucky.matches("a" * 1_000_000) is False
    assert unlucky.matches("a" * 1_000_000 + "b-c") is True
    assert time.process_time() - start < 0.5
