"""Membership in files: who is in what, and every line that would lose a member silently."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from policy_service.model import Uid
from policy_service.policy import groups as module
from policy_service.policy.groups import Groups, find_cycle, parse_groups

ALICE = Uid("user", "alice")


def group(name: str) -> Uid:
    return Uid("Group", name)


def parse(*lines: str) -> Groups:
    groups, findings = parse_groups("groups.csv", "\n".join(lines), "acme")
    assert findings == []
    return groups


def refuse(*lines: str) -> list[tuple[int, str]]:
    groups, findings = parse_groups("groups.csv", "\n".join(lines), "acme")
    assert groups == Groups()
    return [(finding.line, finding.sentence) for finding in findings]


def test_nested_groups_count_at_any_depth() -> None:
    depth = 5_000
    chain = [f"g, group:{n}, group:{n + 1}, acme" for n in range(depth)]
    groups = parse("g, user:alice, group:0, acme", *chain)
    assert groups.closure(ALICE) == {group(str(n)) for n in range(depth + 1)}
    assert groups.closure(group(str(depth))) == frozenset()
    assert groups.closure(Uid("user", "bob")) == frozenset()


def test_members_are_typed_and_ids_are_any_text() -> None:
    groups = parse(
        "g,user:a:b c,group:x,acme",
        "# a comment",
        "",
        "g, Inventory.Host:web-1, group:x, acme",
        "g,group:y,group:x,acme",
    )
    assert (groups.ids_of("user"), groups.ids_of("Inventory::Host")) == (("a:b c",), ("web-1",))
    assert groups.ids_of("robot") == ()


def test_a_type_that_nobody_has_costs_no_look_at_all_members() -> None:
    looked: list[None] = []

    class Members(dict[Uid, frozenset[Uid]]):
        def __iter__(self) -> Iterator[Uid]:
            looked.append(None)
            return super().__iter__()

    groups = Groups(Members({ALICE: frozenset({group("x")})}))
    # types are what requests send
    for kind in ("robot", "user", "robot", "android"):
        assert groups.ids_of(kind) == (("alice",) if kind == "user" else ())
    assert len(looked) == 1


def test_a_type_named_group_is_a_group_and_a_user_of_its_name_is_not() -> None:
    groups = parse("g, user:editors, group:staff, acme", "g, group:editors, group:writers, acme")
    assert groups.closure(Uid("user", "editors")) == {group("staff")}
    assert groups.closure(group("editors")) == {group("writers")}


def test_the_same_line_twice_is_harmless() -> None:
    assert parse("g, user:alice, group:x, acme", "g, user:alice, group:x, acme").closure(ALICE) == {group("x")}


def test_closures_are_the_same_when_asked_again_and_after_many() -> None:
    lines = [f"g, user:u{n}, group:a{n}, acme\ng, group:a{n}, group:top, acme" for n in range(4_000)]
    groups = parse(*lines)
    for _ in range(2):
        assert all(len(groups.closure(Uid("user", f"u{n}"))) == 2 for n in range(4_000))
    assert len(groups._closures) < 4_000


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("g, user:alice, group:x", "3 fields"),
        ("g, user:alice, group:x, acme, more", "5 fields"),
        ("g, user:Smith, John, group:x, acme", "5 fields"),
        ("p, user:alice, group:x, acme", "`p` is no kind of line"),
        ("G, user:alice, group:x, acme", "`G` is no kind of line"),
        ("g, alice, group:x, acme", "`alice` is not typed"),
        ("g, user:, group:x, acme", "is not typed"),
        ("g, user:alice, x, acme", "`x` is no group"),
        ("g, user:alice, group:, acme", "is no group"),
        ("g, user:alice, Group:x, acme", "is no group"),
        ("g, user:alice, group:x, Acme", "`Acme` is another tenant"),
        ("g, user:alice, group:x, citadel", "`citadel` is another tenant"),
        ('g, "user:alice", group:x, acme', '`"` is not read'),
        ("g, user:al'ice, group:x, acme", "is not read"),
        ("\ufeffg, user:alice, group:x, acme", "U+FEFF"),
        ("g, user:al\x00ice, group:x, acme", "U+0000"),
        ("g, user:alice, group:x\u2028, acme", "U+2028"),
        ("g, Group:x, group:y, acme", "`Group` is a type of the service's own"),
        ("g, Action:read, group:y, acme", "`Action` is a type of the service's own"),
        ("g, PolicyService::Operator:root, group:y, acme", "the service's own"),
        ("g, PolicyService.Operator:root, group:y, acme", "the service's own"),
        ("g, Escaped_61:x, group:y, acme", "the service's own"),
    ],
)
def test_a_line_that_is_no_membership_is_a_finding(line: str, told: str) -> None:
    ((number, sentence),) = refuse("# first", "g, user:bob, group:z, acme", line)
    assert number == 3
    assert told in sentence


def test_names_that_differ_by_case_only_are_a_finding() -> None:
    ((line, sentence),) = refuse("g, user:a, group:Editors, acme", "g, user:b, group:editors, acme")
    assert line == 2
    assert "`group:Editors`" in sentence
    assert refuse("g, user:a, group:Straße, acme", "g, group:STRASSE, group:x, acme")


def test_a_cycle_is_named() -> None:
    ((line, sentence),) = refuse("g, user:a, group:x, acme", "g, group:x, group:y, acme", "g, group:y, group:x, acme")
    assert line == 1
    assert "`group:x` in `group:y` in `group:x`" in sentence or "`group:y` in `group:x` in `group:y`" in sentence
    assert refuse("g, group:x, group:x, acme")


def test_findings_and_lines_and_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(refuse(*["nonsense"] * 10_000)) == 100
    assert "more than" in refuse(*["#"] * 1_000_002)[0][1]
    monkeypatch.setattr(module, "_GROUPS", 3)
    assert "more than 3 groups" in refuse(*[f"g, user:a, group:{n}, acme" for n in range(4)])[0][1]


def test_cases_add_members() -> None:
    groups = parse("g, user:alice, group:x, acme")
    more = groups.add({"y": ["group:x", "user:bob"], "x": ["user:carol"]})
    assert more.closure(ALICE) == {group("x"), group("y")}
    assert more.closure(Uid("user", "carol")) == {group("x"), group("y")}
    assert groups.closure(ALICE) == {group("x")}
    for wrong in ({"y": ["alice"]}, {"y": ["Action:x"]}, {"x": ["group:x"]}, {"": ["user:a"]}):
        with pytest.raises(ValueError, match="`"):
            groups.add(wrong)


def test_find_cycle_sees_through_many_roots() -> None:
    a, b, c, d = (group(name) for name in "abcd")
    assert find_cycle({a: [b], b: [c], c: [d]}) == []
    assert find_cycle({a: [b, c], b: [d], c: [d], d: []}) == []
    cycle = find_cycle({a: [b], b: [c, d], d: [b]})
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {b, d}
