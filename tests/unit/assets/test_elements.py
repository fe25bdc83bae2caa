"""Names and values of element rows: no two things have one name, and none is too long for an index."""

from __future__ import annotations

import json

import pytest

from policy_service.assets.elements import (
    NAME_BYTES,
    SEALED,
    VALUE_BYTES,
    ancestor_name,
    drawn_name,
    list_elements,
    make_element,
    parent_name,
    read_uid,
    scalar_name,
    set_name,
    write_element,
)
from policy_service.model import Uid
from policy_service.policy.stored_values import encode_record

ODD = ("env", "env[]", "a.b", "@1", "class", "", "é", "x" * 200, "é" * 200, "~65", "#x", "tag.env")


def test_no_two_things_have_one_name() -> None:
    names = ["class"]
    for name in ODD:
        names += [set_name("attribute", name), scalar_name("attribute", name)]
        names += [set_name("tag", name), scalar_name("tag", name)]
    for generation in (1, 2, 11):
        names += [ancestor_name(generation), parent_name(generation)]
        names += [drawn_name(generation, name) for name in ("team", "t2", "e" * 200)]
    assert len(set(names)) == len(names)
    assert max(len(name.encode()) for name in names) <= NAME_BYTES + 3


@pytest.mark.parametrize("value", ["", "a", 'a"b', "é", 1, True, Uid("Team", "red"), "x" * (VALUE_BYTES - 2)])
def test_a_value_is_its_canonical_text(value) -> None:
    element = make_element("n", value)
    assert element.whole is None
    if not isinstance(value, Uid):
        assert json.loads(element.value) == value


@pytest.mark.parametrize("value", ["x" * (VALUE_BYTES - 1), "é" * 500, Uid("Team", "x" * 1_600)])
def test_a_long_value_is_a_digest_that_no_canonical_text_is(value) -> None:
    element = make_element("n", value)
    assert element.value == write_element(value)
    assert element.value.startswith("#")
    assert element.whole is not None
    assert len(element.whole.encode()) > VALUE_BYTES
    assert write_element(str(value) + "y") != element.value
    if isinstance(value, Uid):
        assert read_uid(element.whole) == value


def test_what_is_no_set_has_a_row_only_where_it_is_indexed() -> None:
    row = {
        "classes": ["A", "B"],
        "properties": encode_record({"env": "prod", "ports": [80, 443], "a.b": 1, "empty": []}),
        "tags": encode_record({"env": "test", "owners": ["x"]}),
        "sealed": {"~612e63": "…"},
    }
    sets = {("class", '"A"'), ("class", '"B"'), (".ports[]", "443"), (".ports[]", "80"), ("#owners[]", '"x"')}

    def rows(*indexed: str) -> set[tuple[str, str]]:
        return {(element.name, element.value) for element in list_elements(row, frozenset(indexed))}

    assert rows() == sets
    assert rows("env") == sets | {(".env", '"prod"')}
    assert rows("a.c", "tag.a.c") == sets | {(".~612e63", SEALED)}
    assert rows("tag.env", "a.b", "ports") == sets | {("#env", '"test"'), (".~612e62", "1")}
