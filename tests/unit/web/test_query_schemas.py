"""What is read of a search by hand and what the OpenAPI document says of it are one thing."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from policy_service.access.query import (
    OPERATORS,
    SORTS,
    read_facets,
    read_number,
    read_search,
    read_sort,
    read_text,
)
from policy_service.errors import RequestError
from policy_service.web.asset_requests import LARGEST_LIMIT, LIMIT, VALUES
from policy_service.web.query_schemas import QUERY_SCHEMAS

VALIDATORS = {
    name: Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": QUERY_SCHEMAS}})
    for name in ("SearchRequest", "CountRequest", "FacetsRequest", "ExportRequest")
}
SCALAR = st.sampled_from(["x", "", 0, 1, 1.5, True, None])
ANYTHING = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner), max_leaves=3
)


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Right for the most part, so that a whole body is often right."""
    return st.one_of(right, right, right, right, right, ANYTHING)


CONDITION = st.fixed_dictionaries(
    {"property": mostly(st.sampled_from(["env", "tag.env", "displayName", "_key"])), "op": st.sampled_from(OPERATORS)},
    optional={"value": mostly(SCALAR | st.lists(SCALAR, max_size=2)), "other": ANYTHING},
)
WHERE = st.recursive(
    mostly(CONDITION),
    lambda inner: (
        st.fixed_dictionaries({}, optional={"not": inner, "and": st.lists(inner, max_size=2)})
        | st.fixed_dictionaries({"or": mostly(st.lists(inner, max_size=2))})
    ),
    max_leaves=3,
)
TEXT = mostly(st.sampled_from(["x", "", None]))
SEARCHED = {"where": WHERE | st.none(), "type": TEXT, "class": TEXT, "text": TEXT, "unknown": ANYTHING}
LIMITS = mostly(st.sampled_from([1, 1_000, 1_001, 0, None]))


def reads(read: Any, *arguments: Any) -> bool:
    try:
        read(*arguments)
    except RequestError:
        return False
    return True


def read_list(body: Any) -> None:
    read_search("entity", body, ("sort", "limit", "cursor"))
    read_number(body, "limit", LIMIT, LARGEST_LIMIT)
    read_text(body, "cursor")
    read_sort(read_text(body, "sort"))


def read_counts(body: Any) -> None:
    read_search("entity", body, ("facets", "limit"))
    read_facets(body)
    read_number(body, "limit", VALUES, LARGEST_LIMIT)


SEARCH = st.fixed_dictionaries(
    {},
    optional={
        **SEARCHED,
        "sort": mostly(st.sampled_from([*SORTS, "-_id", "env", None])),
        "limit": LIMITS,
        "cursor": TEXT,
    },
)
FACETS = st.fixed_dictionaries(
    {"facets": mostly(st.lists(mostly(st.just("type")), max_size=11))}, optional={**SEARCHED, "limit": LIMITS}
)


@given(mostly(SEARCH))
@example({"where": {"property": "a", "op": "in", "value": ["x"] * 10_000}})
@example({"where": {"property": "a", "op": "in", "value": ["x"] * 10_001}})
@settings(max_examples=200, deadline=None)
def test_searches(body: Any) -> None:
    assert reads(read_list, body) is VALIDATORS["SearchRequest"].is_valid(body)
    counted = reads(read_search, "entity", body)
    assert counted is VALIDATORS["CountRequest"].is_valid(body) is VALIDATORS["ExportRequest"].is_valid(body)


@given(mostly(FACETS))
@settings(max_examples=100, deadline=None)
def test_facets(body: Any) -> None:
    assert reads(read_counts, body) is VALIDATORS["FacetsRequest"].is_valid(body)
