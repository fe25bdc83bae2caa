"""A finding is one printable line."""

from __future__ import annotations

import pytest

from policy_service.policy.sentences import LONGEST, write_line


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("is no policy", "is no policy"),
        ("`a\nb:1: c`", "`a\\nb:1: c`"),
        ("`\x1b[31m\u202e\u2028`", "`\\x1b[31m\\u202e\\u2028`"),
        ("`caf\u00e9 \u732b`", "`caf\u00e9 \u732b`"),
        ("x" * (LONGEST + 1), "x" * (LONGEST - 1) + "…"),
    ],
)
def test_what_a_file_holds_writes_no_line_of_its_own(sentence: str, told: str) -> None:
    assert write_line(sentence) == told
