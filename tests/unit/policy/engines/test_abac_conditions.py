"""What each condition says, pinned: the library's meaning, and where a policy fails instead."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from policy_service.model import Extension, Uid
from policy_service.policy.engines.abac import evaluate
from policy_service.policy.engines.abac_schema import CONDITIONS
from tests.unit.policy.engines.abac_facts import facts, find, load, policy, says


def cond(name: str, **members: Any) -> dict[str, Any]:
    return {"condition": name, **members}


def attr(name: str, path: str = "$.y", ace: str = "resource") -> dict[str, Any]:
    return cond(name, ace=ace, path=path)


def test_the_conditions_are_the_librarys() -> None:
    # imported here, after the engine, which keeps the library's warnings at import quiet
    from py_abac.policy.conditions.schema import ConditionSchema

    assert set(CONDITIONS) == set(ConditionSchema.type_schemas)


MEANING: list[tuple[dict[str, Any], Any, bool]] = [
    (cond("Eq", value=1), 1, True),
    (cond("Eq", value=1), 1.0, True),
    (cond("Eq", value=1), True, True),  # the library's numbers include booleans
    (cond("Eq", value=1.5), 1.5, True),
    (cond("Eq", value=2**53 + 1), 2**53 + 1, True),
    (cond("Eq", value=2**53 + 1), 2**53, False),
    (cond("Neq", value=1), 2, True),
    (cond("Gt", value=1), 1.5, True),
    (cond("Gt", value=1), 1, False),
    (cond("Gte", value=1), 1, True),
    (cond("Lt", value=1e30), 5, True),
    (cond("Lte", value=0.12345), 1, False),
    (cond("Equals", value="a"), "a", True),
    (cond("Equals", value="a"), "A", False),
    (cond("Equals", value="a", case_insensitive=True), "A", True),
    (cond("NotEquals", value="a"), "b", True),
    (cond("Contains", value="b"), "abc", True),
    (cond("NotContains", value="b"), "abc", False),
    (cond("StartsWith", value="a"), "abc", True),
    (cond("EndsWith", value="C", case_insensitive=True), "abc", True),
    (cond("RegexMatch", value="^ab"), "abc", True),
    (cond("RegexMatch", value="b$"), "ab\n", False),
    (cond("CIDR", value="10.0.0.0/8"), "10.1.2.3", True),
    (cond("CIDR", value="10.0.0.0/8"), "11.1.2.3", False),
    (cond("CIDR", value="10.0.0.1"), "10.0.0.1", True),
    (cond("CIDR", value="::/0"), "10.0.0.1", False),
    (cond("IsIn", values=["a", {"b": 1}]), {"b": 1.0}, True),
    (cond("IsIn", values=[1.5, 2**70]), 2**70, True),
    (cond("IsIn", values=[1]), True, True),
    (cond("IsNotIn", values=["a"]), "b", True),
    (cond("AllIn", values=[1, 2]), [1], True),
    (cond("AllIn", values=[1, 2]), [], True),
    (cond("AllIn", values=[1, 2]), [1, 3], False),
    (cond("AnyIn", values=[2]), [1, 2], True),
    (cond("AnyIn", values=[2]), [], False),
    # the reverse of the library's documentation: none is in; not all are in
    (cond("AnyNotIn", values=[2]), [1, 2], False),
    (cond("AnyNotIn", values=[2]), [1], True),
    (cond("AllNotIn", values=[2]), [1, 2], True),
    (cond("AllNotIn", values=[2]), [2], False),
    (cond("AllNotIn", values=[2]), [], False),
    (cond("IsEmpty"), [], True),
    (cond("IsNotEmpty"), [1], True),
    (cond("Exists"), False, True),
    (cond("Exists"), None, False),
    (cond("NotExists"), None, True),
    (cond("NotExists"), "", False),
    (cond("Any"), None, True),
    (cond("Any"), 1, True),
    (cond("EqualsObject", value={"a": 1, "b": None}), {"a": 1.0}, True),
    (cond("EqualsObject", value={"a": 1}), {"a": 1, "b": 2}, False),
    (cond("Not", value=cond("Eq", value=1)), 2, True),
    (cond("AllOf", values=[cond("Gt", value=1), cond("Lt", value=3)]), 2, True),
    (cond("AllOf", values=[cond("Gt", value=1), cond("Lt", value=3)]), 3, False),
    (cond("AnyOf", values=[cond("Gt", value=5), cond("Lt", value=3)]), 2, True),
    (cond("AnyOf", values=[cond("Gt", value=5), cond("Lt", value=3)]), 4, False),
]


@pytest.mark.parametrize(("condition", "value", "holds"), MEANING)
def test_meaning(condition: dict[str, Any], value: Any, holds: bool) -> None:
    assert says(condition, value) is holds


PAIRS: list[tuple[str, Any, Any, bool]] = [
    ("EqualsAttribute", 1, True, True),
    ("EqualsAttribute", [1, 2], [2, 1, 2], True),
    ("EqualsAttribute", "1", 1, False),
    ("NotEqualsAttribute", "1", 1, True),
    ("IsInAttribute", 1, [1, 2], True),
    ("IsNotInAttribute", {"a": 1}, [{"a": 1}], False),
    ("AllInAttribute", [1], [1, 2], True),
    ("AllNotInAttribute", [1, 2], [2], True),
    ("AnyInAttribute", [1, 2], [2], True),
    ("AnyNotInAttribute", [1, 2], [2], False),
]


@pytest.mark.parametrize(("name", "value", "other", "holds"), PAIRS)
def test_meaning_of_two_attributes(name: str, value: Any, other: Any, holds: bool) -> None:
    assert says(attr(name), value, resource={"y": other}) is holds


# where the library and RE2, or our strictness about addresses, differ by intention
OURS = [(cond("RegexMatch", value="b$"), "ab\n")]


@pytest.mark.parametrize(("condition", "value", "holds"), MEANING)
def test_the_library_says_the_same(condition: dict[str, Any], value: Any, holds: bool) -> None:
    from py_abac import AccessRequest, Policy
    from py_abac.context import EvaluationContext

    raw = policy({"subject": {"$.x": condition}})
    loaded = Policy.from_json(raw)
    big = repr(condition) in (repr(cond("Eq", value=2**53 + 1)), repr(cond("EqualsObject", value={"a": 1, "b": None})))
    if (condition, value) in OURS or big:
        return
    sent = {} if value is None else {"x": value}
    request = {
        "subject": {"id": "", "attributes": sent},
        "resource": {"id": ""},
        "action": {"id": ""},
        "context": {},
    }
    assert loaded.fits(EvaluationContext(AccessRequest.from_json(request))) is holds


@pytest.mark.parametrize("name", sorted(set(CONDITIONS) - {"Exists", "NotExists", "Any", "Not", "AllOf", "AnyOf"}))
def test_a_missing_attribute_fails(name: str) -> None:
    shape = CONDITIONS[name].shape["properties"]
    members: dict[str, Any] = {}
    if "ace" in shape:
        members = {"ace": "resource", "path": "$.y"}
    elif "values" in shape:
        members = {"values": [1]}
    elif "value" in shape:
        members = {"value": {"number": 1, "object": {}}.get(shape["value"]["type"], "10.0.0.0/8")}
    assert says(cond(name, **members)) == "`$.x` of the subject is not there"
    assert says(cond("Not", value=cond(name, **members))) == "`$.x` of the subject is not there"
    if "ace" in members:
        assert says(cond(name, **members), [1]) == "`$.y` of the resource is not there"


@pytest.mark.parametrize(
    ("condition", "value", "why"),
    [
        (cond("Eq", value=1), "1", "is a string, and `Eq` takes a number"),
        (cond("Gt", value=1), 2**70, "is a record, and `Gt` takes a number"),
        (cond("NotEquals", value="a"), 1, "is a number, and `NotEquals` takes a string"),
        (cond("RegexMatch", value="a"), True, "is a boolean, and `RegexMatch` takes a string"),
        (cond("CIDR", value="10.0.0.0/8"), 1, "is a number, and `CIDR` takes a string"),
        (cond("AnyIn", values=["a"]), "a", "is a string, and `AnyIn` takes a list"),
        (cond("IsEmpty"), {}, "is a record, and `IsEmpty` takes a list"),
        (cond("EqualsObject", value={}), [], "is a list, and `EqualsObject` takes a record"),
    ],
)
def test_a_wrong_type_fails(condition: dict[str, Any], value: Any, why: str) -> None:
    assert says(condition, value) == f"`$.x` of the subject {why}"


@pytest.mark.parametrize("name", sorted(name for name in CONDITIONS if name.endswith("InAttribute")))
def test_the_other_attribute_must_be_a_list(name: str) -> None:
    assert (
        says(attr(name), [1], resource={"y": "abc"}) == f"`$.y` of the resource is a string, and `{name}` takes a list"
    )


def test_both_sides_missing_are_not_equal() -> None:
    assert says(attr("EqualsAttribute")) == "`$.x` of the subject is not there"


@pytest.mark.parametrize(
    ("condition", "value", "other", "holds"),
    [
        (cond("AnyIn", values=[1]), [{"a": 1}], None, False),
        (cond("AnyIn", values=[1]), [{"a": 1}, 1], None, True),
        (cond("AllIn", values=[1]), [{"a": 1}, 1], None, False),
        (cond("AllNotIn", values=["a"]), [["a"]], None, True),
        (attr("AnyInAttribute"), [1, {"a": [1]}], [2, {"a": [True]}], True),
        (attr("AllInAttribute"), [["a"]], [["a"], {}], True),
        (attr("AnyNotInAttribute"), [["a"]], ["a", {"a": "b"}], True),
    ],
)
def test_records_and_lists_are_elements_like_others(
    condition: dict[str, Any], value: Any, other: Any, holds: bool
) -> None:
    """The library would raise of them, so that a permit were lost, and a deny met by all."""
    assert says(condition, value, resource={"y": other}) is holds


def test_an_address_that_is_none_fails() -> None:
    why = says(cond("CIDR", value="10.0.0.0/8"), "nonsense")
    assert isinstance(why, str)
    assert "`CIDR` can't read `$.x` of the subject" in why


def test_a_text_too_long_for_its_expression_fails() -> None:
    why = says(cond("RegexMatch", value="(a?){500}b"), "a" * 100_000)
    assert isinstance(why, str)
    assert "longer than" in why


def test_logic_stops_where_it_is_decided() -> None:
    broken, true, false = cond("AnyIn", values=[1]), cond("Exists"), cond("NotExists")
    assert says(cond("AnyOf", values=[true, broken]), "x") is True
    assert says(cond("AllOf", values=[false, broken]), "x") is False
    assert isinstance(says(cond("AnyOf", values=[broken, true]), "x"), str)
    assert isinstance(says(cond("AllOf", values=[broken, false]), "x"), str)


def test_references_and_extension_values_are_plain() -> None:
    trusted = {"owner": Uid("user", "bob"), "x": Extension("ip", "10.0.0.1")}
    assert says(cond("CIDR", value="10.0.0.0/8"), trusted=trusted) is True
    rules = {"subject": {"$.owner.id": cond("Equals", value="bob")}}
    assert evaluate(load(policy(rules)), facts(trusted=trusted)).satisfied
    whole = {"subject": {"$.owner": cond("EqualsObject", value={"__entity": {"type": "user", "id": "bob"}})}}
    assert evaluate(load(policy(whole)), facts(trusted=trusted)).satisfied


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (cond("CIDR", value="10.0.0.1/8"), "never matches: 10.0.0.1/8 has host bits set"),
        (cond("CIDR", value="nonsense"), "never matches"),
        (cond("Equal", value="a"), "the condition `Equal` at `rules.subject.$.x` is not known"),
        ({"value": 1}, "must name itself in `condition`"),
        ({"condition": 1}, "must name itself in `condition`"),
        (cond("Equals"), "`rules.subject.$.x` lacks `value`"),
        (cond("Equals", value=1), "`rules.subject.$.x.value` must be of type string"),
        (cond("Equals", value="a", case_insensitve=True), "has the unknown member `case_insensitve`"),
        (cond("Equals", value="a", case_insensitive="yes"), "must be of type boolean"),
        (cond("RegexMatch", value="a", case_insensitive=True), "has the unknown member `case_insensitive`"),
        (cond("Exists", value=True), "has the unknown member `value`"),
        (cond("Eq", value="1"), "must be of type number"),
        (cond("Eq", value=True), "must be of type number"),
        (cond("IsIn", values=[]), "`rules.subject.$.x.values` must not be empty"),
        (cond("IsIn", values=[None]), "`rules.subject.$.x.values.0` must not be null"),
        (cond("AnyIn", values=[]), "must not be empty"),
        (cond("AnyIn", values=[{}]), "`rules.subject.$.x.values.0` must be of type string or number or boolean"),
        (cond("AnyIn", values=[1e30]), "holds a number beyond what a request can send"),
        (cond("AllOf", values=[]), "must not be empty"),
        (cond("AnyOf", values=[]), "must not be empty"),
        (cond("AnyOf", values=[cond("Nope")]), "the condition `Nope` at `rules.subject.$.x.values.0` is not known"),
        (cond("Not", value=cond("Eq")), "`rules.subject.$.x.value` lacks `value`"),
        (cond("Not", values=[]), "lacks `value`"),
        (attr("EqualsAttribute", ace="subjct"), "must be one of `subject`, `resource`, `action`, `context`"),
        (attr("EqualsAttribute", path="y"), "the path `y` must start with `$`"),
        (cond("EqualsObject", value=[]), "must be of type object"),
        (cond("EqualsObject", value={"__entity": 1}), "can't be read"),
    ],
)
def test_a_condition_that_is_wrong_is_a_finding(condition: dict[str, Any], why: str) -> None:
    assert any(why in sentence for sentence in find(policy({"subject": {"$.x": condition}})))


class Slow(str):
    """A name that holds the thread up while the library makes a set of it."""

    started: threading.Event
    go_on: threading.Event

    def __hash__(self) -> int:
        self.started.set()
        assert self.go_on.wait(5)
        return super().__hash__()


def test_threads_never_see_each_others_values() -> None:
    """The library keeps the other attribute on the condition; shared, a thread would compare with another's."""
    shared = load(policy({"subject": {"$.x": attr("AnyInAttribute")}}))
    name = Slow("secret")
    name.started, name.go_on = threading.Event(), threading.Event()
    mine = facts(resource={"y": ["public"]}, trusted={"x": [name]})
    theirs = facts({"x": ["secret"]}, {"y": ["secret"]})
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(bool(evaluate(shared, mine).satisfied)))
    thread.start()
    assert name.started.wait(5)
    assert evaluate(shared, theirs).satisfied
    name.go_on.set()
    thread.join(5)
    assert found == [False]
