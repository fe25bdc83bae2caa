"""The casbin engine: a `*.casbin` folder read into lines, each evaluated by itself.

Every `p` line is a policy, `<folder's name>.casbin:<line>`, and is satisfied, not satisfied or failed on its
own: the library would raise for the whole folder. `casbin_model` says how tokens of the request are read.

- `r.sub`, `r.obj` are the id, `r.act` the name; `r.sub.type`, `r.sub.id` are the entity's own, any other
  attribute is data, and a missing one fails the line where evaluation reaches it.
- `g(r.sub, x)` is true if `x` is the id and no role, if the folder's own lines lead from the id, from the
  subject written `<type>:<id>` or from one of its groups `group:<name>` to `x`, or if `x` is such a group.
- An id that reads as another entity (`user:alice` of the type `robot`) or as a role is read both ways; where
  the answers differ, the line fails, so that no id forges a role and none dodges a forbid.
- `==`, `<` and `in` mean what they mean in Python, except that `in` needs a list and a condition a boolean.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from casbin.config.config import Config
from casbin.model.function import FunctionMap
from casbin.util.expression import SimpleEval

from policy_service.model import Effect, Engine, Failure, Finding, Outcome, Policy
from policy_service.policy.engines.casbin_matcher import TRUTH
from policy_service.policy.engines.casbin_model import Model, read_model
from policy_service.policy.engines.casbin_patterns import PATTERNS, check_pattern, count_bytes, text_of
from policy_service.policy.engines.casbin_requests import Asked, Unreadable
from policy_service.policy.engines.casbin_roles import GROUP_PREFIX, Link, Roles, build_roles, find_cycles
from policy_service.policy.engines.casbin_rows import FINDINGS, Row, read_rows
from policy_service.policy.engines.casbin_scope import Scoper
from policy_service.policy.engines.casbin_tree import Trees
from policy_service.policy.scope import LIMITS, Needs, Scope
from policy_service.policy.tree import Rule

if TYPE_CHECKING:
    from policy_service.policy.facts import Facts


@dataclass(frozen=True, slots=True)
class Folder:
    """What all lines of one folder share."""

    model: Model
    roles: Roles
    trees: Trees


@dataclass(frozen=True, slots=True)
class CasbinLine:
    """One `p` line; `columns` are its values by the name under which the matcher reads them (`p.sub`)."""

    policy: Policy
    scope: Scope
    needs: Needs
    folder: Folder
    columns: Mapping[str, str]

    @property
    def rule(self) -> Rule:
        """What it says, as a tree; made when it is asked for, of parts that lines share."""
        return Rule(self.scope, self.folder.trees.read(self.columns), {})

    @property
    def pattern_bytes(self) -> int:
        """How much of it was compiled into patterns."""
        patterns = self.folder.model.matcher.patterns.items()
        return sum(count_bytes(name, self.columns[f"p.{column}"]) for column, names in patterns for name in names)


def parse(folder: str, model: str, policy: str) -> tuple[tuple[CasbinLine, ...], list[Finding]]:
    """The lines of the folder at the path `folder`, from its two texts; none where there is a finding."""
    path = f"{folder}/model.conf"
    if len(model) > LIMITS.policy_bytes:
        return (), [Finding(path, 1, f"the model is longer than {LIMITS.policy_bytes} characters, shorten it")]
    try:
        if model.startswith("\ufeff") or "\0" in model:
            raise ValueError("the file holds a byte order mark or a NUL, take it out")
        read = Config.new_config_from_text(model)._data  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        return (), [Finding(path, 1, f"casbin can't read the model: {error}")]
    accepted, findings = read_model(path, model, read)
    if accepted is None:
        return (), findings
    path = f"{folder}/policy.csv"
    rows, findings = read_rows(path, policy, accepted.columns, accepted.roles)
    links = [Link(row.kind, row.values[0], row.values[1], row.line) for row in rows if row.kind != "p"]
    findings += [Finding(path, line, sentence) for line, sentence in find_cycles(links)]
    findings += _check_roles(path, accepted, links)
    lines = [row for row in rows if row.kind == "p"]
    findings += _check_patterns(path, accepted, lines)
    if findings:
        return (), sorted(findings)
    return _compile(path, accepted, links, lines), []


def _check_roles(path: str, model: Model, links: Sequence[Link]) -> list[Finding]:
    """`g` lines that the matcher never asks for would give nobody a role, in silence."""
    used = {function for function, _, _ in model.matcher.roles}
    unused = {link.function: link.line for link in reversed(links) if link.function not in used}
    return [
        Finding(path, line, f"the matcher never calls `{name}`, so its lines say nothing: use `{name}(r.sub, p.sub)`")
        for name, line in unused.items()
    ]


def _check_patterns(path: str, model: Model, lines: Sequence[Row]) -> list[Finding]:
    findings: list[Finding] = []
    wanted = [
        (function, model.columns.index(column))
        for column, functions in model.matcher.patterns.items()
        for function in sorted(functions)
    ]
    size = 0
    for row in lines:
        for function, position in wanted:
            size += count_bytes(function, row.values[position])
            if size > LIMITS.patterns_bytes:
                sentence = f"more than {LIMITS.patterns_bytes} bytes of patterns, use `keyMatch` or groups"
                return [*findings, Finding(path, row.line, sentence)]
            try:
                check_pattern(function, row.values[position])
            except ValueError as error:
                findings.append(Finding(path, row.line, str(error)))
        if len(findings) >= FINDINGS:
            break
    return findings


def _compile(path: str, model: Model, links: Sequence[Link], lines: Sequence[Row]) -> tuple[CasbinLine, ...]:
    file = path.rsplit("/", 2)[-2]
    asked = sorted({name for _, _, name in model.matcher.roles})
    rows = [(row, {f"p.{name}": value for name, value in zip(model.columns, row.values, strict=True)}) for row in lines]
    named = {columns.get(name, name) for _, columns in rows for name in asked}
    roles = build_roles(links, named)
    needs = _find_needs(model, any(name.startswith(GROUP_PREFIX) for name in (*named, *roles.roles, *_members(links))))
    trees = Trees(model.matcher, roles, model.guarded, _FUNCTIONS)
    shared, scoper = Folder(model, roles, trees), Scoper(model.matcher, roles)
    return tuple(
        CasbinLine(
            Policy(
                f"{file}:{row.line}",
                Effect.FORBID if columns.get("p.eft") == "deny" else Effect.PERMIT,
                path,
                row.line,
                Engine.CASBIN,
            ),
            scoper.find(columns),
            needs,
            shared,
            columns,
        )
        for row, columns in rows
    )


def _members(links: Sequence[Link]) -> set[str]:
    return {link.member for link in links}


def _find_needs(model: Model, groups: bool) -> Needs:
    def reads(name: str) -> bool:
        return any(read == name or read.startswith(f"{name}.") for read in model.matcher.reads)

    chains = [name.split(".") for name in model.matcher.reads]
    attributes = {chain[1] for chain in chains if len(chain) > 1 and chain[0] != "context"}
    return Needs(
        hierarchy=groups and bool(model.matcher.roles),
        now=reads("context.now"),
        caller=reads("context.caller"),
        attributes=frozenset(attributes),
    )


def evaluate(lines: Sequence[CasbinLine], facts: Facts) -> Outcome:
    """Which lines are satisfied, and which failed and why; each by itself, in the order given."""
    satisfied: list[Policy] = []
    failed: list[Failure] = []
    evaluator = _LOCAL.evaluator
    asked: dict[int, Asked] = {}
    values: dict[str, Any] = {}
    try:
        for line in lines:
            folder = line.folder
            view = asked.get(id(folder))
            if view is None:
                view = asked[id(folder)] = Asked(facts, folder.roles, folder.model.guarded, values)
                view.functions = {**_FUNCTIONS, **{name: view.role_function(name) for name in folder.model.roles}}
            try:
                if _is_satisfied(evaluator, line, view):
                    satisfied.append(line.policy)
            except Exception as error:  # whatever goes wrong concerns this line alone
                failed.append(Failure(line.policy, str(error) or type(error).__name__))
    finally:
        evaluator.names, evaluator.functions = {}, {}
    return Outcome(tuple(satisfied), tuple(failed))


def _is_satisfied(evaluator: Any, line: CasbinLine, view: Asked) -> bool:
    view.start(line.columns)
    evaluator.names, evaluator.functions = view, view.functions
    evaluator.ast_parsed_value = line.folder.model.matcher.tree
    answer = bool(evaluator.eval())
    if view.doubt:
        view.trusting = False
        if bool(evaluator.eval()) is not answer:
            raise Unreadable(view.doubt)
    return answer


def _is_member(value: Any, members: Any) -> bool:
    if not isinstance(members, list):
        raise TypeError("`in` needs a list")
    return value in members


def _is_true(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("an attribute used as a condition must be a boolean")
    return value


def _guard_text(function: Callable[..., Any], name: str) -> Callable[[Any, str], bool]:
    """The library's function, for texts alone: it reads the number 1 as the address 0.0.0.1."""
    return lambda value, pattern: bool(function(text_of(value, name), pattern))


_TABLE = FunctionMap.load_function_map().get_functions()  # type: ignore[no-untyped-call]
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "keyMatch": _guard_text(_TABLE["keyMatch"], "keyMatch"),
    "ipMatch": _guard_text(_TABLE["ipMatch"], "ipMatch"),
    TRUTH: _is_true,
    **PATTERNS,
}
_MAKING = threading.Lock()


class _Local(threading.local):
    """One evaluator for each thread: the library keeps the names of a request on it while it evaluates."""

    def __init__(self) -> None:
        with _MAKING:  # its constructor changes the filters of `warnings`, which all threads share
            self.evaluator: Any = SimpleEval("", {})  # type: ignore[no-untyped-call]
        self.evaluator.operators[ast.In] = _is_member
        self.evaluator.operators[ast.NotIn] = lambda value, members: not _is_member(value, members)


_LOCAL = _Local()
