"""What `@hides` says, and which forbids hide."""

from __future__ import annotations

import pytest

from policy_service.model import Decision, Effect, Engine, Failure, Policy
from policy_service.policy.hiding import ALL, HidesError, hiding, is_hidden, patterns_of, read_hides


def test_patterns_are_names_prefixes_and_all() -> None:
    assert read_hides({"hides": " salary ,tag.*,salary, odd name "}, Effect.FORBID) == ("salary", "tag.*", "odd name")
    assert read_hides({"id": "x"}, Effect.FORBID) == ALL
    assert read_hides({}, Effect.PERMIT) == ALL
    assert read_hides({"hides": "*"}, Effect.FORBID) == ALL


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lacks a name"),
        ("a,,b", "lacks a name"),
        ("a,", "lacks a name"),
        ("a*b", "`a*b` has a `*` before its end"),
        ("a**", "before its end"),
        ("_id", "can't be hidden"),
        ("_*", "can't be hidden"),
        ("_\n", "`_` is what"),
        (",".join(f"n{place}" for place in range(101)), "101 patterns, at most 100"),
    ],
)
def test_what_can_not_be_meant_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(HidesError, match=sentence.replace("*", r"\*")):
        read_hides({"hides": text}, Effect.FORBID)


def test_a_permit_hides_nothing_and_must_not_say_so() -> None:
    with pytest.raises(HidesError, match="take the `@hides` off this permit"):
        read_hides({"hides": "salary"}, Effect.PERMIT)


def test_a_pattern_is_a_name_or_how_it_begins() -> None:
    patterns = {"salary", "tag.e*"}
    hidden = [name for name in ("salary", "salary2", "Salary", "tag.env", "tag.", "tag.e") if is_hidden(patterns, name)]
    assert hidden == ["salary", "tag.env", "tag.e"]
    assert is_hidden(ALL, "displayName")
    assert not is_hidden(ALL, "_id")
    assert not is_hidden((), "salary")


def test_satisfied_and_failed_forbids_hide_and_permits_do_not() -> None:
    forbid, failed = policy("forbid", Effect.FORBID), policy("failed", Effect.FORBID)
    permit, broken = policy("permit", Effect.PERMIT), policy("broken", Effect.PERMIT)
    errors = (Failure(failed, "why"), Failure(broken, "why"))
    assert hiding(Decision(False, (forbid,), errors, "v")) == (forbid, failed)
    assert hiding(Decision(False, (), errors, "v")) == (failed,)
    assert hiding(Decision(True, (permit,), (Failure(broken, "why"),), "v")) == ()
    assert hiding(Decision(False, (), (), "v", (permit,))) == ()


def test_what_forbids_hide_together() -> None:
    one, two = policy("one", Effect.FORBID, ("a", "b*")), policy("two", Effect.FORBID, ("a",))
    assert patterns_of([one, two]) == {"a", "b*"}
    assert patterns_of([one, policy("three", Effect.FORBID)]) == {"a", "b*", "*"}
    assert patterns_of([]) == frozenset()


def policy(name: str, effect: Effect, hides: tuple[str, ...] = ALL) -> Policy:
    return Policy(name, effect, "tenants/acme/x.cedar", 1, Engine.CEDAR, "", hides)
