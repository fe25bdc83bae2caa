"""Values by the table of docs/policies.md."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policy_service.model import Extension, Uid
from policy_service.policy.values import NotJson, dumps, plain, read_json, read_value

DECIMAL = '{"__extn":{"fn":"decimal","arg":"%s"}}'


@pytest.mark.parametrize(
    ("text", "cedar"),
    [
        ("1.0", "1"),
        ("1e2", "100"),
        ("-0.0", "0"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775807.0", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1.5", DECIMAL % "1.5"),
        ("1.50000", DECIMAL % "1.5"),
        ("922337203685477.5807", DECIMAL % "922337203685477.5807"),
        ("922337203685477.5808", '{"__number":"9223372036854775808e-4"}'),
        ("0.00001", '{"__number":"1e-5"}'),
        # 28 digits is what Python's decimals keep by default: rounding here would make two numbers one
        ("1.00000000000000000000000000000000001", '{"__number":"100000000000000000000000000000000001e-35"}'),
        ("9223372036854775808", '{"__number":"9223372036854775808e0"}'),
        ("1e20", '{"__number":"1e20"}'),
        ("100000000000000000000", '{"__number":"1e20"}'),
        ('{"a":null,"b":[null,true,"x"]}', '{"b":["x",true]}'),
    ],
)
def test_numbers_count_by_value(text, cedar):
    assert dumps(read_value(read_json(text))).decode() == cedar


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a":1,"a":2}', "the member `a` stands twice in one object"),
        ('{"x":{"a":1,"b":2,"a":2}}', "the member `a` stands twice in one object"),
        ("[NaN]", "`NaN` is not a JSON number"),
        ("[-Infinity]", "`-Infinity` is not a JSON number"),
        ("1e400", "a number beyond the range of a double"),
        ("1" * 5000, "a number beyond the range of a double"),
        ("1e999999999999999999999", "a number beyond the range of a double"),
        ('"\\ud800"', "a string holds half of a surrogate pair"),
        ('{"\\uDfff":1}', "a string holds half of a surrogate pair"),
        ("[" * 33 + "]" * 33, "nested deeper than 32 levels"),
        ("[" * 200_000, "nested deeper than 32 levels"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "nested deeper than 32 levels"),
        ("", "invalid JSON: expecting value"),
        ("{", "invalid JSON"),
        ("[1,]", "invalid JSON"),
        (b"\xff", "invalid UTF-8 at byte 0"),
        (b'{"a":\n"\xc3("}', "invalid UTF-8 at byte 7"),
    ],
)
def test_what_is_no_i_json_is_refused(text, sentence):
    with pytest.raises(NotJson, match=sentence.replace("[", r"\[")):
        read_json(text)


def test_a_whole_surrogate_pair_is_read():
    assert read_json('"\\ud83d\\ude00"') == "😀"


def test_many_small_lists_are_not_deep():
    assert len(read_json("[" + ",".join(["[]"] * 1000) + "]")) == 1000


def test_the_line_of_an_error_is_told():
    with pytest.raises(NotJson) as caught:
        read_json('{\n"a": 1,\n"b": x}')
    assert caught.value.line == 3


def test_a_huge_integer_is_refused():
    with pytest.raises(ValueError, match="beyond the range of a double"):
        read_value(10**400)


@pytest.mark.parametrize("name", ["__entity", "__extn", "__expr", "__number"])
def test_escapes_are_refused_unless_trusted(name):
    with pytest.raises(ValueError, match=f"`{name}` in `context` may not be sent"):
        read_value({name: {"type": "user", "id": "alice"}}, where="context")


@pytest.mark.parametrize(
    "raw",
    [
        {"__entity": 1},
        {"__entity": {"type": "user"}},
        {"__entity": {"type": "a b", "id": "x"}},
        {"__entity": {"type": "user", "id": "x"}, "more": 1},
        {"__extn": {"fn": "system", "arg": "x"}},
        {"__expr": "1"},
        {"__number": "1e20"},
    ],
)
def test_malformed_escapes_are_refused_in_files(raw):
    with pytest.raises(ValueError, match="can't be read"):
        read_value(raw, trusted=True)


def test_files_hold_references_and_extension_values():
    raw = {"owner": {"__entity": {"type": "user", "id": "a"}}, "net": {"__extn": {"fn": "ip", "arg": "10.0.0.0/8"}}}
    value = read_value(raw, trusted=True)
    assert value == {"owner": Uid("user", "a"), "net": Extension("ip", "10.0.0.0/8")}
    assert read_value(read_json(dumps(value)), trusted=True) == value


def test_an_array_is_a_set():
    assert read_value(["b", "a", "b"]) == read_value(["a", "b"]) == ["a", "b"]
    assert read_value([{"y": 1, "x": [2, 1]}, {"x": [1, 2], "y": 1}]) == [{"y": 1, "x": [1, 2]}]
    # Python takes them for one another, policies don't
    assert read_value([1, True]) == [1, True]
    assert len(read_value([0, False, "0"])) == 3


def test_a_decimal_of_a_file_is_the_number_it_says():
    def read(text):
        return read_value({"__extn": {"fn": "decimal", "arg": text}}, trusted=True)

    assert read("2.50") == read_value(Decimal("2.5"))
    assert plain(read("-2.5")) == -2.5
    # what Cedar can't read stays what it is, for the finding that says so
    assert read("999999999999999.9") == Extension("decimal", "999999999999999.9")
    assert read("2") == Extension("decimal", "2")


def test_plain_values_for_the_other_engines():
    value = {"n": Decimal("1.5"), "who": Uid("user", "a"), "ip": Extension("ip", "::1"), "set": [1, True, "x"]}
    assert plain(value) == {"n": 1.5, "who": {"type": "user", "id": "a"}, "ip": "::1", "set": [1, True, "x"]}
