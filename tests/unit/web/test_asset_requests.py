"""What a request of the asset API says is read strictly."""

from __future__ import annotations

import pytest

from policy_service.errors import RequestError
from policy_service.web.asset_requests import (
    BATCH_BYTES,
    Query,
    Target,
    body_limit,
    find_target,
    is_held,
    read_guard,
)
from policy_service.web.bodies import BODY_BYTES
from policy_service.web.errors import NotFound


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/entities", Target("entity", "all")),
        ("/relationships", Target("relationship", "all")),
        ("/entities:batch", Target("entity", "batch")),
        ("/entities:search", Target("entity", "search")),
        ("/relationships:count", Target("relationship", "count")),
        ("/relationships:facets", Target("relationship", "facets")),
        ("/entities:export", Target("entity", "export")),
        ("/entities/abc-1", Target("entity", "one", "abc-1")),
        ("/relationships/abc", Target("relationship", "one", "abc")),
        ("/entities/abc/neighbours", Target("entity", "neighbours", "abc")),
        ("/entities/abc/walk", Target("entity", "walk", "abc")),
    ],
)
def test_paths(path: str, target: Target) -> None:
    assert find_target(f"/api/v1{path}") == target


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/entities/",
        "/entities/a/b",
        "/entities/a\0",
        "/entities/é",
        "/entities/a:b",
        "/entities\n",
        "/Entities",
        "/relationships:batch",
        "/entities:list",
        "/entities/a:search",
        "/relationships/a/walk",
        "/entities/" + "a" * 65,
    ],
)
def test_what_is_not_served(path: str) -> None:
    with pytest.raises(NotFound):
        find_target(f"/api/v1{path}")


def test_a_query_is_taken_part_by_part() -> None:
    query = Query("type=a%20b&type=c&limit=7&direction=in")
    assert query.texts("type") == ("a b", "c")
    assert query.number("limit", 100, 1000) == 7
    assert query.direction() == "in"
    query.end()
    with pytest.raises(RequestError, match="`class` is empty"):
        Query("class=").text("class")
    with pytest.raises(RequestError, match="`type` is empty"):
        Query("type=a&type=").texts("type")
    empty = Query("")
    assert (empty.text("x"), empty.texts("x"), empty.number("x", 9, 10)) == ("", (), 9)
    empty.end()


@pytest.mark.parametrize("text", ["x", "a=%ff", "a=%00", "type=gr\xc3\xb6sse", "&".join("a=1" for _ in range(51))])
def test_a_query_that_is_none(text: str) -> None:
    with pytest.raises(RequestError):
        Query(text)


@pytest.mark.parametrize("text", ["0", "-1", "1001", "x", "1.5", "٣", "99999999999", "+1", "1_0"])
def test_a_number_that_is_none(text: str) -> None:
    with pytest.raises(RequestError):
        Query(f"limit={text}").number("limit", 100, 1000)


def test_what_is_sent_twice_or_is_unknown_is_refused() -> None:
    with pytest.raises(RequestError, match="twice"):
        Query("type=a&type=b").text("type")
    with pytest.raises(RequestError, match="`typ` is no parameter"):
        Query("typ=a").end()
    with pytest.raises(RequestError, match="direction"):
        Query("direction=up").direction()
    with pytest.raises(RequestError, match="from 1 to 5"):
        Query("depth=6").depth()


@pytest.mark.parametrize(
    ("sent", "held", "is_it"),
    [
        ("", '"a"', True),
        ("*", '"a"', True),
        ('"a"', '"a"', True),
        ('"b", "a"', '"a"', True),
        ('"b" , "a" ', '"a"', True),
        ('"b"', '"a"', False),
        ('W/"a"', '"a"', False),
        ('"a,b"', '"a"', False),
    ],
)
def test_if_match(sent: str, held: str, is_it: bool) -> None:
    assert read_guard({"if-match": sent})(held) is is_it


@pytest.mark.parametrize("sent", ["a", '"a', '"a" "b"', '"a",b', "W/a", '"a"\n"b"', "'a'"])
def test_tags_that_are_none(sent: str) -> None:
    with pytest.raises(RequestError):
        read_guard({"if-match": sent})
    with pytest.raises(RequestError):
        is_held({"if-none-match": sent}, '"a"')


def test_if_none_match() -> None:
    assert not is_held({}, '"a"')
    for sent in ("*", '"a"', 'W/"a"', '"b", W/"a"'):
        assert is_held({"if-none-match": sent}, '"a"')
    assert not is_held({"if-none-match": '"b"'}, '"a"')


def test_a_batch_may_have_a_larger_body() -> None:
    assert body_limit("/api/v1/entities") == BODY_BYTES
    assert body_limit("/api/v1/entities:batch") == BATCH_BYTES
