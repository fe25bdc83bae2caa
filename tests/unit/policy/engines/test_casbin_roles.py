from __future__ import annotations

import time

import pytest

from policy_service.policy.engines.casbin import evaluate, parse
from policy_service.policy.engines.casbin_roles import Link, build_roles, find_cycles
from tests.unit.policy.engines.test_casbin import DENY, answer, conf, facts_for, load

G = "g(r.sub, p.sub)"


def has(role: str, lines: str = "", **given: object) -> bool | str:
    return answer(G, columns=f"{role}, x, y", roles=lines, **given)


def test_the_id_itself() -> None:
    assert has("alice") is True
    assert has("bob") is False


def test_lines_lead_from_the_id_and_from_the_typed_subject() -> None:
    assert has("admin", "g, alice, admin\n") is True
    assert has("admin", "g, user:alice, admin\n") is True
    assert has("admin", "g, robot:alice, admin\n") is False
    assert has("admin", "g, bob, admin\n") is False
    assert has("user:alice") is True
    assert has("admin", "g, App.User:alice, admin\n", subject=("App::User", "alice")) is True
    assert has("admin", "g, my-type:alice, admin\n", subject=("my-type", "alice")) is True


def test_groups_of_the_facts() -> None:
    assert has("group:editors", groups=("editors",)) is True
    assert has("group:editors", groups=("others",)) is False
    assert has("role_x", "g, group:editors, role_x\n", groups=("editors",)) is True
    assert has("top", "g, group:editors, role_x\ng, role_x, top\n", groups=("editors",)) is True
    assert has("group:editors", "g, alice, group:editors\n") is True


@pytest.mark.parametrize("subject", [("user", "group:editors"), ("group", "editors"), ("Group", "editors")])
def test_no_request_is_a_group_by_its_id(subject: tuple[str, str]) -> None:
    assert has("group:editors", subject=subject) is False
    assert has("role_x", "g, group:editors, role_x\n", subject=subject) is False


def test_no_request_is_a_role_by_its_id() -> None:
    assert has("admin", "g, alice, admin\n", subject=("user", "admin")) is False
    assert has("top", "g, alice, admin\ng, admin, top\n", subject=("user", "admin")) is False
    assert has("user:alice", "g, bob, user:alice\n") is False


def test_no_object_is_a_role_by_its_id() -> None:
    matcher = "g(r.obj, p.obj)"
    assert answer(matcher, columns="x, secret, y", roles="g, data1, secret\n") is True
    assert answer(matcher, columns="x, secret, y", roles="g, data1, secret\n", resource=("doc", "secret")) is False
    assert answer(matcher, columns="x, group:a, y", resource=("doc", "group:a")) is False
    assert answer(matcher, columns="x, group:a, y", resource_groups=("a",)) is True


def test_an_action_can_have_roles() -> None:
    matcher = "g(r.act, p.act)"
    assert answer(matcher, columns="x, y, writing", roles="g, delete, writing\n", action="delete") is True
    assert answer(matcher, columns="x, y, writing", roles="g, delete, writing\n", action="writing") is False
    assert answer(matcher, columns="x, y, read") is True


def test_an_id_that_reads_as_another_entity_fails_where_it_matters() -> None:
    lines = "g, user:alice, admin\n"
    assert "reads as another entity" in str(has("admin", lines, subject=("robot", "user:alice")))
    assert has("other", lines, subject=("robot", "user:alice")) is False
    assert has("admin", lines, subject=("user", "user:alice")) is True
    denied = answer(f"!{G}", columns="admin, x, y", roles=lines, subject=("robot", "user:alice"))
    assert "reads as another entity" in str(denied)


def test_a_plain_comparison_forges_no_role_either() -> None:
    matcher = f"r.sub == p.sub || {G}"
    for subject in ("admin", "group:editors"):
        outcome = answer(matcher, columns=f"{subject}, x, y", roles="g, alice, admin\n", subject=("user", subject))
        assert "is the name of a role" in str(outcome)
    assert answer(matcher, columns="admin, x, y", roles="g, alice, admin\n") is True
    assert (
        answer(f"r.sub == p.sub && {G}", columns="bob, x, y", roles="g, alice, admin\n", subject=("user", "admin"))
        is False
    )
    # without roles in the model an id is an id
    assert answer("r.obj == p.obj", columns="x, group:a, y", resource=("doc", "group:a")) is True


def test_a_forged_role_never_dodges_a_deny() -> None:
    model = conf(f"r.sub == p.sub || {G}", policy="sub, eft", effect=DENY)
    lines = load(model, "p, admin, deny\ng, alice, admin\n")
    assert evaluate(lines, facts_for(("user", "admin"))).failed
    assert evaluate(lines, facts_for(("user", "alice"))).satisfied


def test_g2_is_a_ladder_of_its_own() -> None:
    model = conf("g(r.sub, p.sub) && g2(r.obj, p.obj)", roles="g = _, _\ng2 = _, _")
    lines = load(model, "p, admin, secrets, read\ng, alice, admin\ng2, data1, secrets\n")
    assert evaluate(lines, facts_for()).satisfied
    assert not evaluate(lines, facts_for(resource=("doc", "data2"))).satisfied
    crossed = load(model, "p, admin, secrets, read\ng2, alice, admin\ng, data1, secrets\n")
    assert not evaluate(crossed, facts_for()).satisfied


def test_any_depth_of_nesting() -> None:
    chain = "g, alice, r0\n" + "".join(f"g, r{n}, r{n + 1}\n" for n in range(5_000))
    assert has("r5000", chain) is True
    assert has("r5001", chain) is False


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        ([("a", "a")], 1),
        ([("a", "b"), ("b", "a")], 2),
        ([("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "out"), ("out", "far")], 4),
    ],
)
def test_a_cycle_is_found(pairs: list[tuple[str, str]], line: int) -> None:
    found = find_cycles([Link("g", member, role, number) for number, (member, role) in enumerate(pairs, 1)])
    assert [number for number, _ in found] == [line]
    assert "in a circle" in found[0][1]


def test_a_diamond_is_no_cycle() -> None:
    pairs = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "b")]
    assert find_cycles([Link("g", member, role, 1) for member, role in pairs]) == []


def test_a_cycle_refuses_the_folder() -> None:
    lines, findings = parse("t/x.casbin", conf(), "p, a, b, c\ng, a, b\ng, b, a\n")
    assert lines == ()
    assert [finding.line for finding in findings] == [3]


def test_a_huge_circle_is_found_in_time() -> None:
    size = 100_000
    links = [Link("g", f"r{n}", f"r{(n + 1) % size}", n + 1) for n in range(size)]
    started = time.perf_counter()
    found = find_cycles(links)
    assert time.perf_counter() - started < 3
    assert found[0][0] == size
    assert len(found[0][1]) < 200


def test_descend_stops_at_its_limit() -> None:
    roles = build_roles([Link("g", f"u{n}", "big", n) for n in range(20)], ())
    assert roles.descend("g", "big", 10) is None
    assert roles.descend("g", "big", 30) == {"big", *(f"u{n}" for n in range(20))}
