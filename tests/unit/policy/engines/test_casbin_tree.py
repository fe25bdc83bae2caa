"""casbin lines as expressions: the matcher with the columns of a line, roles written out, ids that are read twice."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policy_service.model import Act, Entity, Request, Thing, Uid
from policy_service.policy.engines import casbin_role_tree
from policy_service.policy.engines.casbin import CasbinLine, evaluate, parse
from policy_service.policy.evaluate import Failed, Unsaid, holds, world_of
from policy_service.policy.facts import Facts
from policy_service.policy.phrases import FAILING, FALSE, TRUE
from policy_service.policy.request import ask
from policy_service.policy.scope import Needs
from policy_service.policy.tree import (
    Binary,
    Call,
    Constant,
    Expression,
    IdOf,
    If,
    Is,
    Like,
    Opaque,
    Path,
    SetOf,
    TypeOf,
    Unary,
    Variable,
)
from tests.property.expression_runs import FAILED, NOT, SATISFIED

MODEL = """[request_definition]
r = sub, obj, act, ctx
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = {matcher}
"""
A = Path("principal", ("a",))
SUBJECT, RESOURCE = IdOf("principal"), IdOf("resource")
OPAQUE = "opaque"


def load(matcher: str, *lines: str) -> tuple[CasbinLine, ...]:
    read, findings = parse("p.casbin", MODEL.format(matcher=matcher), "\n".join(lines or ("p, s, o, read",)))
    assert findings == []
    return read


def conditions(matcher: str, *lines: str) -> tuple[Expression, ...]:
    return load(matcher, *lines)[0].rule.conditions


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ("r.sub.a", (A,)),
        ("!r.sub.a", (Unary("not", A),)),
        ("r.sub == p.sub", (Binary("eq", SUBJECT, Constant("s")),)),
        ("p.sub == r.sub.id", (Binary("eq", SUBJECT, Constant("s")),)),
        ("r.act != p.act", (Unary("not", Binary("eq", IdOf("action"), Constant("read"))),)),
        ('r.obj.type in ("x", "y")', (Binary("contains", SetOf((Constant("x"), Constant("y"))), TypeOf("resource")),)),
        ("r.sub.a in (1, 2)", (Binary("contains_alike", SetOf((Constant(1), Constant(2))), A),)),
        ("p.sub not in r.sub.a", (Unary("not", Binary("contains_alike", A, Constant("s"))),)),
        ("r.sub.a == 1", (Binary("alike", A, Constant(1)),)),
        ("r.sub.a == r.ctx.b", (Binary("alike", A, Path("context", ("b",))),)),
        ("r.sub.a < 1.5", (Binary("before", A, Constant(Decimal("1.5"))),)),
        ("r.sub.a > p.sub", (Binary("before", Constant("s"), A),)),
        ("r.sub.a <= 1", (Unary("not", Binary("before", Constant(1), A)),)),
        ("1 < r.sub.a < 3", (Binary("and", Binary("before", Constant(1), A), Binary("before", A, Constant(3))),)),
        (
            'r.sub.a in ("x", "y") == r.ctx.b',
            (
                Binary(
                    "and",
                    Binary("contains", SetOf((Constant("x"), Constant("y"))), A),
                    Binary("alike", Path("context", ("b",)), SetOf((Constant("x"), Constant("y")))),
                ),
            ),
        ),
        ("r.sub.a.b == r.act.x", (Binary("alike", Path("principal", ("a", "b")), Path("action", ("x",))),)),
        ("r.sub.id.x == 1", (Binary("alike", FAILING, Constant(1)),)),
        ('keyMatch(r.obj, "docs/*x")', (Like(RESOURCE, ("docs/", None)),)),
        ('keyMatch(r.obj, "docs")', (Like(RESOURCE, ("docs",)),)),
        ('keyMatch(r.sub.a, "*")', (Like(A, (None,)),)),
        ('keyMatch(r.sub.a, "")', (Like(A, ("",)),)),
        ('p.sub == "s" || r.sub.a', (TRUE,)),
        ('p.sub == "x" || r.sub.a', (A,)),
        ("p.sub < p.obj", (FALSE,)),
        ("p.sub < 1", (FAILING,)),
        ('keyMatch(p.sub, "s*") && ipMatch(p.sub, "10.0.0.0/8")', (TRUE, FAILING)),
        ("r.sub.a && True", (A, TRUE)),
    ],
)
def test_conditions(matcher: str, expected: tuple[Expression, ...]) -> None:
    assert conditions(matcher) == expected


@pytest.mark.parametrize("function", ["keyMatch2", "keyMatch3", "keyMatch4", "keyMatch5", "regexMatch", "globMatch"])
def test_other_patterns_can_t_be_asked_of_rows(function: str) -> None:
    (call,) = conditions(f'{function}(r.sub.a, "x")')
    assert isinstance(call, Call)
    assert (call.operands, call.why, call.source) == ((A, Constant("x")), f"it asks for `{function}`", "x")


def test_lines_share_what_their_columns_have_in_common() -> None:
    one, other = load("r.act == p.act && r.obj == p.obj", "p, a, x, read", "p, b, y, read")
    assert one.rule.conditions[0] is other.rule.conditions[0]
    assert one.rule.conditions[1] != other.rule.conditions[1]


ROLES = ("g, alice, reader", "g, user:bob, reader", "g, group:staff, editor", "g, editor, reader", "g2, d1, docs")


def test_roles_are_written_out() -> None:
    principal = Variable("principal")
    spelt = If(
        Binary("eq", SUBJECT, Constant("user:bob")),
        If(Is(principal, "user"), TRUE, Opaque("the id reads as another entity")),
        FALSE,
    )
    (found,) = conditions("g(r.sub, p.sub)", "p, reader, o, read", *ROLES[:-1])
    assert found == Binary(
        "or",
        Binary(
            "or",
            Binary("in", principal, SetOf((Constant(Uid("Group", "staff")),))),
            Binary("contains", SetOf((Constant(Uid("user", "bob")),)), principal),
        ),
        Binary("or", Binary("eq", SUBJECT, Constant("alice")), spelt),
    )


def test_roles_of_actions_are_names() -> None:
    assert conditions("g(r.act, p.act)", "p, s, o, all", "g, read, all", "g, group:x, all") == (
        Binary("eq", IdOf("action"), Constant("read")),
    )


def question(
    subject: str = "alice", resource: str = "d1", kind: str = "user", groups: tuple[str, ...] = (), owner: str = "alice"
) -> Facts:
    asked = ask(Request(Thing(kind, subject), Act("read"), Thing("doc", resource)))
    above = frozenset(Uid("Group", name) for name in groups)
    entities: dict[Uid, Entity | None] = {
        asked.principal: Entity(asked.principal, {}, above),
        asked.resource: Entity(asked.resource, {"owner": owner}),
    }
    return Facts(asked, Needs(), entities, {})


def judge(line: CasbinLine, facts: Facts) -> str:
    """What the tree says, held against the engine where it says anything."""
    outcome = evaluate([line], facts)
    expected = FAILED if outcome.failed else SATISFIED if outcome.satisfied else NOT
    try:
        got = SATISFIED if holds(line.rule, world_of(facts)) else NOT
    except Failed:
        got = FAILED
    except Unsaid:
        return OPAQUE
    assert got == expected
    return got


READER = "g(r.sub, p.sub) && g2(r.obj, p.obj)"


@pytest.mark.parametrize("members", [casbin_role_tree.MEMBERS, 1])
@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (question(), SATISFIED),
        (question(resource="d2"), NOT),
        (question("bob"), SATISFIED),
        (question("bob", kind="robot"), NOT),
        (question("user:bob"), SATISFIED),
        # whoever has this id and is no user: nobody can tell who is meant
        (question("user:bob", kind="robot"), OPAQUE),
        (question("user:bob", kind="robot", groups=("staff",)), SATISFIED),
        (question("carol", groups=("staff",)), SATISFIED),
        (question("reader"), NOT),
        (question("group:staff"), NOT),
    ],
)
def test_who_has_a_role(monkeypatch: pytest.MonkeyPatch, members: int, facts: Facts, expected: str) -> None:
    """Where few have it, and where it is asked of each."""
    monkeypatch.setattr(casbin_role_tree, "MEMBERS", members)
    (line,) = load(READER, "p, reader, docs, read", *ROLES)
    # of a resource, a role that too many have is opaque
    assert judge(line, facts) == (OPAQUE if members == 1 and expected == SATISFIED else expected)


@pytest.mark.parametrize("members", [casbin_role_tree.MEMBERS, 1])
@pytest.mark.parametrize(
    ("matcher", "facts", "expected"),
    [
        ("r.sub == r.obj.owner", question(), SATISFIED),
        ("r.sub == r.obj.owner", question("reader", owner="x"), OPAQUE),
        ("r.sub == p.sub", question("reader"), OPAQUE),
        ("r.sub == p.sub", question("editor"), NOT),
        ('r.sub in ("editor", "alice")', question("editor"), OPAQUE),
        ('r.sub in ("editor", "alice")', question("reader"), NOT),
        ('keyMatch(r.sub, "read*")', question("reader"), OPAQUE),
        ('keyMatch(r.sub, "read*")', question("editor"), NOT),
        ('keyMatch(r.sub, "gr*")', question("group:x"), OPAQUE),
        ('keyMatch(r.sub, "*")', question("reader"), SATISFIED),
        ('globMatch(r.sub, "r*")', question("reader"), OPAQUE),
        ('r.sub < "z"', question("reader"), OPAQUE),
        ('r.sub.type == "user"', question("reader"), SATISFIED),
        ('r.obj == "reader"', question(resource="reader"), SATISFIED),
    ],
)
def test_an_id_that_is_a_role_is_opaque_where_it_matters(
    monkeypatch: pytest.MonkeyPatch, members: int, matcher: str, facts: Facts, expected: str
) -> None:
    monkeypatch.setattr(casbin_role_tree, "MEMBERS", members)
    (line,) = load(f"{matcher} && (g(r.sub, p.sub) || True)", "p, reader, docs, read", *ROLES[:-1])
    assert judge(line, facts) == expected


def test_only_a_few_conditions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policy_service.policy.engines.casbin_tree.KEPT", 3)
    lines = load("r.obj == p.obj", *(f"p, s, o{number}, read" for number in range(20)))
    for number, line in enumerate(lines):
        assert line.rule.conditions == (Binary("eq", RESOURCE, Constant(f"o{number}")),)
        assert len(line.folder.trees._kept) <= 3
