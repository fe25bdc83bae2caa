from __future__ import annotations

import ast
import time

import pytest

from policy_service.policy.engines.casbin import parse
from policy_service.policy.engines.casbin_matcher import MatcherError, Names, parse_matcher
from tests.unit.policy.engines.test_casbin import answer, conf

TOKENS = {"sub": "subject", "obj": "resource", "act": "action", "ctx": "context", "dom": "context.dom"}
NAMES = Names(TOKENS, ("sub", "obj", "act", "eft"), ("g",))


@pytest.mark.parametrize(
    ("matcher", "sentence"),
    [
        ("r.sub == p.sub; r.obj == p.obj", "only what stands before `;`"),
        ("r.sub == p.sub # && r.obj == p.obj", "cuts a matcher at `#`"),
        ('r.sub == "p.sub"', "rewrites `p.`"),
        ('r.sub == "a r.x"', "rewrites `r.`"),
        ('r.sub == "a && b"', "rewrites `&&`"),
        ('r.sub == "a || b"', "rewrites `||`"),
        ('r.sub == "wow!"', "rewrites `!`"),
        ('r.sub == "a#b"', "rewrites `#`"),
        ('"%2000000000d" % 1', "`% 1` is not part"),
        ('"a".ljust(2000000000) == r.sub', "can't be compared"),
        ("r.sub.name.ljust(9) == r.sub", "can't be compared"),
        ("r.sub.name.ljust(9)", "not known here"),
        ("__import__('os') == 1", "can't be compared"),
        ("__import__('os')", "not known here"),
        ("r.__class__ == 1", "has no `__class__`"),
        ("open(r.sub, 'w')", "not known here"),
        ("g.__globals__ == 1", "must start with"),
        ("eval(p.sub)", "a rule in a column is a program"),
        ("timeMatch(p.sub, p.obj)", "compare `r.ctx.now`"),
        ("g2(r.sub, p.sub)", "add `g2 = _, _`"),
        ("g(r.sub, p.sub, r.dom)", "takes two arguments"),
        ("g(r.sub, *p.sub)", "`*p.sub)`"),
        ("g(p.sub, r.sub)", "second argument"),
        ("g(r.sub.boss, p.sub)", "first argument of `g`"),
        ("g('alice', p.sub)", "first argument of `g`"),
        ("regexMatch(p.obj, r.obj)", "second argument of `regexMatch`"),
        ("regexMatch(r.obj, r.sub.pattern)", "second argument of `regexMatch`"),
        ("regexMatch(r.obj, '(a')", "no regular expression"),
        ("regexMatch(r.obj, '(?=a)')", "can't be matched"),
        ("keyMatch('a', 'b')", "first argument of `keyMatch`"),
        ("r.sub + r.obj == 'x'", "`+ r.obj"),
        ("r.sub['a'] == 'x'", "can't be compared"),
        ("[x for x in r.sub]", "is a word of Python"),
        ("lambda: 1", "is a word of Python"),
        ("r.sub if r.obj else r.act", "is a word of Python"),
        ("r.sub is p.sub", "is a word of Python"),
        ("r.sub.class == 'x'", "is a word of Python"),
        ("r.sub.in == 'x'", "is a word of Python"),
        ("r.sub == None", "is a word of Python"),
        ("r.sub == true", "write `True`"),
        ("r.sub == sub", "must start with"),
        ("r.sub", "is text and no condition"),
        ("p.act", "is text and no condition"),
        ("'x'", "is no condition"),
        ("1", "is no condition"),
        ("r == p", "must start with"),
        ("r.ctx == p.act", "whole context"),
        ("r.ctx", "whole context"),
        ("r.user == p.sub", "has no `user`"),
        ("r.sub == p.user", "has no `user`"),
        ("p.eft == 'allow'", "has no `eft`"),
        ("p.sub.name == 'x'", "is text, it has no `name`"),
        ("r.act in ('read')", "piece of text"),
        ("r.act in 'read'", "piece of text"),
        ("r.act in p.act", "piece of text"),
        ("r.act in r.sub", "piece of text"),
        ("r.act in (p.act, 'x')", "more than constants"),
        ("r.act in {'a'}", "`{'a'}` is not part"),
        ("r.sub == ['a']", "can't be compared"),
        ("r.sub == p.sub == g(r.sub, p.sub)", "can't be compared"),
        ("r.act == 'a' 'b'", "join the two"),
        ("r.act == r'a'", "can't be read"),
        ("r.act == f'a'", "can't be read"),
        ("(r.act == 'a'", "can't be read"),
        ("r.act == 'a", "not part of a matcher"),
        (r"r.act == 'a\n'", "is an escape of Python"),
        (r"regexMatch(r.act, 'a\b')", "is an escape of Python"),
        ("r.act == !r.obj", "can't be read"),
        ("r.sub.ﬁ == 'x'", "letters that Python changes"),
        ("", "the matcher is empty"),
        ("r.sub == 1e9", "not part"),
        ("r.sub := 1", "not part"),
    ],
)
def test_outside_the_grammar(matcher: str, sentence: str) -> None:
    with pytest.raises(MatcherError) as error:
        parse_matcher(matcher, NAMES)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "matcher",
    [
        "(" * 65 + "r.sub == p.sub" + ")" * 65,
        "!" * 65 + "(r.sub == p.sub)",
        "(" * 10_000 + "r.sub == p.sub" + ")" * 10_000,
        "!" * 10_000 + "(r.sub == p.sub)",
        "not " * 10_000 + "(r.sub == p.sub)",
        "r.sub" + ".a" * 10_000 + " == 1",
        "r.act in " + "[" * 5_000 + "]" * 5_000,
        " && ".join(["r.sub == p.sub"] * 3_000),
        "r.sub == '" + "a" * 100_000 + "'",
        "r.sub == " + "9" * 60_000,
        "1 < " * 5_000 + "2",
        "-" * 60_000,
        "g(" * 20_000,
        "'" + "\\" * 60_001,
    ],
)
def test_size_and_nesting_are_limited_before_python_parses(matcher: str) -> None:
    started = time.perf_counter()
    with pytest.raises(MatcherError):
        parse_matcher(matcher, NAMES)
    assert time.perf_counter() - started < 2


def test_a_chain_becomes_one_name_and_no_attribute_is_left() -> None:
    matcher = parse_matcher("r.sub.a.b == 'x' && r.dom == p.obj && keyMatch(r.obj, p.obj) && r.sub.on", NAMES)
    assert not [node for node in ast.walk(matcher.tree) if isinstance(node, ast.Attribute)]
    assert matcher.reads == {"subject.a.b", "context.dom", "resource", "subject.on"}
    assert matcher.patterns == {"obj": {"keyMatch"}}
    assert len(matcher.conjuncts) == 4


def test_roles_are_told_by_function_target_and_name() -> None:
    matcher = parse_matcher("g(r.sub, p.sub) || g(r.obj.id, 'public')", NAMES)
    assert matcher.roles == {("g", "subject", "p.sub"), ("g", "resource", "public")}


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (r'regexMatch(r.obj, "^data\d$")', True),
        (r'regexMatch(r.obj, "^data\\d$")', True),
        (r"r.obj == 'data\'1'", False),
        (r"r.sub == 'user.txt' || r.sub == 'alice'", True),
    ],
)
def test_texts_mean_what_they_mean_in_python(matcher: str, expected: bool) -> None:
    assert answer(matcher) is expected


def test_a_finding_names_the_line_of_the_matcher() -> None:
    _, findings = parse("t/x.casbin", conf("r.sub == p.nobody", roles=""), "")
    assert [(finding.path, finding.line) for finding in findings] == [("t/x.casbin/model.conf", 8)]
