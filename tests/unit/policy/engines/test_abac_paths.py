"""Paths: plain steps only, found strictly."""

from __future__ import annotations

import pytest

from policy_service.policy.engines.abac_paths import MISSING, Data, read_path
from tests.unit.policy.engines.abac_facts import facts, find, policy


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$.a", ("a",)),
        ("$.a.b['c-d']", ("a", "b", "c-d")),
        ('$["first name"].x_1', ("first name", "x_1")),
        ("$['$.a']", ("$.a",)),
        ("$.and.in.or", ("and", "in", "or")),
    ],
)
def test_plain_steps_are_split(text: str, steps: tuple[str, ...]) -> None:
    assert read_path("subject", text).steps == steps


@pytest.mark.parametrize(
    "text",
    [
        "", "$", "a", ".a", "role.name", "$.", "$.a.", "$..a", "$.*", "$.a[0]", "$.a[*]", "$.a[@.b is 1]",
        "$.user-level", "$.a + 1", "$.a b", " $.a", "$.a ", "$.a\n", "$.a['b", "$.a[b]", "$.a['']",
        "$['a\\'b']", "$['a\"b']", "$.größe", "$.a['b'] and true",
        "len($.a)", "$.a.(b, c)", "'a'*3000000000", "$['a'*3000000000]", "now()",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_never_run(text: str) -> None:
    with pytest.raises(ValueError, match="the path"):
        read_path("subject", text)
    assert find(policy({"subject": {text: {"condition": "Exists"}}}))
    other = {"condition": "EqualsAttribute", "ace": "resource", "path": text}
    assert find(policy({"subject": {"$.a": other}}))


def test_a_path_without_dollar_says_what_to_write() -> None:
    (sentence,) = find(policy({"subject": {"role.name": {"condition": "Exists"}}}))
    assert sentence == "the path `role.name` must start with `$`, write `$.role.name` (at `rules.subject.role.name`)"


def test_objectpath_never_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> None:
        raise AssertionError("a path was run as a program")

    monkeypatch.setattr("objectpath.Tree.execute", run)
    other = {"condition": "EqualsAttribute", "ace": "resource", "path": "$.a"}
    assert find(policy({"subject": {"$.a": other, "$.b": {"condition": "Exists"}}})) == []


def test_only_a_record_has_members() -> None:
    data = Data(facts({"role": "admin", "deep": {"x": {"y": 1}}, "list": [{"name": "x"}], "none": None}))
    read = {
        text: data.find(read_path("subject", text))
        for text in ("$.role", "$.role.name", "$.deep.x.y", "$.deep.z", "$.deep.x.y.z", "$.list.name", "$.none", "$.b")
    }
    assert read == {
        "$.role": "admin",
        "$.role.name": MISSING,
        "$.deep.x.y": 1,
        "$.deep.z": MISSING,
        "$.deep.x.y.z": MISSING,
        "$.list.name": MISSING,
        "$.none": MISSING,
        "$.b": MISSING,
    }


def test_each_element_has_its_members() -> None:
    data = Data(
        facts({"a": 1}, {"b": 1.5}, {"soft": True}, {"c": [1, None]}, ids=("al", "read", "w"), groups=("z", "editors"))
    )

    def read(ace: str, name: str) -> object:
        return data.find(read_path(ace, f"$.{name}"))

    assert [read("subject", name) for name in ("a", "type", "id", "tenant", "groups")] == [
        1, "user", "al", "acme", ["editors", "z"],
    ]  # fmt: skip
    assert [read("resource", name) for name in ("b", "type", "id", "tenant")] == [1.5, "host", "w", "acme"]
    assert read("resource", "groups") is MISSING
    assert [read("action", name) for name in ("soft", "name")] == [True, "read"]
    assert read("context", "c") == [1]
    assert read("context", "now") is MISSING


def test_what_the_service_says_wins_over_attributes() -> None:
    sent = {"id": "root", "type": "admin", "groups": ["Administrators"], "name": "x"}
    data = Data(facts(sent, sent, sent, groups=("users",)))
    assert data.find(read_path("subject", "$.id")) == "alice"
    assert data.find(read_path("subject", "$.type")) == "user"
    assert data.find(read_path("subject", "$.groups")) == ["users"]
    assert data.find(read_path("resource", "$.id")) == "web-1"
    assert data.find(read_path("resource", "$.type")) == "host"
    assert data.find(read_path("action", "$.name")) == "read"
