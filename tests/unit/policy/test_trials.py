"""Cases tried: each failure is told with what was expected and why it came differently."""

from __future__ import annotations

import json
from collections.abc import Callable

from policy_service.policy.bundle import Bundle
from policy_service.policy.files import parse_layer
from policy_service.policy.trials import CaseReport, platform_bundle, run
from tests.property.files import NOTHING, encode, make_bundle

DORA = '@id("dora") permit(principal == user::"dora", action, resource);\n'
OWNER = '@id("owner") permit(principal, action, resource) when { resource has owner && resource.owner == principal };\n'
EDITORS = '@id("editors") permit(principal in Group::"editors", action, resource);\n'
ALICE = "subject: user:alice, action: read, resource: doc:d1"


def cases(*items: str, top: str = "") -> str:
    return top + "cases:\n" + "".join(f"  - {{{item}}}\n" for item in items)


def make(policies: str, *items: str, top: str = "", **files: str) -> Bundle:
    more = {name.replace("_", "."): text for name, text in files.items()}
    return make_bundle({"p.cedar": policies, "cases/a.yaml": cases(*items, top=top), **more})


def sentences(bundle: Bundle) -> list[str]:
    return [finding.sentence for finding in run(bundle).findings]


def test_cases_that_hold_say_nothing() -> None:
    bundle = make(
        DORA,
        "subject: user:dora, action: read, resource: doc:d1, expect: allow, reasons: [dora]",
        f"{ALICE}, expect: deny, reasons: []",
    )
    assert run(bundle) == CaseReport((), 2, ())


def test_an_answer_that_is_not_expected_is_told_with_its_reasons() -> None:
    bundle = make(DORA, f"{ALICE}, expect: allow", "subject: user:dora, action: read, resource: doc:d1, expect: deny")
    assert [str(finding) for finding in run(bundle).findings] == [
        "tenants/acme/cases/a.yaml:2: user:alice read doc:d1: expected allow, got deny",
        "tenants/acme/cases/a.yaml:3: user:dora read doc:d1: expected deny, got allow "
        "(by `dora` (tenants/acme/p.cedar:1))",
    ]


def test_what_is_hidden_and_what_is_seen_is_told() -> None:
    pay = """
@id("pay") @hides("salary, tag.*") forbid(principal, action == PolicyService::Action::"readProperty", resource)
when { principal == user::"bob" || resource.locked };
"""
    asked = "action: 'PolicyService::readProperty', resource: {type: doc, id: d, properties: {locked: false}}"
    assert (
        sentences(
            make(
                DORA + pay,
                f"subject: user:bob, {asked}, hides: [salary, tag.env], shows: [name, _id], expect: deny",
                f"subject: user:dora, {asked}, shows: [salary], expect: allow",
                f"subject: user:carl, {asked}, shows: [salary]",
                f"{ALICE.replace('action: read', 'action: PolicyService::readProperty')}, hides: [salary]",
            )
        )
        == []
    )
    bob = f"subject: user:bob, {asked}, "
    told = sentences(make(DORA + pay, bob + "hides: [salary, name]", bob + "shows: [tag.env, name]"))
    assert [sentence.partition(" (")[0].partition("readProperty ")[2] for sentence in told] == [
        "doc:d: expected `name` to be hidden, hidden is `salary`, `tag.*`",
        "doc:d: expected `tag.env` to be seen, hidden is `salary`, `tag.*`",
    ]


def test_a_policy_that_failed_is_told() -> None:
    bundle = make('@id("x") permit(principal, action, resource) when { principal.x };', f"{ALICE}, expect: allow")
    (sentence,) = sentences(bundle)
    assert sentence.startswith("user:alice read doc:d1: expected allow, got deny (`x` failed: ")


def test_reasons_are_exactly_those_that_determined_it() -> None:
    both = DORA + '@id("all") permit(principal, action, resource);\n'
    dora = "subject: user:dora, action: read, resource: doc:d1, expect: allow"
    bundle = make(
        both,
        f"{dora}, reasons: [dora]",
        f"{dora}, reasons: [all, dora]",
        f"{dora}, reasons: []",
        f"{dora}, reasons: [x]",
    )
    found = sentences(bundle)
    assert [sentence.partition(" (")[0] for sentence in found] == [
        f"user:dora read doc:d1: expected the reasons {expected}, got `all`, `dora`"
        for expected in ("`dora`", "none", "`x`")
    ]


def test_a_request_that_can_t_be_asked_is_a_finding() -> None:
    bundle = make(
        DORA,
        "subject: {type: user, id: a, properties: {tenant: x}}, action: read, resource: doc:d, expect: deny",
        f"{ALICE}, expect: deny, caller: {{a: {{__entity: 1}}}}",
        f"{ALICE}, expect: deny, context: {{now: 1}}",
    )
    assert [sentence.partition(":d")[2] or sentence for sentence in sentences(bundle)] == [
        ": can't be asked: `subject.properties.tenant` may not be sent, only the service asserts it",
        "1: can't be asked: `__entity` in `caller.a` may not be sent, only files hold references and extension values",
        "1: can't be asked: `context.now` may not be sent, only the service asserts it",
    ]


def test_a_case_s_entities_win_over_those_of_the_tenant() -> None:
    def doc(owner: str) -> str:
        return json.dumps(
            [
                {"uid": {"type": "doc", "id": "d1"}, "attrs": {"owner": {"__entity": {"type": "user", "id": owner}}}},
            ]
        )

    held = make(OWNER, f"{ALICE}, expect: allow", entities_json=doc("alice"))
    lost = make(OWNER, f"{ALICE}, expect: deny", top=f"entities: {doc('bob')}\n", entities_json=doc("alice"))
    won = make(OWNER, f"{ALICE}, expect: allow", top=f"entities: {doc('alice')}\n", entities_json=doc("bob"))
    assert [sentences(bundle) for bundle in (held, lost, won)] == [[], [], []]


def test_a_file_s_entities_and_groups_are_not_another_s() -> None:
    own = cases(f"{ALICE}, expect: allow", top="groups: {editors: ['user:alice', 'group:more']}\n")
    bundle = make_bundle(
        {
            "p.cedar": EDITORS,
            "groups.csv": "g, user:bob, group:editors, acme\ng, user:carol, group:more, acme\n",
            "cases/a.yaml": own + "  - {subjects: [user:bob, user:carol], action: a, resource: 'd:d', expect: allow}\n",
            "cases/b.yaml": cases(
                f"{ALICE}, expect: deny", "subject: user:bob, action: a, resource: d:d, expect: allow"
            ),
            "cases/c.yaml": cases(f"{ALICE}, expect: deny", top="groups: {others: ['user:alice']}\n"),
        }
    )
    assert run(bundle) == CaseReport((), 6, ())


def test_now_and_caller_are_what_the_case_says() -> None:
    policies = (
        '@id("late") permit(principal, action, resource) when { context.now > datetime("2026-06-01") };\n'
        '@id("near") permit(principal, action, resource) when { context.caller.ip.isInRange(ip("10.0.0.0/8")) };\n'
        '@id("key") permit(principal, action, resource) when { context.caller.key == "k" };\n'
    )
    bundle = make(
        policies,
        f"{ALICE}, expect: deny, reasons: []",
        f"{ALICE}, expect: allow, reasons: [late], now: '2026-07-01T00:00:00Z'",
        f"{ALICE}, expect: allow, reasons: [near], caller: {{ip: 10.1.2.3}}",
        f"{ALICE}, expect: allow, reasons: [key], caller: {{ip: 11.1.2.3, key: k}}",
    )
    assert sentences(bundle) == []


def test_the_noon_of_a_case_is_where_it_says() -> None:
    noon = 'context.now == datetime("2026-01-01T12:00:00Z")'
    assert sentences(make(f"permit(principal, action, resource) when {{ {noon} }};", f"{ALICE}, expect: allow")) == []


def test_a_finding_is_one_line_whatever_the_case_is_called() -> None:
    (sentence,) = sentences(make(DORA, f'name: "a\\ntenants/b.cedar:1: forged\\e[2J", {ALICE}, expect: allow'))
    assert sentence.isprintable()
    assert sentence.startswith("a\\ntenants/b")


def stop_after(number: int) -> Callable[[], bool]:
    asked = iter([False] * number)
    return lambda: next(asked, True)


def test_cases_that_come_too_late_are_named() -> None:
    wrong = f"{ALICE}, expect: allow"
    bundle = make(DORA, f"name: one, {wrong}", f"name: two, {wrong}", f"name: three, {ALICE}, expect: deny")
    report = run(bundle, stop_after(1))
    assert [finding.line for finding in report.findings] == [2]
    assert (report.ran, report.not_run) == (1, ("two", "three"))
    assert run(bundle, lambda: True) == CaseReport((), 0, ("one", "two", "three"))
    whole = run(bundle, stop_after(3))
    assert (len(whole.findings), whole.ran, whole.not_run) == (2, 3, ())


def test_the_platform_s_cases_speak_of_the_platform_alone() -> None:
    files = {
        "all.cedar": '@id("operators") permit(principal is PolicyService::Operator, action, resource);\n',
        "cases/a.yaml": cases(
            "subject: 'PolicyService.Operator:o', action: read, resource: doc:d, expect: allow, as: service",
            "subject: 'PolicyService.Operator:o', action: read, resource: doc:d, expect: deny",
            "subject: {type: u, id: a, properties: {tenant: x}}, action: a, resource: d:d, expect: deny, as: service",
        ),
    }
    layer = parse_layer("policies", encode(files), tenant=None)
    bundle, findings = platform_bundle(layer)
    assert findings == []
    assert bundle
    assert run(bundle) == CaseReport((), 3, ())
    # a tenant's run leaves them out
    assert run(make_bundle({"p.cedar": DORA}, platform=files)).ran == 0


def test_a_platform_that_does_not_load_has_no_bundle() -> None:
    bundle, findings = platform_bundle(parse_layer("policies", encode({"x.cedar": NOTHING + "x"}), tenant=None))
    assert bundle is None
    assert [finding.path for finding in findings] == ["policies/x.cedar"]
