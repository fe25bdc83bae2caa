"""Whatever a request sends: no escape from a forbid, no group as a subject, no two names for one type."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_service.errors import RequestError
from policy_service.model import Act, Request, Thing, Uid
from policy_service.policy.names import action_name, action_uid, cedar_type, is_reserved, request_type
from policy_service.policy.request import ask
from policy_service.policy.values import dumps, read_json, read_value
from tests.property.files import answer, make_bundle

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
awkward = st.sampled_from(
    [
        "",
        "Group",
        "Action",
        "PolicyService::Operator",
        "PolicyService",
        "if",
        "a::b",
        "::",
        "a-b",
        "é",
        "Escaped_61",
        "Escaped_",
        "X::Action",
        "\x00",
        "__cedar",
        "user",
        "a::Group",
        "Escaped_::x",
    ]
)
names = texts | awkward
numbers = (
    st.integers()
    | st.integers(-(2**63) - 2, 2**63 + 2)
    | st.decimals(allow_nan=False, allow_infinity=False, places=6)
    | st.floats(allow_nan=False, allow_infinity=False)
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
properties = st.dictionaries(texts, json_values, max_size=4)
requests = st.builds(
    Request,
    st.builds(Thing, names, texts, properties),
    st.builds(Act, names, properties),
    st.builds(Thing, names, texts, properties),
    properties,
)

FORBID = make_bundle(
    {"all.cedar": '@id("yes") permit(principal, action, resource);\n@id("no") forbid(principal, action, resource);\n'}
)
PERMIT = make_bundle({"all.cedar": '@id("yes") permit(principal, action, resource);\n'})
GROUPS = make_bundle(
    {
        "all.cedar": '@id("yes") permit(principal in Group::"Administrators", action, resource);\n',
        "groups.csv": "g, user:alice, group:Administrators, acme\n",
    }
)


def sendable(request: Request) -> bool:
    try:
        ask(request)
    except RequestError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(requests)
def test_an_unscoped_forbid_denies_every_request(request):
    if sendable(request):
        decision = answer(FORBID, request)
        assert not decision.allowed
        assert [policy.id for policy in decision.reasons] == ["no"]
        # and the same request is understood by the engine: it is not denied by accident
        assert answer(PERMIT, request).allowed


@settings(max_examples=200, deadline=None)
@given(names, names.filter(lambda name: name != "alice"))
def test_no_request_is_a_group(kind, name):
    for subject in (Thing(kind, name), Thing("Group", "Administrators"), Thing(kind, "Administrators")):
        assert not answer(GROUPS, Request(subject, Act("read"), Thing("doc", "d1"))).allowed
    assert answer(GROUPS, Request(Thing("user", "alice"), Act("read"), Thing(kind, name))).allowed


@given(names, names)
def test_the_escape_of_types_is_injective(first, second):
    assert request_type(cedar_type(first)) == first
    assert (cedar_type(first) == cedar_type(second)) is (first == second)
    assert not is_reserved(cedar_type(first)) or cedar_type(first).startswith("Escaped_")


@given(names, names)
def test_actions_are_injective(first, second):
    assert action_name(action_uid(first)) == first
    assert (action_uid(first) == action_uid(second)) is (first == second)


def as_number(value):
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


@given(numbers, numbers)
def test_numbers_count_by_value(first, second):
    def read(value):
        return read_value(read_json(str(as_number(value))))

    try:
        one, other = read(first), read(second)
    except ValueError:
        return
    assert (dumps(one) == dumps(other)) is (as_number(first) == as_number(second))


@given(json_values, json_values)
def test_values_are_read_injectively_but_for_null(first, second):
    def clean(value):
        if isinstance(value, dict):
            return {name: clean(part) for name, part in value.items() if part is not None}
        if isinstance(value, list):
            return [clean(part) for part in value if part is not None]
        if isinstance(value, float | int | Decimal) and not isinstance(value, bool):
            return as_number(value).normalize() if value else Decimal(0)
        return value

    try:
        one, other = read_value([first]), read_value([second])
    except ValueError:
        return
    same = repr(clean([first])) == repr(clean([second]))
    if same:
        assert orjson.loads(dumps(one)) == orjson.loads(dumps(other))


@pytest.mark.parametrize("name", ["tenant", "groups", "authn"])
@pytest.mark.parametrize("role", ["subject", "resource", "action"])
def test_what_only_the_service_asserts_is_refused(role, name):
    parts = {"subject": Thing("user", "a"), "action": Act("read"), "resource": Thing("doc", "d")}
    parts[role] = parts[role]._replace(properties={name: "x"})
    with pytest.raises(RequestError, match=f"`{role}.properties.{name}` may not be sent"):
        ask(Request(**parts))


@pytest.mark.parametrize("name", ["now", "caller"])
def test_what_only_the_service_asserts_in_the_context_is_refused(name):
    with pytest.raises(RequestError, match=f"`context.{name}` may not be sent"):
        ask(Request(Thing("user", "a"), Act("read"), Thing("doc", "d"), {name: {}}))


@pytest.mark.parametrize("escape", ["__entity", "__extn", "__expr", "__number"])
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: {"a": v}, lambda v: {"a": [v]}, lambda v: {"a": [{"b": v}]}])
def test_escapes_of_cedar_are_refused(escape, wrap):
    sent = wrap({escape: {"type": "user", "id": "alice"}})
    for request in (
        Request(Thing("user", "a", sent), Act("read"), Thing("doc", "d")),
        Request(Thing("user", "a"), Act("read", sent), Thing("doc", "d")),
        Request(Thing("user", "a"), Act("read"), Thing("doc", "d", sent)),
        Request(Thing("user", "a"), Act("read"), Thing("doc", "d"), sent),
    ):
        with pytest.raises(RequestError, match="may not be sent"):
            ask(request)


def test_files_may_hold_references():
    value = read_value({"owner": {"__entity": {"type": "user", "id": "alice"}}}, trusted=True)
    assert value == {"owner": Uid("user", "alice")}
