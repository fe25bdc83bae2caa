"""The evaluator held against Cedar: policy by policy, whether it is satisfied, is not, or fails.

`python -m tests.property.expression_runs --seconds 60` goes through many and tells how often each operator had a value
and how often it failed. The same seed makes the same policies.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import get_args

from policy_service.policy.engines import cedar
from policy_service.policy.engines.cedar import CedarPolicy
from policy_service.policy.evaluate import Failed, World, evaluate, holds, world_of
from policy_service.policy.facts import Facts
from policy_service.policy.tree import Binary, Expression, Unary
from tests.property.expression_draws import Author, write_known
from tests.property.expression_scenes import KINDS, Scene, draw_scene
from tests.property.filter_draws import Draws, by_seed

POLICIES, SCENES = 4, 3
SATISFIED, NOT, FAILED = "satisfied", "not satisfied", "failed"


@dataclass
class Report:
    """How much was compared, and what differed."""

    compared: Counter[str] = field(default_factory=Counter)
    operators: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


def run(draws: Draws, report: Report, policies: int = POLICIES, scenes: int = SCENES) -> None:
    """Compare so many policies about each scene, on all of them."""
    drawn = [draw_scene(draws) for _ in range(scenes)]
    texts = [write(Author(draws, scene.values), scene) for scene in drawn for _ in range(policies)]
    parsed: list[CedarPolicy] = []
    for text in texts:
        found, findings = cedar.parse("x.cedar", text)
        report.refused += bool(findings)
        parsed += found
    for scene in drawn:
        compare(parsed, scene.facts, report)


def write(author: Author, scene: Scene) -> str:
    """A policy: of conditions, or of the value that an expression has in this scene."""
    draws = author.draws
    depth = draws.pick((1, 1, 2, 2, 3, 4, 0))
    if draws.chance(50):
        clauses = [
            f"{draws.pick(('when', 'when', 'unless'))} {{ {author.of('bool', depth)} }}"
            for _ in range(draws.pick((1, 1, 1, 1, 2, 0)))
        ]
        return f"permit({author.scope()}) {' '.join(clauses)};"
    expression = author.of(draws.pick(KINDS), depth)
    return f"permit(principal, action, resource) when {{ ({expression}) == {write_value_of(expression, scene)} }};"


def write_value_of(expression: str, scene: Scene) -> str:
    """What an expression is in a scene, as a literal; where it has no value, the expression itself."""
    parsed, _ = cedar.parse("x.cedar", f"permit(principal, action, resource) when {{ {expression} }};")
    try:
        return write_known(evaluate(parsed[0].rule.conditions[0], world_of(scene.facts))) if parsed else "0"
    except Failed:
        return expression


def compare(policies: Sequence[CedarPolicy], facts: Facts, report: Report) -> None:
    """Note what Cedar and the evaluator say of each policy."""
    outcome = cedar.evaluate(cedar.compile_set(policies), facts)
    satisfied = {id(policy) for policy in outcome.satisfied}
    failed = {id(failure.policy): failure.why for failure in outcome.failed}
    world = world_of(facts)
    for policy in policies:
        known = id(policy.policy)
        expected = SATISFIED if known in satisfied else FAILED if known in failed else NOT
        got = judge(policy, world)
        report.compared[expected] += 1
        if got != expected or "could not decide" in failed.get(known, ""):
            report.wrong.append(f"{policy.text}\n  Cedar: {expected} {failed.get(known)}, we: {got}\n  {facts!r}")
        note(policy, world, report)


def judge(policy: CedarPolicy, world: World) -> str:
    """Whether a policy is satisfied, is not, or fails, by its tree."""
    try:
        return SATISFIED if holds(policy.rule, world) else NOT
    except Failed:
        return FAILED


def note(policy: CedarPolicy, world: World, report: Report) -> None:
    """Count the operators of a policy's conditions that have a value in this world, and those that fail."""
    for condition in policy.rule.conditions:
        for part in walk(condition):
            name = part.op if isinstance(part, Unary | Binary) else type(part).__name__
            try:
                evaluate(part, world)
            except Failed:
                report.operators[name, FAILED] += 1
            else:
                report.operators[name, "value"] += 1


def walk(part: object) -> Iterator[Expression]:
    """An expression and all that it is made of."""
    if isinstance(part, tuple):
        for each in part:
            yield from walk(each)
    elif isinstance(part, get_args(Expression)):
        yield part
        for each in fields(part):
            yield from walk(getattr(part, each.name))


def main() -> int:
    """1 where something differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="0")
    given = parser.parse_args()
    report, number, until = Report(), 0, time.monotonic() + given.seconds
    while time.monotonic() < until:
        before = len(report.wrong)
        run(by_seed(f"{given.seed}/{number}"), report)
        for told in report.wrong[before:]:
            print(f"{given.seed}/{number}: {told}", flush=True)
        number += 1
    told_of = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(report.compared.items()))
    print(f"{sum(report.compared.values()):,} verdicts compared ({told_of}), {len(report.wrong)} differ")
    for name in sorted({name for name, _ in report.operators}):
        print(f"{name:20} {report.operators[name, 'value']:9,} values {report.operators[name, FAILED]:9,} failed")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
