"""`like`: a text against a pattern."""

import time

import pytest

from policy_service.policy.like import is_like


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("", (), True),
        ("a", (), False),
        ("a", ("a",), True),
        ("ab", ("a",), False),
        ("", (None,), True),
        ("any\nthing\0", (None,), True),
        ("abc", ("a", None), True),
        ("abc", (None, "c"), True),
        ("abc", ("a", None, "c"), True),
        ("a", ("a", None, "a"), False),
        ("aa", ("a", None, "a"), True),
        ("aba", ("ab", None, "ba"), False),
        ("xaybz", (None, "a", None, "b", None), True),
        ("xbyaz", (None, "a", None, "b", None), False),
        ("aab", (None, "ab"), True),
        ("abab", ("ab", None, "ab", None), True),
        ("ab", ("ab", None, "ab", None), False),
        ("ab", ("a", None, "b", None, "b"), False),
        ("abb", ("a", None, "b", None, "b"), True),
        ("é", ("e", None), False),
        ("a*b", ("a*b",), True),
        ("a.b", ("a", None, None, "b"), True),
    ],
)
def test_patterns(text, pattern, expected):
    assert is_like(text, pattern) is expected


def test_no_text_makes_it_slow():
    begun = time.perf_counter()
    assert not is_like("a" * 3000, (None, "a") * 30 + (None, "b"))
    assert not is_like("a" * 3000 + "c", (None, "a") * 1000 + (None, "b", None))
    assert time.perf_counter() - begun < 1
