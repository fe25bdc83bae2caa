"""The body of a search is read strictly: what can't be meant is refused in a sentence that says what to write."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policy_service.access.query import (
    LIMITS,
    And,
    Condition,
    Not,
    Or,
    Search,
    read_facets,
    read_number,
    read_search,
    read_sort,
    require_facets,
)
from policy_service.errors import RequestError
from policy_service.policy.values import NUMBER


def where(raw: Any, kind: Any = "entity") -> Any:
    return read_search(kind, {"where": raw}).where


def is_(name: str = "env", op: str = "eq", **value: Any) -> dict[str, Any]:
    return {"property": name, "op": op, **(value or {"value": "prod"})}


def test_a_search_is_read() -> None:
    raw = {
        "where": {"and": [is_(), {"or": [{"property": "tag.x", "op": "exists"}, {"not": is_("a", "in", value=[1])}]}]},
        "type": "host",
        "class": None,
        "text": "web",
        "limit": 3,
    }
    assert read_search("entity", raw, {"limit"}) == Search(
        "entity",
        "host",
        "",
        "web",
        And(
            (
                Condition("env", "eq", ("prod",)),
                Or((Condition("tag.x", "exists"), Not(Condition("a", "in", (1,))))),
            )
        ),
    )
    assert read_search("entity", {}) == Search("entity")


def test_values_are_what_they_are_to_policies() -> None:
    found = where(is_(op="in", value=[1, Decimal("1.0"), Decimal("2.5"), True, "1", 2**64, Decimal("1e-9")]))
    assert repr(found.values) == repr(
        (1, 1, Decimal("2.5"), True, "1", {NUMBER: "18446744073709551616e0"}, {NUMBER: "1e-9"})
    )


def test_a_digest_tells_searches_apart() -> None:
    searches = [
        read_search(kind, raw)  # type: ignore[arg-type]
        for kind in ("entity", "relationship")
        for raw in (
            {},
            {"type": "a"},
            {"class": "a"},
            {"text": "a"},
            *({"where": is_(value=v)} for v in (1, True, "1")),
        )
    ]
    assert len({search.digest for search in searches}) == len(searches)
    assert read_search("entity", {"where": is_(value=Decimal("1.0"))}).digest == searches[4].digest


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ([], "is no search"),
        ({"wehre": 1}, "`wehre` is no member"),
        ({"limit": 1}, "`limit` is no member"),
        ({"type": 1}, "`type` is no text"),
        ({"type": ""}, "`type` is no text"),
        ({"class": "a\0"}, "NUL"),
        ({"text": "a" * 1_001}, "longer than 1000 bytes"),
        ({"text": "ü" * 501}, "longer than 1000 bytes"),
        ({"where": []}, "a condition is an object"),
        ({"where": {}}, "either `property`, `op` and `value`, or one of"),
        ({"where": {"and": []}}, "at least one"),
        ({"where": {"or": {}}}, "at least one"),
        ({"where": {"and": [is_()], "or": [is_()]}}, "or one of `and`, `or` and `not`"),
        ({"where": {"and": [is_()], **is_()}}, "and no others"),
        ({"where": {"not": None}}, "a condition is an object"),
        ({"where": is_(op="equals")}, "`op` is none of `eq`"),
        ({"where": is_(op=["eq"])}, "`op` is none of `eq`"),
        ({"where": {"property": "a", "op": "eq"}}, "has the members `op`, `property`, `value`"),
        ({"where": is_(op="exists")}, "has the members `op`, `property` and"),
        ({"where": is_() | {"values": 1}}, "and no others"),
        ({"where": is_(value=None)}, "no text, number or boolean"),
        ({"where": is_(value=[1])}, "no text, number or boolean"),
        ({"where": is_(value={"__entity": {}})}, "no text, number or boolean"),
        ({"where": is_(op="in", value="a")}, "is no list"),
        ({"where": is_(op="in", value=[[1]])}, "no text, number or boolean"),
        ({"where": is_(op="in", value=[1] * 10_001)}, "at most 10000"),
        ({"where": is_(op="lt", value=True)}, "can't be compared"),
        ({"where": is_(op="lt", value=2**64)}, "can't be compared"),
        ({"where": is_(op="starts", value=1)}, "is no text"),
        ({"where": is_(op="starts", value="a" * 1_001)}, "longer than"),
        ({"where": is_(op="contains", value="a" * 1_001)}, "longer than"),
        ({"where": is_(value="a\0b")}, "NUL"),
        ({"where": is_("")}, "`property` is no name"),
        ({"where": is_("tag.")}, "`property` is no name"),
        ({"where": is_(1)}, "`property` is no name"),  # type: ignore[arg-type]
        ({"where": is_("a\0")}, "NUL"),
        ({"where": is_("a" * 205)}, "at most 200"),
        ({"where": is_("_accountId")}, "can't be searched for"),
        ({"where": is_("_fromEntityId")}, "can't be searched for"),
        ({"where": is_("_class")}, "use `contains`, `exists`"),
    ],
)
def test_what_can_t_be_meant_is_refused(raw: Any, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        read_search("entity", raw)


def test_relationships_have_ends_and_one_class() -> None:
    assert where(is_("_fromEntityId"), "relationship") == Condition("_fromEntityId", "eq", ("prod",))
    assert where(is_("_class", "ne"), "relationship") == Condition("_class", "ne", ("prod",))
    with pytest.raises(RequestError, match="use `eq`, `exists`, `in`, `ne`"):
        where(is_("_class", "contains"), "relationship")


def test_a_where_has_limits() -> None:
    deep: Any = is_()
    for _ in range(LIMITS.depth - 1):
        deep = {"not": deep}
    where(deep)
    with pytest.raises(RequestError, match="nested deeper than 10"):
        where({"not": deep})
    where({"and": [is_()] * LIMITS.conditions})
    with pytest.raises(RequestError, match="more than 200 conditions"):
        where({"and": [{"or": [is_()] * 101}, {"or": [is_()] * 100}]})
    # as many values as a list may have are read at once
    assert len(where(is_(op="in", value=["a"] * LIMITS.values)).values) == LIMITS.values


def test_numbers_and_facets() -> None:
    assert read_number({}, "limit", 100, 1_000) == 100
    assert read_number({"limit": 7}, "limit", 100, 1_000) == 7
    assert read_number({"limit": Decimal("7.0")}, "limit", 100, 1_000) == 7
    for wrong in (0, 1_001, "7", True, Decimal("1.5"), Decimal("1e300")):
        with pytest.raises(RequestError, match="from 1 to 1000"):
            read_number({"limit": wrong}, "limit", 100, 1_000)
    assert read_facets({"facets": ["type", "tag.env", "type"]}) == ("type", "tag.env")
    for wrong in (None, [], "type", [1], [["type"]], ["type"] * 11):
        with pytest.raises(RequestError, match="`facets`"):
            read_facets({"facets": wrong})
    require_facets(["type", "class", "tag.env"], {"tag.env"})
    with pytest.raises(RequestError, match=r"`env` is no facet, there are `type`, `class`, `tag\.env`"):
        require_facets(["type", "env"], {"tag.env"})


def test_an_order_is_read() -> None:
    assert read_sort("") == ("_id", False)
    assert read_sort("-displayName") == ("displayName", True)
    assert read_sort("_createdOn") == ("_createdOn", False)
    for wrong in ("-", "--_id", "env", "_version", "_ID", " _id"):
        with pytest.raises(RequestError, match="`sort` is"):
            read_sort(wrong)
