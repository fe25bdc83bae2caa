"""The closed grammar of casbin matchers: a condition read at load, and nothing that could run.

The library evaluates a matcher with simpleeval, in which memory bombs and any method of a request object get
through. So a matcher here is made of `&&`, `||`, `!`, comparisons, `in` with a list of constants or a list
attribute, constants, `r.<token>.<attribute>…`, `p.<column>` and calls of the known functions. It becomes a tree
of Python's `ast` in which each attribute chain is one name (`subject.age`, `p.obj`), so evaluation looks names
up in a table of data and never follows an attribute. Precedence is the library's: `!a == b` is `!(a == b)`.
"""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from policy_service.policy.engines.casbin_patterns import check_pattern
from policy_service.policy.scope import LIMITS

FUNCTIONS: Final = frozenset(
    {"keyMatch", "keyMatch2", "keyMatch3", "keyMatch4", "keyMatch5", "regexMatch", "globMatch", "ipMatch"}
)
# what a chain stands for where it is text for every request, and so can't fail
TEXTS: Final = frozenset(
    {"subject", "subject.id", "subject.type", "resource", "resource.id", "resource.type", "action"}
)
# the name of the check that an attribute used as a condition is a boolean; no matcher can spell it
TRUTH: Final = "is true"

_ADVICE: Final = {
    "timeMatch": "compare `r.ctx.now` instead",
    "eval": "a rule in a column is a program: write each rule as a policy of its own in Cedar",
}
_TOKEN = re.compile(
    r"""\s*(?: (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*') | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<name>[^\W\d]\w*) | (?P<operator>&&|\|\||==|!=|<=|>=|[!<>()\[\],.]) )""",
    re.VERBOSE,
)
# what the library rewrites or cuts wherever it stands
_REWRITTEN = re.compile(r"\b[pr]\d*\.|&&|\|\||!|\#")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WORDS: Final = frozenset({"and", "or", "not", "in", "True", "False"})
_OPERATORS: Final = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


class MatcherError(ValueError):
    """A matcher that is refused; the message is the finding's sentence."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a matcher may name: tokens of the request and what they stand for, columns, role functions."""

    tokens: Mapping[str, str]
    columns: Collection[str]
    roles: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Matcher:
    """A matcher that was accepted.

    `tree` is what the library's evaluator runs; `reads` are the names of the request in it; `roles` are
    its calls of role functions as (function, target, name or `p.column`); `patterns` maps a column to
    the functions that take it as a pattern.
    """

    tree: ast.expr
    reads: frozenset[str]
    roles: frozenset[tuple[str, str, str]]
    patterns: Mapping[str, frozenset[str]]

    @property
    def conjuncts(self) -> list[ast.expr]:
        """The conditions that must all hold, in the order in which they are evaluated."""
        if isinstance(self.tree, ast.BoolOp) and isinstance(self.tree.op, ast.And):
            return self.tree.values
        return [self.tree]


def parse_matcher(text: str, names: Names) -> Matcher:
    """The matcher of a model; whatever is outside the grammar is a `MatcherError`."""
    source = _rewrite(text)
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise MatcherError("the matcher can't be read: parentheses or operators don't fit together") from None
    reader = _Reader(names)
    tree = reader.condition(tree)
    return Matcher(
        tree,
        frozenset(reader.reads),
        frozenset(reader.roles),
        {column: frozenset(functions) for column, functions in reader.patterns.items()},
    )


def _rewrite(text: str) -> str:
    """The text as Python, word by word, within the limits on size and nesting."""
    if len(text.encode()) > LIMITS.policy_bytes:
        raise MatcherError(f"the matcher is longer than {LIMITS.policy_bytes} bytes")
    words: list[str] = []
    nesting = run = operators = position = 0
    kind = ""
    text = text.rstrip()
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise MatcherError(_explain(text[position:].lstrip()))
        word, before, kind = token[0].strip(), kind, str(token.lastgroup)
        if kind == before == "text":
            raise MatcherError(f"{word} stands beside another text, join the two")
        nesting += (word in ("(", "[")) - (word in (")", "]"))
        operators += kind == "operator" or word in _WORDS
        run = run + 1 if word in ("!", "not", ".") else 0 if word in ("&&", "||", "and", "or") else run
        if max(nesting, run) > LIMITS.policy_nesting or operators > LIMITS.policy_operators:
            raise MatcherError(
                f"the matcher is nested deeper than {LIMITS.policy_nesting} levels "
                f"or has more than {LIMITS.policy_operators} operators, write several models"
            )
        words.append(_translate(word, kind, before == "operator" and words[-1] == "."))
        position = token.end()
    if not words:
        raise MatcherError("the matcher is empty, write `m = g(r.sub, p.sub) && r.act == p.act`")
    return " ".join(words)


def _translate(word: str, kind: str, attribute: bool) -> str:
    if kind == "text":
        return repr(_read_text(word))
    if kind == "operator":
        return {"&&": "and", "||": "or", "!": "not"}.get(word, word)
    if kind == "name":
        if keyword.iskeyword(word) and (attribute or word not in _WORDS):
            raise MatcherError(f"`{word}` is a word of Python that casbin can't read, use another name")
        if unicodedata.normalize("NFKC", word) != word:
            raise MatcherError(f"`{word}` has letters that Python changes, write them composed (NFKC)")
    return word


def _explain(rest: str) -> str:
    if rest.startswith(";"):
        return "casbin evaluates only what stands before `;`, use `&&`"
    if rest.startswith("#"):
        return "casbin cuts a matcher at `#`, write the comment on a line of its own"
    return f"`{rest[:20]}` is not part of a matcher: write comparisons, `&&`, `||`, `!`, `in` and known functions"


def _read_text(word: str) -> str:
    if found := _REWRITTEN.search(word):
        raise MatcherError(f"casbin rewrites `{found[0]}` inside {word}, move the text to a column of `p`")

    def unescape(match: re.Match[str]) -> str:
        escaped = match[1]
        if escaped in "abfnrtvxuUN01234567\n":
            raise MatcherError(f"`\\{escaped}` inside {word} is an escape of Python, write `\\\\{escaped}`")
        return escaped if escaped in "\\'\"" else match[0]

    return _ESCAPED.sub(unescape, word[1:-1])


@dataclass(slots=True)
class _Reader:
    """Checks a tree and puts one name where a chain of attributes stood."""

    names: Names
    reads: set[str] = field(default_factory=set)
    roles: set[tuple[str, str, str]] = field(default_factory=set)
    patterns: dict[str, set[str]] = field(default_factory=dict)

    def condition(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.BoolOp):
            return ast.BoolOp(node.op, [self.condition(value) for value in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self.condition(node.operand))
        if isinstance(node, ast.Compare):
            return self.comparison(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            return node
        if isinstance(node, ast.Name | ast.Attribute):
            name = self.chain(node)
            if name in TEXTS or name.startswith("p."):
                raise MatcherError(f"`{ast.unparse(node)}` is text and no condition, compare it with something")
            return ast.Call(ast.Name(TRUTH), [ast.Name(name)], [])
        raise MatcherError(f"`{ast.unparse(node)[:60]}` is no condition: compare it with something")

    def comparison(self, node: ast.Compare) -> ast.expr:
        values = [self.value(node.left)]
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                values.append(self.members(right))
            elif isinstance(operator, _OPERATORS):
                values.append(self.value(right))
            else:
                raise MatcherError("`is` is not part of a matcher, use `==`")
        return ast.Compare(values[0], node.ops, values[1:])

    def value(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Constant):
            return node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return ast.Constant(-node.operand.value)  # type: ignore[operator]  # only numbers are written with `-`
        if isinstance(node, ast.Name | ast.Attribute):
            return ast.Name(self.chain(node))
        raise MatcherError(f"`{ast.unparse(node)[:60]}` can't be compared: write a constant, `r.…` or `p.…`")

    def members(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.List | ast.Tuple):
            items = [self.value(item) for item in node.elts]
            if not all(isinstance(item, ast.Constant) for item in items):
                raise MatcherError(f"`{ast.unparse(node)[:60]}` holds more than constants, write `==` and `||`")
            return ast.List(items)
        found = self.value(node)
        if not isinstance(found, ast.Name) or found.id in TEXTS or found.id.startswith("p."):
            raise MatcherError(
                f'`in {ast.unparse(node)[:60]}` would look for a piece of text, write a list: `in ("read", "list")`'
            )
        return found

    def call(self, node: ast.Call) -> ast.expr:
        name = ast.unparse(node.func)[:60]
        if name not in FUNCTIONS and name not in self.names.roles:
            advice = _ADVICE.get(name, f"use {', '.join(sorted({*FUNCTIONS, *self.names.roles}))}")
            if re.fullmatch(r"g\d*", name):
                advice = f"add `{name} = _, _` to [role_definition]"
            raise MatcherError(f"the function `{name}` is not known here, {advice}")
        if len(node.args) != 2 or node.keywords:
            raise MatcherError(f"`{name}` takes two arguments")
        first, second = self.value(node.args[0]), self.value(node.args[1])
        pattern = second.id if isinstance(second, ast.Name) else ""
        constant = second.value if isinstance(second, ast.Constant) else None
        if not pattern.startswith("p.") and not isinstance(constant, str):
            raise MatcherError(f"the second argument of `{name}` must be a column of `p` or a text")
        if name in self.names.roles:
            return self.role(name, first, second)
        if isinstance(constant, str):
            try:
                check_pattern(name, constant)
            except ValueError as error:
                raise MatcherError(str(error)) from None
        else:
            self.patterns.setdefault(pattern[2:], set()).add(name)
        if not isinstance(first, ast.Name):
            raise MatcherError(f"the first argument of `{name}` must be `r.…` or `p.…`")
        return ast.Call(ast.Name(name), [first, second], [])

    def role(self, name: str, first: ast.expr, second: ast.expr) -> ast.expr:
        target = first.id.removesuffix(".id") if isinstance(first, ast.Name) else ""
        if target not in ("subject", "resource", "action"):
            raise MatcherError(f"the first argument of `{name}` must be the request's subject, object or action")
        role = second.id if isinstance(second, ast.Name) else str(second.value)  # type: ignore[attr-defined]
        self.roles.add((name, target, role))
        return ast.Call(ast.Name(name), [ast.Constant(target), second], [])

    def chain(self, node: ast.expr) -> str:
        """The one name for `r.sub.age` or `p.obj`."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in ("r", "p") or not parts:
            what = ast.unparse(node)[:60]
            advice = f", write `{what.title()}`" if what in ("true", "false") else ", it must start with `r.` or `p.`"
            raise MatcherError(f"`{what}` is not known here{advice}")
        first, rest = parts[-1], parts[-2::-1]
        if node.id == "p":
            return self.column(first, rest)
        if first not in self.names.tokens:
            raise MatcherError(f"[request_definition] has no `{first}`, it has {', '.join(self.names.tokens)}")
        name = ".".join([self.names.tokens[first], *rest])
        if name == "context":
            raise MatcherError(f"`r.{first}` is the whole context, name an attribute of it")
        self.reads.add(name)
        return name

    def column(self, name: str, rest: list[str]) -> str:
        if name not in self.names.columns or name == "eft":
            known = ", ".join(f"`{column}`" for column in self.names.columns if column != "eft")
            raise MatcherError(f"[policy_definition] has no `{name}` to compare, only {known}")
        if rest:
            raise MatcherError(f"`p.{name}` is text, it has no `{rest[0]}`")
        return f"p.{name}"
