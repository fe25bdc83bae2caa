"""What is validated by hand on the hot path and what the OpenAPI document says are one thing.

Bodies are generated around the shapes of the API, right and wrong in every place; the hand-written reader
accepts one exactly if the document's schema does.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from policy_service.errors import RequestError
from policy_service.web.evaluation import ITEMS, SEMANTICS, read_batch, read_single
from policy_service.web.schemas import SCHEMAS
from policy_service.web.search_schemas import SEARCH_SCHEMAS
from policy_service.web.searching import FORMS, ROLES, Role, read_search

ALL = {**SCHEMAS, **SEARCH_SCHEMAS}
VALIDATORS = {
    name: Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": ALL}})
    for name in ("EvaluationRequest", "EvaluationsRequest", *(f"{role.capitalize()}SearchRequest" for role in ROLES))
}

SCALARS = st.sampled_from([None, True, 0, 1, 1.5, "", "x", "reasons"])
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=4
)
TEXT = st.sampled_from(["x", "", "user"])


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Right three times out of four, so that a whole body is often right."""
    return st.one_of(right, right, right, ANYTHING)


def shape(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[Any]:
    """An object whose members are mostly there."""
    everything = st.fixed_dictionaries(required, optional={**optional, "unknown": ANYTHING})
    gaps = st.fixed_dictionaries({}, optional={**required, **optional})
    return st.one_of(everything, everything, everything, gaps)


PROPERTIES = mostly(st.dictionaries(st.sampled_from("ab"), ANYTHING, max_size=2))
THING = mostly(shape({"type": mostly(TEXT), "id": mostly(TEXT)}, properties=PROPERTIES))
ACTION = mostly(shape({"name": mostly(TEXT)}, properties=PROPERTIES))
PARTS = {"subject": THING, "action": ACTION, "resource": THING}
EXPLAIN = st.sampled_from(["reasons", "reasons", None, "all", 1])
SEMANTIC = st.sampled_from([*SEMANTICS, None, "all", 1, []])
SINGLE = mostly(shape(PARTS, context=PROPERTIES, options=mostly(shape({}, explain=EXPLAIN))))
ITEM = mostly(shape({}, **PARTS, context=PROPERTIES))
BATCH = mostly(
    shape(
        {**PARTS, "evaluations": mostly(st.lists(ITEM, max_size=3))},
        context=PROPERTIES,
        options=mostly(shape({}, explain=EXPLAIN, evaluations_semantic=SEMANTIC)),
    )
)
PAGE = mostly(shape({}, token=mostly(TEXT), limit=mostly(st.sampled_from([0, 1, 10**9, -1])), properties=PROPERTIES))
SEARCH = mostly(
    shape(PARTS, context=PROPERTIES, page=PAGE, options=mostly(shape({}, filter=st.sampled_from([*FORMS, None, "x"]))))
)
GOOD = {"subject": {"type": "user", "id": "x"}, "action": {"name": "x"}, "resource": {"type": "x", "id": "x"}}


def reads(read: Any, body: Any) -> bool:
    try:
        read(body)
    except RequestError:
        return False
    return True


@given(SINGLE)
@example(GOOD)
@settings(max_examples=250, deadline=None)
def test_one_question(body: Any) -> None:
    assert reads(read_single, body) is VALIDATORS["EvaluationRequest"].is_valid(body)


@given(BATCH)
@example(GOOD)
@example({**GOOD, "evaluations": [{}] * ITEMS})
@example({**GOOD, "evaluations": [{}] * (ITEMS + 1)})
@settings(max_examples=300, deadline=None)
def test_many_questions(body: Any) -> None:
    assert reads(read_batch, body) is VALIDATORS["EvaluationsRequest"].is_valid(body)


@given(ITEM)
@settings(max_examples=100, deadline=None)
def test_an_item_that_the_document_describes_is_a_question(item: Any) -> None:
    """Of an item the document says which are meant; the others are answered as errors of their own."""
    validator = VALIDATORS["EvaluationsRequest"].evolve(
        schema={"$ref": "#/components/schemas/EvaluationItem", "components": {"schemas": SCHEMAS}}
    )
    (read,) = read_batch({**GOOD, "evaluations": [item]}).items
    assert isinstance(read, RequestError) is not validator.is_valid(item)


@pytest.mark.parametrize("role", ROLES)
@given(SEARCH)
@example(GOOD)
@settings(max_examples=100, deadline=None)
def test_a_search(role: Role, body: Any) -> None:
    accepted = VALIDATORS[f"{role.capitalize()}SearchRequest"].is_valid(body)
    assert reads(lambda sent: read_search(role, sent), body) is (accepted and not _wants_a_filter(role, body))


def _wants_a_filter(role: str, body: Any) -> bool:
    """It is an unknown option where the document has none, and refused all the same: it would be taken for results."""
    options = body.get("options") if isinstance(body, dict) else None
    return role != "resource" and isinstance(options, dict) and options.get("filter") is not None


@pytest.mark.parametrize("body", [GOOD, {**GOOD, "evaluations": [{}]}])
def test_the_generators_can_be_right(body: Any) -> None:
    assert reads(read_batch, body)
