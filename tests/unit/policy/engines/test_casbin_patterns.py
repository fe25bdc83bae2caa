from __future__ import annotations

import re
import time

import pytest
from casbin.util import builtin_operators
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_service.policy.engines.casbin_patterns import GLOB_SEGMENTS, PATTERNS, TEXT_BYTES, check_pattern

LIBRARY = {
    "keyMatch2": builtin_operators.key_match2,
    "keyMatch3": builtin_operators.key_match3,
    "keyMatch4": builtin_operators.key_match4,
    "keyMatch5": builtin_operators.key_match5,
    "regexMatch": builtin_operators.regex_match,
    "globMatch": builtin_operators.glob_match,
}
_KEYS = ["/", "a", "b", "/*", "*", ":id", "{id}", "{x}", ".", "1", "?", "+"]
_PIECES = {
    "regexMatch": [
        "a",
        "b",
        "*",
        ".",
        "/",
        "?",
        "[ab]",
        "[^a]",
        "(",
        "|",
        ")",
        "^",
        "$",
        "+",
        "{2}",
        "{1,}",
        r"\d",
        r"\.",
    ],
    "globMatch": ["a", "b", "*", "**", "/", "/", "?", "[ab]", "[!a]", ".", "{a,b}", "/**", "**/", ".a"],
}
_TEXTS = st.lists(st.sampled_from(["a", "b", "/", "/", ".", "1", "?", "*", "\n", "é"]), max_size=8).map("".join)


def texts_of(function: str) -> st.SearchStrategy[str]:
    pieces = _PIECES.get(function, _KEYS)
    return st.lists(st.sampled_from(pieces), min_size=1, max_size=7).map("".join)


@pytest.mark.parametrize("function", sorted(LIBRARY))
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_agrees_with_the_library_or_refuses(function: str, data: st.DataObject) -> None:
    pattern, text = data.draw(texts_of(function)), data.draw(_TEXTS)
    try:
        found = PATTERNS[function](text, pattern)
    except ValueError:
        return
    assert found is bool(LIBRARY[function](text, pattern))


@pytest.mark.parametrize(
    ("function", "pattern", "text"),
    [
        ("keyMatch2", "/a/:id", "/a/1"),
        ("keyMatch2", "/a/*", "/a/b/c"),
        ("keyMatch2", "*", "anything"),
        ("keyMatch3", "/a/{id}/*", "/a/1/x"),
        ("keyMatch4", "/p/{id}/c/{id}", "/p/1/c/1"),
        ("keyMatch5", "/a/*", "/a/b?status=1"),
        ("regexMatch", "^/dev/.*", "/dev/x"),
        ("regexMatch", "dev", "developer"),
        ("regexMatch", "(?i)^DEV$", "dev"),
        ("regexMatch", "{}", "{}"),
        ("globMatch", "/a/**", "/a/b/c"),
        ("globMatch", "/a/**/z", "/a/z"),
        ("globMatch", "/a/*.{txt,md}", "/a/b.md"),
        ("globMatch", "[!a]?", "bc"),
    ],
)
def test_matches(function: str, pattern: str, text: str) -> None:
    check_pattern(function, pattern)
    assert PATTERNS[function](text, pattern)
    assert LIBRARY[function](text, pattern)


@pytest.mark.parametrize(
    ("function", "pattern", "text"),
    [
        ("keyMatch4", "/p/{id}/c/{id}", "/p/1/c/2"),
        ("keyMatch2", "/a/:id", "/a/1/b"),
        ("globMatch", "/a/*", "/a/.hidden"),
        ("globMatch", "*", "a/b"),
        ("regexMatch", "^a$", "ab"),
    ],
)
def test_does_not_match(function: str, pattern: str, text: str) -> None:
    assert not PATTERNS[function](text, pattern)
    assert not LIBRARY[function](text, pattern)


@pytest.mark.parametrize(
    ("function", "pattern"),
    [
        ("regexMatch", "(?=a)"),
        ("regexMatch", r"(a)\1"),
        ("regexMatch", "a{,3}"),
        ("regexMatch", "[[:alpha:]]"),
        ("regexMatch", "[a--b]"),
        ("regexMatch", r"\Qa\E"),
        ("regexMatch", r"\pL"),
        ("regexMatch", "a**"),
        ("regexMatch", "a*+"),
        ("regexMatch", "(a"),
        ("regexMatch", "a)"),
        ("regexMatch", "^*"),
        ("regexMatch", "(?m)^a$"),
        ("regexMatch", "(?i)straße"),
        ("regexMatch", "(" * 100 + ")" * 100),
        ("regexMatch", "(?:(?:a?){100}){100}"),
        ("regexMatch", "a" * 1_001),
        ("keyMatch", "a" * 1_001),
        ("keyMatch4", "/(a)/{id}"),
        ("keyMatch2", "/*" * 400),
        ("globMatch", "{a}"),
        ("globMatch", "{a,{b,c}}"),
        ("globMatch", "{a,b}" * 10),
        ("globMatch", "[[:alpha:]]"),
        ("globMatch", "a//b"),
        ("globMatch", "a/" * (GLOB_SEGMENTS + 1)),
        ("ipMatch", "10.0.0"),
        ("ipMatch", "10.0.0.0/99"),
    ],
)
def test_a_pattern_is_refused_when_loaded(function: str, pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^.+$"):
        check_pattern(function, pattern)


def test_an_address_with_host_bits_is_a_network_as_in_the_library() -> None:
    check_pattern("ipMatch", "10.0.0.1/8")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("^a$", "a\n"), (r"^\w+$", "größe"), (r"^\s", "\x1c"), ("(?i)^k$", "\u212a"), ("a", "a" * (TEXT_BYTES + 1))],
)
def test_a_text_on_which_the_two_engines_could_differ_fails(pattern: str, text: str) -> None:
    assert re.match(pattern, text)
    with pytest.raises(ValueError, match="pattern"):
        PATTERNS["regexMatch"](text, pattern)


@pytest.mark.parametrize(
    ("function", "pattern", "text"),
    [
        ("regexMatch", "^(a+)+$", "a" * 4_000 + "b"),
        ("regexMatch", "^(a|aa)+$", "a" * 4_000 + "b"),
        ("regexMatch", "(?:(?:a?){15}){15}b", "a" * 4_000),
        ("keyMatch2", "/*" * 60 + "/x", "/a" * 2_000),
        ("keyMatch3", "/*{a}*" * 20, "/a" * 2_000),
        ("keyMatch4", "/{a}" + "/*" * 60 + "/x", "/a" * 2_000),
        ("keyMatch5", "/*" * 60 + "/x", "/a" * 2_000),
        ("globMatch", "*a" * 100 + "b", "a" * 4_000),
        ("globMatch", "**/a/" * 16 + "b", "a/" * 2_000),
        ("globMatch", "{a,b}" * 6 + "*a*a*a*a*a*a*a*a*c", "a" * 4_000),
    ],
)
def test_no_pattern_explodes(function: str, pattern: str, text: str) -> None:
    started = time.perf_counter()
    try:
        check_pattern(function, pattern)
    except ValueError:
        return
    assert PATTERNS[function](text, pattern) is False
    assert time.perf_counter() - started < 1
