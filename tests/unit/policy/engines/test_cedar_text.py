"""What the guard lets through and what it refuses, before cedarpy sees any text."""

import pytest

from policy_service.policy.engines.cedar_text import NotCedar, check_lines, read_policies, scan, unquote
from policy_service.policy.scope import LIMITS

RULE = "permit(principal, action, resource) when { %s };"


def refuse(text: str) -> list[tuple[int, str]]:
    _, findings = read_policies("x.cedar", text)
    return [(finding.line, finding.sentence) for finding in findings]


def test_each_policy_has_its_own_text_and_first_line():
    first = '@id("a;//b")\npermit(principal, action, resource)\n  when { "}" == "\\"" };'
    second = "forbid(principal, action, resource);"
    text = f"// head ; {{\n\n{first} // tail ;\n\n\n{second} {second}"
    pieces, findings = read_policies("x.cedar", text)
    assert not findings
    assert [piece.line for piece in pieces] == [3, 8, 8]
    assert [piece.text for piece in pieces] == [first, second, second]


def test_an_empty_file_and_one_of_comments_hold_no_policy():
    assert read_policies("x", "") == ([], [])
    assert read_policies("x", "// permit(principal, action, resource);\r\n \u2028") == ([], [])


@pytest.mark.parametrize(
    "nested",
    [
        "(" * 80 + "true" + ")" * 80,
        "[" * 80 + "]" * 80,
        "{a: " * 80 + "1" + "}" * 80,
        "([" * 40 + "1" + "])" * 40,
        "f(" * 80 + "1" + ")" * 80,
        'context["a"' * 80 + "]" * 80,
    ],
)
def test_deep_brackets_are_refused(nested):
    assert refuse("\n" + RULE % nested) == [(2, "the policy nests brackets deeper than 64 levels, split it")]


@pytest.mark.parametrize(
    "chain",
    [
        " && ".join(["true"] * 2000),
        " || ".join(["true"] * 2000),
        " + ".join(["1"] * 2000),
        " - ".join(["1"] * 2000),
        " * ".join(["1"] * 2000),
        "context" + ".a" * 2000,
        "context" + '["a"]' * 2000,
        "context" + "()" * 2000,
        "if true then true else " * 2000 + "true",
        "if " * 2000 + "true",
        "!" * 2000 + "true",
        "-" * 2000 + "1",
        "1" + " == 1" * 2000,
        "1" + " < 1" * 2000,
        "1" + " in 1" * 2000,
        "1" + " has a" * 2000,
        '"" ' + 'like "" ' * 2000,
        "A::" * 2000 + 'B::"x"',
    ],
)
def test_long_chains_are_refused(chain):
    assert refuse(RULE % chain) == [(1, "the policy has more than 1000 operators, split it")]


def test_many_conditions_are_refused_because_they_become_one_chain():
    text = "permit(principal, action, resource) " + "when { true } unless { false } " * 33 + ";"
    assert refuse(text) == [(1, "the policy has more than 64 conditions, split it")]


def test_a_large_policy_is_refused_by_its_bytes():
    assert refuse(RULE % f'"{"é" * 33_000}" == ""') == [(1, "the policy is larger than 65536 bytes, split it")]


def test_more_policies_than_a_layer_holds_are_refused():
    text = "permit(principal, action, resource);" * (LIMITS.policies + 2)
    assert refuse(text)[0][1] == "more than 20000 policies in one file, split it"


def test_limits_count_per_policy():
    half = RULE % " && ".join(["true"] * 900)
    assert not refuse(half * 5)


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("permit(principal);\n\npermit(principal", 3, "`(` is never closed"),
        ("permit(principal));", 1, "`)` closes nothing that is open"),
        ("permit(principal];", 1, "`]` closes nothing that is open"),
        ("permit(principal);\npermit(principal)\n", 2, "the policy that starts here has no `;` at its end"),
        ('permit(principal);\n "abc', 2, "the string that starts here is never closed"),
        ("permit(principal);\n #", 2, "`#` is no part of Cedar"),
        ("\ufeffpermit(principal);", 1, "a byte order mark stands here, save the file as UTF-8 without one"),
        ("a\x00", 1, "`U+0000` is no part of Cedar"),
        ("'a'", 1, "`'` is no part of Cedar"),
        (
            "// a comment\rforbid(principal);",
            1,
            "a lone carriage return stands here, end lines by a line feed",
        ),
    ],
)
def test_what_is_no_cedar_is_refused_with_its_line(text, line, sentence):
    assert refuse(text) == [(line, sentence)]


def test_windows_line_ends_are_fine():
    assert [piece.line for piece in read_policies("x", "// a\r\npermit(principal);\r\n")[0]] == [2]
    check_lines("a\r\nb")


def test_a_string_may_not_continue_behind_a_backslash_at_the_end_of_a_line():
    # Cedar's token does not, so a bracket behind it would count for Cedar and not for the guard
    with pytest.raises(NotCedar):
        list(scan('"a\\\n("'))


def test_unquote_reads_every_escape_of_cedar():
    assert unquote('"a\\n\\u{1F600}\\x41\\"\\\\\\0"') == 'a\n\U0001f600A"\\\0'
    assert unquote("plain") == "plain"
    assert unquote('"\\u{FFFFFFFF}"') == "\ufffd"
