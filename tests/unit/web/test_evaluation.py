"""Bodies are read strictly where the specification says so, and not where it doesn't."""

import json
from decimal import Decimal
from typing import Any

import pytest

from policy_service.errors import RequestError
from policy_service.model import Decision, Effect, Engine, Failure, Policy, Request
from policy_service.web.errors import TooLarge
from policy_service.web.evaluation import ITEMS, read_batch, read_single, write_batch, write_single

ALICE = {"type": "user", "id": "alice"}
READ = {"name": "read"}
HOST = {"type": "host", "id": "1"}
GOOD = {"subject": ALICE, "action": READ, "resource": HOST}


def why(body: Any, read: Any = read_single) -> str:
    with pytest.raises(RequestError) as caught:
        read(body)
    return str(caught.value)


def test_reads_the_four_parts_as_sent() -> None:
    body = read_single({**GOOD, "context": {"a": None}, "resource": {**HOST, "properties": {"x": [1]}}})
    (request,) = body.items
    assert isinstance(request, Request)
    assert (request.subject.type, request.action.name, request.resource.properties) == ("user", "read", {"x": [1]})
    assert request.context == {"a": None}
    assert body.single
    assert not body.explain


@pytest.mark.parametrize("part", ["subject", "action", "resource"])
@pytest.mark.parametrize("value", [None, "x", 1, [], True, 1.5])
def test_a_part_is_an_object(part: str, value: Any) -> None:
    assert f"`{part}`" in why({**GOOD, part: value})


@pytest.mark.parametrize(
    ("part", "member"),
    [("subject", "type"), ("subject", "id"), ("action", "name"), ("resource", "type"), ("resource", "id")],
)
@pytest.mark.parametrize("value", [None, 1, True, [], {}])
def test_an_identifier_is_a_string_and_never_converted(part: str, member: str, value: Any) -> None:
    assert f"`{part}.{member}`" in why({**GOOD, part: {**GOOD[part], member: value}})


@pytest.mark.parametrize("value", ["x", 1, [], True])
@pytest.mark.parametrize("part", ["subject", "action", "resource"])
def test_properties_are_an_object(part: str, value: Any) -> None:
    assert f"`{part}.properties`" in why({**GOOD, part: {**GOOD[part], "properties": value}})


@pytest.mark.parametrize("value", ["x", 1, [], True])
def test_a_context_is_an_object(value: Any) -> None:
    assert "`context`" in why({**GOOD, "context": value})


def test_null_is_as_if_not_sent() -> None:
    body = {**GOOD, "context": None, "options": None, "subject": {**ALICE, "properties": None}}
    assert read_single(body).items == read_single(GOOD).items


def test_unknown_members_are_ignored_at_every_level() -> None:
    body = {part: {**value, "x": 1} for part, value in GOOD.items()} | {"x": {}, "options": {"x": 1}}
    assert read_single(body).items == read_single(GOOD).items


@pytest.mark.parametrize("body", [[], "x", 1, None, True])
@pytest.mark.parametrize("read", [read_single, read_batch])
def test_a_body_is_an_object(body: Any, read: Any) -> None:
    assert "the body is" in why(body, read)


def test_an_item_replaces_a_default_whole() -> None:
    body = read_batch(
        {
            **GOOD,
            "subject": {**ALICE, "properties": {"a": 1}},
            "evaluations": [{"subject": ALICE}, {}],
            "context": {"c": 1},
        }
    )
    assert [item.subject.properties for item in body.items] == [{}, {"a": 1}]
    assert [item.context for item in body.items] == [{"c": 1}, {"c": 1}]


def test_a_context_of_an_item_replaces_the_default_whole() -> None:
    (item,) = read_batch({**GOOD, "context": {"c": 1}, "evaluations": [{"context": {}}]}).items
    assert item.context == {}


def test_only_the_effective_tuple_is_validated() -> None:
    body = read_batch({"subject": {}, "action": {"name": 1}, "resource": {}, "context": {}, "evaluations": [GOOD]})
    assert body.items == read_single(GOOD).items


def test_a_part_of_an_item_is_never_completed_from_the_default() -> None:
    (item,) = read_batch({**GOOD, "evaluations": [{"subject": {"type": "user"}}]}).items
    assert isinstance(item, RequestError)


@pytest.mark.parametrize(
    "item", [1, "x", [], None, {"subject": 1}, {"action": {}}, {"context": []}, {"resource": {"type": 1}}]
)
def test_what_is_wrong_with_an_item_stays_with_it(item: Any) -> None:
    first, second, third = read_batch({**GOOD, "evaluations": [{}, item, {}]}).items
    assert isinstance(second, RequestError)
    assert first == third == read_single(GOOD).items[0]


@pytest.mark.parametrize("part", ["subject", "action", "resource", "context", "options", "evaluations"])
def test_a_default_of_a_wrong_kind_refuses_the_whole(part: str) -> None:
    assert f"`{part}`" in why({"evaluations": [GOOD], part: "x"}, read_batch)


@pytest.mark.parametrize("evaluations", [{}, {"evaluations": []}, {"evaluations": None}])
def test_without_evaluations_it_is_one_question(evaluations: dict[str, Any]) -> None:
    assert read_batch({**GOOD, **evaluations}) == read_single(GOOD)
    assert "`subject`" in why({**GOOD, "subject": None, **evaluations}, read_batch)


@pytest.mark.parametrize(
    ("semantic", "until"),
    [(None, None), ("execute_all", None), ("deny_on_first_deny", False), ("permit_on_first_permit", True)],
)
def test_a_semantic_says_what_ends_the_batch(semantic: str | None, until: bool | None) -> None:
    body = {**GOOD, "evaluations": [{}], "options": {"evaluations_semantic": semantic, "other": 1}}
    assert read_batch(body).until is until


@pytest.mark.parametrize("semantic", ["all", "", 1, [], {}, True, "EXECUTE_ALL"])
def test_an_unknown_semantic_is_refused(semantic: Any) -> None:
    assert "evaluations_semantic" in why(
        {**GOOD, "evaluations": [{}], "options": {"evaluations_semantic": semantic}}, read_batch
    )
    assert "evaluations_semantic" in why({**GOOD, "options": {"evaluations_semantic": semantic}}, read_batch)


def test_a_batch_has_an_end() -> None:
    assert len(read_batch({**GOOD, "evaluations": [{}] * ITEMS}).items) == ITEMS
    assert f"at most {ITEMS}" in why({**GOOD, "evaluations": [{}] * (ITEMS + 1)}, read_batch)


@pytest.mark.parametrize("read", [read_single, read_batch])
def test_reasons_are_asked_for(read: Any) -> None:
    assert read({**GOOD, "options": {"explain": "reasons"}}).explain
    assert not read({**GOOD, "options": {"explain": None}}).explain
    assert "`reasons`" in why({**GOOD, "options": {"explain": "all"}}, read)


PERMIT = Policy("p", Effect.PERMIT, "tenants/a/x.cedar", 3, Engine.CEDAR, "why not")
DENY = Decision(False, (), (Failure(PERMIT, "integer overflow of `s3cret`"),), "v1", (PERMIT,))


def test_an_answer_is_bare() -> None:
    assert write_single(DENY, explain=False) == b'{"decision":false}'
    assert write_single(Decision(True, (PERMIT,), (), "v1"), explain=False) == b'{"decision":true}'
    assert write_batch([DENY, Decision(True, (PERMIT,), (), "v1")], explain=False) == (
        b'{"evaluations":[{"decision":false},{"decision":true}]}'
    )


def test_reasons_say_where_to_look() -> None:
    written = json.loads(write_single(DENY, explain=True))
    shape = {
        "id": "p", "effect": "permit", "file": "tenants/a/x.cedar", "line": 3, "message": "why not", "engine": "cedar",
    }  # fmt: skip
    assert list(written) == ["decision", "context"]
    assert written["context"] == {
        "reasons": [],
        "errors": [{**shape, "error": "integer overflow"}],
        "version": "v1",
        "unsatisfied": [{"id": "p", "file": "tenants/a/x.cedar", "line": 3}],
    }
    assert json.loads(write_single(Decision(True, (PERMIT,), (), "v1"), explain=True))["context"] == {
        "reasons": [shape],
        "errors": [],
        "version": "v1",
    }


@pytest.mark.parametrize("explain", [True, False])
def test_an_item_that_failed_says_why(explain: bool) -> None:
    assert json.loads(write_batch([RequestError("no `\ud800`")], explain)) == {
        "evaluations": [{"decision": False, "context": {"error": {"status": 400, "message": "no `?`"}}}]
    }


def test_defaults_count_for_each_item() -> None:
    """One megabyte that stands in a thousand items would be a gigabyte of decision log, and nine of them all of it."""
    body = {
        "subject": {"type": "user", "id": "a", "properties": {"much": "x" * 40_000, "more": Decimal("1.5")}},
        "action": {"name": "read"},
        "resource": {"type": "doc", "id": "1"},
    }
    assert len(read_batch({**body, "evaluations": [{}] * 400}).items) == 400
    with pytest.raises(TooLarge, match="with its defaults in each item"):
        read_batch({**body, "evaluations": [{}] * 500})
