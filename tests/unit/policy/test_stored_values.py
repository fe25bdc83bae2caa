"""Values as they are stored: the one text of each."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policy_service.model import Extension, Uid
from policy_service.policy.stored_values import (
    decode,
    decode_name,
    encode,
    encode_name,
    encode_record,
    show,
    write_json,
)
from policy_service.policy.values import read_json, read_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1, "1"),
        (-(2**63), "-9223372036854775808"),
        ('é"\\\n', '"é\\"\\\\\\n"'),
        (Decimal("1.5"), '{"@dec":15000}'),
        (Decimal("-922337203685477.5808"), '{"@dec":-9223372036854775808}'),
        ({"__number": "1e20"}, '{"@num":"1e20"}'),
        (Uid("Team", 'a"b::"c'), '{"@":"Team::\\"a\\"b::\\"c\\""}'),
        (["b", "a", "b"], '["a","b"]'),
        ([2, 10, True, 1], "[1,10,2,true]"),
        ([], "[]"),
        (
            {"b": 1, "a": {"x-y": [], "": 2, "@dec": 3, "~": 4}},
            '{"a":{"~":2,"~40646563":3,"~782d79":[],"~7e":4},"b":1}',
        ),
        ({"__number": "1e20", "x": 1}, '{"__number":"1e20","x":1}'),
    ],
)
def test_each_value_has_one_text(value, text) -> None:
    assert write_json(encode(value)) == text
    assert decode(read_json(text)) == decode(encode(value))


@pytest.mark.parametrize(
    "text", ["1.5", "1e20", "100000000000000000000", "1e-300", "0.1", "-0.00001", "1e308", "12345.67890"]
)
def test_a_number_is_shown_as_it_was_sent(text) -> None:
    stored = write_json(encode(read_value(read_json(text))))
    shown = write_json(show(decode(read_json(stored))))
    assert Decimal(shown) == Decimal(text)
    assert read_value(read_json(shown)) == read_value(read_json(text))


def test_spelling_does_not_count() -> None:
    texts = {write_json(encode(read_value(read_json(text)))) for text in ("1.5", "1.50", "15e-1", "0.15E1")}
    assert texts == {'{"@dec":15000}'}


@pytest.mark.parametrize("name", ["a", "_a1", "class"])
def test_an_identifier_is_its_own_name(name) -> None:
    assert encode_name(name) == decode_name(name) == name


@pytest.mark.parametrize("name", ["", "~61", "@", "@dec", "1a", "a.b", 'a"b', "é", "a\n", "١"])
def test_any_other_name_is_hex(name) -> None:
    assert encode_name(name).startswith("~")
    assert encode_name(name).isascii()
    assert decode_name(encode_name(name)) == name


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "\udfffx"])
def test_nul_and_half_a_pair_are_refused_anywhere(text) -> None:
    for value in (text, [text], {"a": text}, {text: 1}, Uid("T", text)):
        with pytest.raises(ValueError, match=r"NUL|surrogate"):
            encode(value)
    with pytest.raises(ValueError, match=r"NUL|surrogate"):
        encode_record({text: 1})


@pytest.mark.parametrize("stored", [None, 1.5, {"@": "x"}, {"@": 'Te st::"x"'}, {"@other": 1}])
def test_what_was_never_stored_is_refused(stored) -> None:
    with pytest.raises(ValueError, match="stored value"):
        decode(stored)


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(ValueError, match="NoneType"):
        encode(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Extension"):
        encode(Extension("ip", "10.0.0.1"))
    with pytest.raises(TypeError):
        write_json({1, 2})
