"""What lists come to, as lines for people."""

from __future__ import annotations

from policy_service.authoring.filters import EXPORT, READ, Answer
from policy_service.cli.filter_text import detail, summarize
from policy_service.policy.hiding import READ_PROPERTY

SCANS = "it looks at every row"
ALL = Answer(READ, "entity", ("user:a",), "every row is in it", (), "every row")
SOME = Answer(READ, "entity", ("user:b", "user:c"), SCANS, (), "n < 3")
OPAQUE = Answer(READ, "entity", ("user:d",), SCANS, ("`p` (x.cedar:1): why: `source`",), "not said")
ENDS = Answer(READ, "relationship", ("user:a",), SCANS, ("why",), "every row")
HIDES = Answer(READ_PROPERTY, "property", ("user:a",), "it hides `pay`", (), 'type = "person"')


def exported(*answers: Answer) -> list[Answer]:
    return [answer._replace(action=EXPORT) for answer in answers]


def test_actions_of_which_the_same_is_said_are_one_line() -> None:
    answers = [ALL, SOME, ENDS, *exported(ALL, SOME), HIDES]
    assert [*summarize("acme", answers)] == [
        "tenants/acme: read, export: exact for 3 subjects; no index serves 2",
        "tenants/acme: readProperty: exact for 1 subject",
    ]


def test_for_whom_a_filter_is_not_exact_is_counted() -> None:
    assert [*summarize("acme", [ALL, OPAQUE])] == [
        "tenants/acme: read: exact for 1 of 2 subjects, for 1 rows are decided one by one; no index serves 1"
    ]


def test_details_say_for_whom_by_what_and_of_which_rows() -> None:
    assert [*detail("acme", [ALL, SOME, OPAQUE, *exported(ALL, SOME, OPAQUE), HIDES])] == [
        "tenants/acme: PolicyService::read and PolicyService::export, entities",
        "  user:a: exact, every row is in it",
        "  user:b, user:c: exact, it looks at every row",
        "    user:b: n < 3",
        "  user:d: rows are decided one by one, it looks at every row",
        "    `p` (x.cedar:1): why: `source`",
        "    user:d: not said",
        "tenants/acme: PolicyService::readProperty",
        "  user:a: exact, it hides `pay`",
        '    user:a: type = "person"',
    ]
    assert next(iter(detail("acme", [ENDS]))) == "tenants/acme: PolicyService::read, relationships"


def test_many_subjects_and_long_ids_are_cut() -> None:
    many = ALL._replace(subjects=("user:" + "x" * 80, *"bcdefg"))
    assert [*detail("acme", [many])][1] == f"  user:{'x' * 34}…, b, c, d, e, 2 more: exact, every row is in it"
