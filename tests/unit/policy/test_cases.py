"""Case files: what a case stands for, and what is wrong with a file of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy_service.model import Act, Entity, Request, Thing, Uid
from policy_service.policy import cases as module
from policy_service.policy.cases import NOON, Case, parse_cases
from policy_service.policy.scope import LIMITS

OURS, THEIRS = "policies/cases/a.yaml", "tenants/acme/cases/a.yaml"
ONE = "subject: user:alice, action: read, resource: doc:d1, expect: allow"


def parse(*items: str, top: str = "", path: str = THEIRS) -> tuple[Case, ...]:
    """The cases of a file, each item written in one line."""
    cases, findings = parse_cases(path, write(items, top))
    assert findings == []
    return cases


def refuse(*items: str, top: str = "", path: str = THEIRS) -> list[tuple[int, str]]:
    cases, findings = parse_cases(path, write(items, top))
    assert cases == ()
    assert {finding.path for finding in findings} == {path}
    return [(finding.line, finding.sentence) for finding in findings]


def write(items: tuple[str, ...], top: str) -> str:
    return top + "cases:\n" + "".join(f"  - {{{item}}}\n" for item in items)


def told(case: Case) -> str:
    subject, action, resource, _ = case.request
    return f"{subject.id} {action.name} {resource.id}"


def test_a_case_is_a_request_and_what_is_expected() -> None:
    (case,) = parse(ONE)
    assert case == Case(
        name="user:alice read doc:d1",
        file=THEIRS,
        line=2,
        request=Request(Thing("user", "alice"), Act("read"), Thing("doc", "d1"), {}),
        allowed=True,
        reasons=None,
        hides=(),
        shows=(),
        service=False,
        now=NOON,
        caller={},
        entities={},
        members={},
    )


def test_all_of_it_may_be_said() -> None:
    (case,) = parse(
        "name: n, subject: {type: user, id: a, properties: {x: 1}}, action: {name: read, properties: {soft: true}},"
        " resource: {type: doc, id: d}, context: {ip: x}, expect: deny, reasons: [p, q], now: '2026-02-03T00:00:00Z',"
        " caller: {key: k, ip: 10.0.0.1}"
    )
    assert case.name == "n"
    assert case.request == Request(
        Thing("user", "a", {"x": 1}), Act("read", {"soft": True}), Thing("doc", "d"), {"ip": "x"}
    )
    assert (case.allowed, case.reasons) == (False, frozenset({"p", "q"}))
    assert (case.now, case.caller) == ("2026-02-03T00:00:00Z", {"key": "k", "ip": "10.0.0.1"})


def test_what_is_hidden_can_be_all_that_is_expected() -> None:
    asked = ONE.replace("action: read", "action: 'PolicyService::readProperty'").replace("expect: allow", "")
    (case,) = parse(asked + "hides: [salary, tag.env], shows: [name]")
    assert (case.allowed, case.hides, case.shows) == (None, ("salary", "tag.env"), ("name",))


def test_no_reasons_is_not_the_same_as_any() -> None:
    assert [case.reasons for case in parse(ONE, ONE + ", reasons: []")] == [None, frozenset()]


def test_plural_forms_are_every_combination() -> None:
    cases = parse("subjects: [user:a, user:b], actions: [read, list], resources: [doc:x], expect: deny")
    assert [told(case) for case in cases] == ["a read x", "a list x", "b read x", "b list x"]
    assert not any(case.allowed for case in cases)
    assert cases[0].name == "user:a read doc:x"
    named = parse("name: n, subjects: [user:a, user:b], action: read, resource: doc:x, expect: deny")
    assert [case.name for case in named] == ["n: user:a read doc:x", "n: user:b read doc:x"]


def test_lines_are_those_of_the_cases() -> None:
    assert [case.line for case in parse(ONE, ONE, top="# a\n\n")] == [4, 5]


def test_types_are_written_as_requests_name_them() -> None:
    (case,) = parse("subject: 'web app:a:b', action: read, resource: 'Inventory.Host:h', expect: deny")
    assert case.request.subject == Thing("web app", "a:b")
    assert case.request.resource == Thing("Inventory::Host", "h")


def test_a_file_s_entities_and_groups_are_its_cases() -> None:
    top = (
        "entities:\n  - {uid: {type: doc, id: d1}, attrs: {owner: {__entity: {type: user, id: alice}}}}\n"
        "groups: {editors: ['user:alice']}\n"
    )
    first, second = parse(ONE, ONE, top=top)
    owner = {"owner": Uid("user", "alice")}
    assert first.entities == {Uid("doc", "d1"): Entity(Uid("doc", "d1"), owner)}
    assert first.members == {"editors": ["user:alice"]}
    # one object, by which the groups of a file are made once
    assert first.members is second.members


def test_only_the_platform_s_cases_speak_as_the_service() -> None:
    said = "subject: 'PolicyService.Operator:o', action: read, resource: group:g, expect: deny, as: service"
    (case,) = parse(said, path=OURS)
    assert case.service
    assert case.request.subject == Thing("PolicyService::Operator", "o")
    assert case.request.resource == Thing("Group", "g")
    assert refuse(ONE, said) == [
        (3, "`as: service` is for the platform's own cases, name a type of yours"),
    ]
    assert not parse(ONE, path=OURS)[0].service


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("subject: user:a, action: read, resource: doc:d", "cases.0: `expect` is missing"),
        ("action: read, resource: doc:d, expect: deny", "cases.0: write either `subject` or `subjects`, and not both"),
        (ONE + ", subjects: [user:b]", "cases.0: write either `subject` or `subjects`, and not both"),
        (ONE.replace("allow", "maybe"), "cases.0.expect: write `allow` or `deny`"),
        (
            ONE + ", hides: [salary]",
            "what is hidden is asked by the action `PolicyService::readProperty`, and not by `read`",
        ),
        (ONE + ", shows: []", "what is hidden is asked by the action `PolicyService::readProperty`, and not by `read`"),
        (ONE + ", hides: salary", "cases.0.hides: must be a list"),
        (ONE + ", reason: [x]", "cases.0: `reason` is not known here, write one of `name`"),
        (ONE + ", as: root", "cases.0.as: write `service`"),
        (ONE + ", reasons: x", "cases.0.reasons: must be a list"),
        (ONE + ", reasons: [1]", "cases.0.reasons.0: must be a text"),
        (ONE + ", context: x", "cases.0.context: "),
        (ONE + ", now: 3", "cases.0.now: "),
        (ONE + ", caller: x", "cases.0.caller: "),
        (ONE.replace("user:alice", "{type: user, id: a, x: 1}"), "cases.0.subject: "),
        (
            ONE.replace("user:alice", "{type: user}"),
            "cases.0.subject: write a text, `type:id`, or a map of `type`, `id`",
        ),
        (ONE.replace("user:alice", "1"), "cases.0.subject: write a text, `type:id`, or a map of `type`, `id`"),
        (ONE.replace("action: read", "action: null"), "cases.0.action: write a text, `name`, or a map of `name`"),
        (ONE.replace("resource: doc:d1", "resource: [doc:d1]"), "cases.0.resource: write a text"),
        (ONE.replace("user:alice", "{type: 1, id: a}"), "cases.0.subject: "),
        (ONE.replace("user:alice", "{type: user, id: 1}"), "cases.0.subject: "),
        (ONE.replace("user:alice", "{type: user, id: a, properties: 1}"), "cases.0.subject: "),
        (ONE.replace("action: read", "action: {name: read, x: 1}"), "cases.0.action: "),
        (ONE.replace("action: read", "action: {name: 1}"), "cases.0.action: "),
        (ONE.replace("action: read", "action: {name: read, properties: 1}"), "cases.0.action: "),
        (ONE + ", name: 1", "cases.0.name: must be a text"),
        (ONE.replace("user:alice", "{id: a}"), "cases.0.subject: "),
        (ONE.replace("action: read", "action: ''"), "cases.0.action: "),
        (ONE.replace("action: read", "action: {properties: {}}"), "cases.0.action: "),
        (ONE.replace("subject: user:alice", "subjects: user:alice"), "cases.0.subjects: "),
        (ONE.replace("subject: user:alice", "subjects: [1]"), "cases.0.subjects.0: "),
        (ONE + ", now: yesterday", "`now` is no datetime, write it like `2026-01-01T12:00:00Z`"),
        (ONE + ", caller: {ip: 10.0.0}", "`caller.ip` is no address, write it like `10.0.0.1`"),
        (ONE.replace("subject: user:alice", "subjects: []"), "cases.0.subjects: must not be empty"),
    ],
)
def test_a_case_that_is_none_is_a_finding_with_its_place(item: str, sentence: str) -> None:
    ((line, found),) = refuse(item)
    assert line == 2
    assert found.startswith(sentence)


def test_a_subject_that_names_no_entity_is_a_finding_and_so_are_all_of_them() -> None:
    found = refuse(ONE.replace("user:alice", "alice"), ONE, ONE.replace("doc:d1", "'doc:'"))
    assert found == [
        (2, "`alice` names no entity, write `type:id`, for example `user:alice`"),
        (4, "`doc:` names no entity, write `type:id`, for example `user:alice`"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("cases: [\n", 1, "invalid YAML"),
        ("cases: []\nx: 1\n", 1, "the file: `x` is not known here, write one of `entities`, `groups`, `cases`"),
        ("x: 1\n", 1, "the file: "),
        ("", 1, "the file: "),
        ("groups: {}\n", 1, "the file: `cases` is missing"),
        ("cases: [1]\n", 1, "cases.0: must be a map"),
        ("groups: 1\ncases: []\n", 1, "groups: must be a map"),
        ("cases: 1\n", 1, "cases: must be a list"),
        ("groups: {a: [x]}\ncases: []\n", 1, "groups.a.0: "),
        ("groups: {a: [1]}\ncases: []\n", 1, "groups.a.0: must be a text"),
        ("cases: []\ngroups: {a: ['group:b'], b: ['group:a']}\n", 2, "groups in a circle: `group:a` in `group:b`"),
        ("cases: []\ngroups: {a: [alice]}\n", 2, "`alice` is not typed, write `user:alice`"),
        ("groups:\n  a: user:x\ncases: []\n", 2, "groups.a: "),
        ("entities: 1\ncases: []\n", 1, "entities: "),
        ("entities:\n  - {uid: {type: a, id: b}}\n  - {}\ncases: []\n", 3, "`uid` names no entity"),
        (
            "entities:\n  - {uid: {type: Group, id: b}}\ncases: []\n",
            2,
            "`Group` is a type that only the service may make, give `group:b` another",
        ),
    ],
)
def test_a_file_of_another_form_is_a_finding(text: str, line: int, sentence: str) -> None:
    cases, findings = parse_cases(THEIRS, text)
    assert cases == ()
    assert findings[0].line == line
    assert findings[0].sentence.startswith(sentence)


def test_what_is_no_case_at_all_is_told_once() -> None:
    _, findings = parse_cases(THEIRS, "cases: [1, x, null, []]")
    assert [finding.sentence for finding in findings] == [f"cases.{number}: must be a map" for number in range(4)]


def test_a_value_that_is_long_does_not_make_a_long_sentence() -> None:
    ((_, sentence),) = refuse(ONE.replace("allow", "x" * 10_000))
    assert len(sentence) < 300


def test_findings_of_a_file_are_bounded() -> None:
    assert len(refuse(*["expect: x"] * 1_000)) == 100


def test_a_million_million_cases_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ", ".join(f"a:{number}" for number in range(1_000))
    said = f"subjects: [{names}], actions: [{names}], resources: [{names}], expect: deny"
    assert refuse(said) == [(2, f"more than {LIMITS.cases} cases, take shorter lists")]
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, cases=3))
    two = "subjects: [user:a, user:b], action: read, resource: doc:d, expect: deny"
    assert len(parse(ONE, two)) == 3
    assert refuse(two, two) == [(3, "more than 3 cases, take shorter lists")]


def test_findings_before_too_many_cases_are_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, cases=1))
    found = refuse(ONE + ", now: noon", "subjects: [user:a, user:b], action: read, resource: doc:d, expect: deny")
    assert [line for line, _ in found] == [2, 3]


def test_a_list_is_at_most_a_thousand_long() -> None:
    names = ", ".join(f"a:{number}" for number in range(1_001))
    told = refuse(f"subjects: [{names}], action: read, resource: doc:d, expect: deny")
    assert told == [(2, "cases.0.subjects: has too many members")]


def test_entities_of_the_services_own_types_belong_to_the_platforms_cases() -> None:
    text = """
entities: [{uid: {type: "PolicyService::SupportUser", id: s}, attrs: {enabled: true}}]
cases:
  - {as: service, subject: "PolicyService::SupportUser:s", action: read, resource: "doc:1", expect: deny}
"""
    cases, findings = parse_cases("policies/cases/a.yaml", text)
    assert not findings
    assert [uid.type for uid in cases[0].entities] == ["PolicyService::SupportUser"]
    assert parse_cases("tenants/acme/cases/a.yaml", text.replace("as: service, ", ""))[1]
