"""From a request as it was sent to a question: what is refused, what is escaped, what the overlay holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policy_service.errors import RequestError
from policy_service.model import Act, Request, Thing, Uid
from policy_service.policy.request import ask

ALICE, DOC = Thing("user", "alice"), Thing("doc", "d1")
RESERVED = ["tenant", "groups", "authn"]


def sent(role: str, properties: dict[str, Any]) -> Request:
    """A request in which one of its four parts says something."""
    if role == "context":
        return Request(ALICE, Act("read"), DOC, properties)
    parts: dict[str, Any] = {"subject": ALICE, "action": Act("read"), "resource": DOC}
    return Request(**parts | {role: parts[role]._replace(properties=properties)})


def sent_of_one(first: dict[str, Any], second: dict[str, Any]) -> Request:
    """A request whose subject and resource are one entity."""
    return Request(Thing("user", "alice", first), Act("read"), Thing("user", "alice", second))


def test_names_are_cedar_s_and_those_that_were_sent_are_kept() -> None:
    question = ask(Request(Thing("web app", "a"), Act("Todo::read"), Thing("doc", "d")))
    assert question.principal == Uid(f"Escaped_{b'web app'.hex()}", "a")
    assert question.action == Uid("Todo::Action", "read")
    assert question.resource == Uid("doc", "d")
    assert (question.subject_type, question.action_name, question.resource_type) == ("web app", "Todo::read", "doc")


@pytest.mark.parametrize("kind", ["Group", "Action", "X::Action", "PolicyService::Operator", "Escaped_61"])
def test_a_reserved_type_is_the_service_s_alone(kind: str) -> None:
    request = Request(Thing(kind, "x"), Act("read"), Thing(kind, "y"))
    question = ask(request)
    assert question.principal == Uid(f"Escaped_{kind.encode().hex()}", "x")
    assert question.resource == Uid(f"Escaped_{kind.encode().hex()}", "y")
    own = ask(request, service=True)
    assert (own.principal.type, own.resource.type) == (kind, kind)


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("role", ["subject", "action", "resource"])
def test_what_only_the_service_asserts_of_an_entity_is_refused(role: str, name: str) -> None:
    with pytest.raises(RequestError, match=rf"^`{role}\.properties\.{name}` may not be sent"):
        ask(sent(role, {"team": "red", name: "x"}))


@pytest.mark.parametrize("name", ["now", "caller"])
def test_what_only_the_service_asserts_of_the_context_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match=rf"^`context\.{name}` may not be sent"):
        ask(sent("context", {"ip": "10.0.0.1", name: {}}))


def test_the_service_may_assert_all_of_it() -> None:
    asserted = dict.fromkeys(RESERVED, "x")
    request = Request(
        ALICE._replace(properties=asserted), Act("read", asserted), DOC._replace(properties=asserted), {"now": "x"}
    )
    question = ask(request, service=True)
    assert question.overlay == {question.principal: asserted, question.resource: asserted}
    assert question.action_attributes == asserted
    assert question.context == {"now": "x"}


def test_a_reserved_name_is_only_reserved_where_the_service_asserts_it() -> None:
    assert ask(sent("subject", {"now": 1, "job": {"tenant": "x"}})).overlay[Uid("user", "alice")]["now"] == 1
    assert ask(sent("context", {"tenant": "x", "job": {"caller": 1}})).context["tenant"] == "x"


@pytest.mark.parametrize("escape", ["__entity", "__extn", "__expr", "__number"])
@pytest.mark.parametrize("role", ["subject", "action", "resource", "context"])
def test_no_request_forges_a_reference(role: str, escape: str) -> None:
    forged = {escape: {"type": "user", "id": "alice"}}
    for properties in ({"x": 1, **forged}, {"owner": forged}, {"owners": [{"who": forged}]}):
        with pytest.raises(RequestError, match=rf"{escape}`.* may not be sent"):
            ask(sent(role, properties))
        with pytest.raises(RequestError, match="may not be sent"):
            ask(sent(role, properties), service=True)


@pytest.mark.parametrize("role", ["subject", "action", "resource", "context"])
def test_null_is_as_if_it_was_not_sent(role: str) -> None:
    full = {"a": 1, "b": {"c": "x"}, "d": [1]}
    holes = {"a": 1, "b": {"c": "x", "n": None}, "d": [None, 1], "n": None}
    assert ask(sent(role, holes)) == ask(sent(role, full))


def test_numbers_count_by_value() -> None:
    context = ask(sent("context", {"a": Decimal("1.0"), "b": Decimal("1.50"), "c": 2**63})).context
    assert repr(context["a"]) == "1"
    assert context["b"] == Decimal("1.5")
    assert context["c"] == {"__number": "9223372036854775808e0"}


def test_a_value_that_can_t_be_read_is_told_with_its_place() -> None:
    with pytest.raises(RequestError, match=r"`subject\.properties\.a\.b` is a number beyond"):
        ask(sent("subject", {"a": {"b": 10**400}}))
    with pytest.raises(RequestError, match=r"`context\.a` holds a bytes"):
        ask(sent("context", {"a": b""}))


def test_the_overlay_holds_only_what_was_sent() -> None:
    assert ask(Request(ALICE, Act("read"), DOC)).overlay == {}
    assert ask(sent("subject", {"a": 1})).overlay == {Uid("user", "alice"): {"a": 1}}
    assert ask(sent("resource", {"a": 1})).overlay == {Uid("doc", "d1"): {"a": 1}}


def test_what_is_sent_of_one_entity_twice_is_joined() -> None:
    question = ask(sent_of_one({"a": 1, "b": {"c": [1]}}, {"b": {"c": [1]}, "d": 2}))
    assert question.overlay == {Uid("user", "alice"): {"a": 1, "b": {"c": [1]}, "d": 2}}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, 2),
        (1, "1"),
        (1, True),
        ({"c": [0]}, {"c": [False]}),
        ([1], [2]),
        ([1], [1, 2]),
        ({"c": 1}, {"c": 1, "d": 2}),
    ],
)
def test_one_entity_with_two_values_for_an_attribute_is_refused(first: Any, second: Any) -> None:
    with pytest.raises(RequestError, match="subject and resource are one entity with two values for `a`"):
        ask(sent_of_one({"a": first}, {"a": second}))


def test_two_types_with_one_id_are_two_entities() -> None:
    question = ask(Request(Thing("user", "x", {"a": 1}), Act("read"), Thing("doc", "x", {"a": 2})))
    assert question.overlay == {Uid("user", "x"): {"a": 1}, Uid("doc", "x"): {"a": 2}}
