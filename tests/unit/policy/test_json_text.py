"""JSON files: the line of whatever is wrong, and the same refusals as in requests."""

from __future__ import annotations

import pytest

from policy_service.policy.json_text import read_json_file
from policy_service.policy.values import NotJson


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ('{"a": 1,\n "a": 2}', 2, "the member `a` stands twice"),
        ('[\n{"a": {"b": 1},\n "c": {"b": 1,\n"b": 2}}]', 4, "the member `b` stands twice"),
        ('{"a": 1,\n "\\u0061": 2}', 2, "the member `a` stands twice"),
        ('["a",\n"a", {"x": "x"},\n{"b": "a", "b": 1}]', 3, "the member `b` stands twice"),
        ('{"a": "{\\"a\\": 1, \\"a\\": 2}",\n"b": NaN}', 2, "`NaN` is not a JSON number"),
        ("[1,\n-Infinity]", 2, "`-Infinity` is not a JSON number"),
        ("[1,\n\n1e400]", 3, "beyond the range of a double"),
        ("[1,\n1e9999999]", 2, "beyond the range of a double"),
        (f"[1,\n{'9' * 5000}]", 2, "beyond the range of a double"),
        (f"[1,\n0.{'9' * 5000}]", 2, "more than 4000 digits"),
        ('["a",\n"\\ud800"]', 2, "half of a surrogate pair"),
        ('{"a":\n{"\\udc00": 1}}', 2, "half of a surrogate pair"),
        ("[\n" * 33 + "]" * 33, 33, "nested deeper than 32 levels"),
        ("[\n" * 100_000, 33, "nested deeper than 32 levels"),
        ('{"a": 1,\n"a": 2,\n}', 3, "invalid JSON"),
        ('{"a": }\n{"b": 1, "b": 2}', 1, "invalid JSON"),
        ("", 1, "invalid JSON"),
    ],
)
def test_what_is_refused_has_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(NotJson) as caught:
        read_json_file(text)
    assert (caught.value.line, told in str(caught.value)) == (line, True), str(caught.value)


def test_what_is_right_is_read() -> None:
    assert read_json_file('[{"a": "\\ud83d\\ude00"}, {"a": "}{\\"[,"}, 1]') == [{"a": "😀"}, {"a": '}{"[,'}, 1]
