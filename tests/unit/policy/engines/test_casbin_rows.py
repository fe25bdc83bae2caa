from __future__ import annotations

import time

import pytest

from policy_service.policy.engines.casbin import evaluate, parse
from policy_service.policy.engines.casbin_rows import read_rows
from policy_service.policy.scope import LIMITS
from tests.unit.policy.engines.test_casbin import DENY, conf, facts_for, load

MODEL = conf(policy="sub, obj, act, eft", effect=DENY)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("P, alice, data1, read, deny", "ignores a line of the type `P`"),
        ("p2, alice, data1, read, deny", "ignores a line of the type `p2`"),
        ("g2, alice, admin", "add it to [role_definition]"),
        ("\ufeffp, alice, data1, read, deny", "a byte order mark"),
        ("p, alice, data1, read, Deny", "the effect `Deny` is ignored"),
        ("p, alice, data1, read, deny # never", "holds a comment"),
        ("p, alice, data1, read", "has 3 values, `p` takes 4"),
        ("p, alice, data1, read, deny, x", "has 5 values"),
        ("p, [a,b], data1, read, deny", "has 5 values"),
        ("g, alice", "has 1 values, `g` takes 2"),
        ("g, alice, admin, acme", "has 3 values, `g` takes 2"),
        ("p, , data1, read, deny", "`sub` is empty"),
        ("g, alice,", "`role` is empty"),
        ("p", "has 0 values"),
        ('p, "alice, data1, read, deny', "quotes"),
        ('p, "al"ice, data1, read, deny', "quotes"),
        ('p, " alice", data1, read, deny', "spaces at its edge"),
        ('p, alice, "data1 ", read, deny', "spaces at its edge"),
        ("p, al\0ice, data1, read, deny", "U+0000"),
        ("p, al\rice, data1, read, deny", "U+000D"),
        ("p, al\u2028ice, data1, read, deny", "U+2028"),
        ("p, " + "a" * 70_000 + ", data1, read, deny", "longer than"),
        ("p, " + "a" * 10_000_000, "longer than"),
    ],
)
def test_no_line_is_lost_in_silence(line: str, sentence: str) -> None:
    lines, findings = parse("t/x.casbin", MODEL, f"\np, bob, data1, read, allow\n{line}\n")
    assert lines == ()
    assert [(finding.path, finding.line) for finding in findings] == [("t/x.casbin/policy.csv", 3)]
    assert sentence in findings[0].sentence


def test_quotes_commas_comments_and_windows_lines() -> None:
    text = '# who\r\n  \r\np, "a,b", "say ""hi""", read, allow\r\n p ,alice,data1,read,deny\r\n'
    lines = load(MODEL, text)
    assert [dict(line.columns) for line in lines] == [
        {"p.sub": "a,b", "p.obj": 'say "hi"', "p.act": "read", "p.eft": "allow"},
        {"p.sub": "alice", "p.obj": "data1", "p.act": "read", "p.eft": "deny"},
    ]
    assert lines[1].policy.line == 4
    assert evaluate(lines, facts_for()).satisfied == (lines[1].policy,)


def test_a_file_of_another_kind_gives_a_hundred_findings() -> None:
    _, findings = read_rows("x", "nonsense\n" * 5_000, ("sub",), ())
    assert len(findings) == 100


def test_too_many_policies() -> None:
    _, findings = read_rows("x", "p, a\n" * (LIMITS.policies + 1), ("sub",), ())
    assert f"more than {LIMITS.policies} policy lines" in findings[0].sentence


def test_many_lines_load_in_time() -> None:
    started = time.perf_counter()
    lines = load(conf(), "p, big, data1, read\n" + "".join(f"g, u{n}, big\n" for n in range(50_000)))
    # where each line looked at all others it would take minutes
    assert time.perf_counter() - started < 30
    assert evaluate(lines, facts_for(("user", "u49999"))).satisfied
