"""The codec of stored values: what goes in comes out, and one value has one text, whatever is in it."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_service.model import Uid
from policy_service.policy.request import is_same
from policy_service.policy.stored_values import decode, encode, encode_name, show, write_json
from policy_service.policy.values import ESCAPES, read_json, read_number, read_value

# what breaks databases and parsers, beside what Hypothesis thinks of
AWKWARD = [
    "",
    "%",
    "_",
    "*",
    "?",
    "[",
    "\\",
    "'",
    '"',
    "é",
    "e\u0301",
    "\u2028",
    "\ufeff",
    "😀",
    "\x7f",
    "\x1f",
    "\uffff",
]
AWKWARD += [
    '{"@":"user::\\"alice\\""}',
    '{"__entity":{}}',
    "null",
    "true",
    "1",
    "1.0",
    "@",
    "@dec",
    "@num",
    "lo",
    "a.b",
]
AWKWARD += [":p0", "$.a", "~", "~61", "__number", 'a"::"b', "1e20"]
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8) | st.sampled_from(
    AWKWARD
)
numbers = (
    st.integers(-(2**70), 2**70)
    | st.integers(-(2**63) - 2, -(2**63) + 2)
    | st.integers(2**63 - 2, 2**63 + 2)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
)
scalars = st.booleans() | texts | numbers
raw_values = scalars | st.lists(scalars, max_size=4)
references = st.builds(Uid, st.sampled_from(["user", "a::b", "Escaped_61", "_"]), texts)
# no record has a member of these names: it marks a number, or was refused when it was read
names = texts.filter(lambda text: text not in ESCAPES)
values = st.recursive(
    st.booleans() | texts | references | numbers.map(lambda number: read_number(Decimal(str(number)))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@given(values)
@settings(max_examples=400)
def test_what_is_stored_is_read_again(value) -> None:
    text = write_json(encode(value))
    again = decode(read_json(text))
    # a set has its one order only once it was read
    assert is_same(decode(encode(value)), again)
    assert write_json(encode(again)) == text
    # and any other writer of JSON, such as a database, keeps the value
    assert write_json(encode(decode(json.loads(json.dumps(encode(value)))))) == text


@given(raw_values)
@settings(max_examples=400)
def test_what_was_sent_comes_back(raw) -> None:
    value = read_value(raw)
    again = decode(read_json(write_json(encode(value))))
    assert is_same(again, value)
    # as it is shown, it can be sent again and is the same
    assert is_same(read_value(read_json(write_json(show(again)))), value)


@given(scalars, scalars)
@settings(max_examples=400)
def test_one_text_is_one_value(one, other) -> None:
    left, right = read_value(one), read_value(other)
    assert (write_json(encode(left)) == write_json(encode(right))) == is_same(left, right)


@given(st.lists(scalars, max_size=5), st.randoms())
def test_a_set_has_one_text_in_any_order(parts, random) -> None:
    shuffled = [*parts, *parts[:2]]
    random.shuffle(shuffled)
    assert write_json(encode(read_value(shuffled))) == write_json(encode(read_value(parts)))
    # sets that do not come from JSON are not in an order yet
    assert write_json(encode([read_value(part) for part in shuffled])) == write_json(encode(read_value(parts)))


@given(values)
def test_no_policy_can_name_what_a_value_is_encoded_by(value) -> None:
    """Every key of the stored form is an identifier, hex, or a mark that no name is encoded to."""

    def check(stored) -> None:
        if isinstance(stored, dict):
            marked = [name for name in stored if name.startswith("@")]
            assert not marked or (len(stored) == 1 and marked[0] in ("@", "@dec", "@num"))
            for name, part in stored.items():
                assert marked or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*|~([0-9a-f]{2})*", name, re.ASCII)
                check(part)
        elif isinstance(stored, list):
            for part in stored:
                check(part)

    check(encode(value))


@given(texts, texts)
def test_names_stay_apart(one, other) -> None:
    assert (encode_name(one) == encode_name(other)) == (one == other)
    assert not encode_name(one).startswith("@")


@given(texts, st.sampled_from(["\0", "\ud800", "\udfff"]), texts)
def test_what_no_database_can_hold_is_refused(before, bad, after) -> None:
    text = before + bad + after
    for value in (text, [text], {text: True}, {"a": [text]}, Uid("user", text)):
        with pytest.raises(ValueError, match=r"NUL|surrogate"):
            encode(value)
