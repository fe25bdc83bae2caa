"""What the nouns print, and that nobody changes them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from policy_service.model import Caller, Decision, Effect, Engine, Finding, Policy, Uid, Version

DIGEST, COMMIT = "0123456789abcdef" * 4, "fedcba98" * 5


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (Version(DIGEST), "0123456789abcdef"),
        (Version(DIGEST, COMMIT), "fedcba98fedc+0123456789abcdef"),
        (Version(DIGEST, COMMIT, dirty=True), "fedcba98fedc-dirty+0123456789abcdef"),
        # what is no part of git can't differ from it
        (Version(DIGEST, dirty=True), "0123456789abcdef"),
    ],
)
def test_a_version_names_the_commit_and_the_files(version: Version, text: str) -> None:
    assert str(version) == text


def test_a_finding_says_where_and_sorts_by_it() -> None:
    findings = [Finding("b", 1, "x"), Finding("a", 10, "x"), Finding("a", 9, "y"), Finding("a", 9, "x")]
    assert [str(finding) for finding in sorted(findings)] == ["a:9: x", "a:9: y", "a:10: x", "b:1: x"]


def test_an_entity_is_written_with_its_id_in_quotes() -> None:
    assert str(Uid("a::b", "c 'd'")) == "a::b::\"c 'd'\""


def test_effects_and_engines_are_their_texts() -> None:
    assert [f"{effect}" for effect in Effect] == ["permit", "forbid"]
    assert [f"{engine}" for engine in Engine] == ["cedar", "py-abac", "casbin"]


def test_a_caller_may_do_nothing_unless_it_is_said() -> None:
    assert Caller("acme", "key").scopes == frozenset()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Policy("p", Effect.PERMIT, "f", 1, Engine.CEDAR), "effect"),
        (Decision(False, (), (), "v"), "allowed"),
        (Caller("acme", "key"), "tenant"),
        (Version(DIGEST), "digest"),
        (Finding("p", 1, "s"), "path"),
    ],
)
def test_values_do_not_change(value: object, name: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)
