"""Trees of py-abac policies and casbin lines held against their engines: satisfied, not satisfied, or failed.

`python -m tests.property.tree_runs --seconds 60` goes through many, and tells how much of them is opaque. The same seed
makes the same policies.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from policy_service.model import Finding, Outcome
from policy_service.policy.engines import abac, casbin
from policy_service.policy.engines.abac import AbacPolicy
from policy_service.policy.engines.casbin import CasbinLine
from policy_service.policy.evaluate import Failed, Unsaid, World, holds, world_of
from policy_service.policy.facts import Facts
from policy_service.policy.residual.asked import Unknown
from policy_service.policy.tree import Binary, Call, Opaque, Unary
from tests.property.expression_runs import FAILED, NOT, SATISFIED, walk
from tests.property.filter_draws import Draws, by_seed
from tests.property.tree_abac import AbacAuthor
from tests.property.tree_casbin import CasbinAuthor
from tests.property.tree_draws import draw_facts, take_values
from tests.property.tree_rows import NEITHER, NO, YES, as_row, compile_rule, may_be, tell

POLICIES, SCENES = 8, 8
OPAQUE = "opaque"
UNKNOWN: tuple[Unknown, ...] = ("resource", "principal")


@dataclass
class Report:
    """How much was compared, what differed, and how much of the policies rows can be asked."""

    compared: Counter[tuple[str, str]] = field(default_factory=Counter)
    policies: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def verdicts(self) -> int:
        """How many were compared, but for those of which trees say nothing."""
        return sum(count for (_, verdict), count in self.compared.items() if verdict != OPAQUE)


def run(draws: Draws, report: Report, policies: int = POLICIES, scenes: int = SCENES) -> None:
    """Compare so many policies of either language in so many questions."""
    drawn = [draw_facts(draws) for _ in range(scenes)]
    values = take_values(draws, drawn)
    text = AbacAuthor(draws, values).file(policies)
    written, findings = abac.parse("p.abac.json", text)
    note(report, "py-abac", written, findings)
    model, lines = CasbinAuthor(draws, values).folder(policies)
    folder, refused = casbin.parse("a.casbin", model, lines)
    note(report, "casbin", folder, refused)
    for facts in drawn:
        compare_rows(report, "py-abac", written, facts, text)
        compare_rows(report, "casbin", folder, facts, model + lines)
        world = world_of(facts)
        compare(report, "py-abac", written, abac.evaluate(written, facts), world, text, facts)
        compare(report, "casbin", folder, casbin.evaluate(folder, facts), world, model + lines, facts)


def note(
    report: Report, language: str, policies: Sequence[AbacPolicy | CasbinLine], findings: Sequence[Finding]
) -> None:
    """Count what policies are made of."""
    report.findings.update(f"{language}: {finding.sentence[:60]}" for finding in findings[:1])
    for policy in policies:
        parts = [part for condition in policy.rule.conditions for part in walk(condition)]
        hash(policy.rule.conditions)
        exact = not any(isinstance(part, Opaque | Call) for part in parts)
        report.policies[language, "can be asked" if exact else "with parts that can't"] += 1
        report.operators.update(part.op if isinstance(part, Unary | Binary) else type(part).__name__ for part in parts)


def compare(
    report: Report,
    language: str,
    policies: Sequence[AbacPolicy | CasbinLine],
    outcome: Outcome,
    world: World,
    text: str,
    facts: Facts,
) -> None:
    """Note what the engine and the tree say of each policy."""
    satisfied = {id(policy) for policy in outcome.satisfied}
    failed = {id(failure.policy): failure.why for failure in outcome.failed}
    for policy in policies:
        known = id(policy.policy)
        expected = SATISFIED if known in satisfied else FAILED if known in failed else NOT
        got = judge(policy, world)
        report.compared[language, got if got == OPAQUE else expected] += 1
        if got not in (expected, OPAQUE):
            line = policy.policy.id
            told = f"{expected} ({failed.get(known, '')}), the tree: {got}"
            report.wrong.append(f"{line} of\n{text}\n  {language}: {told}\n  {policy.rule}\n  {facts!r}")


def compare_rows(
    report: Report, language: str, policies: Sequence[AbacPolicy | CasbinLine], facts: Facts, text: str
) -> None:
    """Note what the engine says where each side of the question is a row, and what the filter says of it."""
    for unknown in UNKNOWN:
        row = as_row(facts.resource if unknown == "resource" else facts.principal)
        if row is None or facts.question.principal == facts.question.resource:
            continue
        asked = Facts(facts.question, facts.needs, {**facts.entities, row.uid: row}, facts.context)
        engine = abac.evaluate if language == "py-abac" else casbin.evaluate
        outcome = engine(policies, asked)  # type: ignore[arg-type]
        satisfied = {id(policy) for policy in outcome.satisfied}
        failed = {id(failure.policy) for failure in outcome.failed}
        for policy in policies:
            known = id(policy.policy)
            expected = YES if known in satisfied else NEITHER if known in failed else NO
            truth = compile_rule(policy.rule, asked, unknown)
            told = tell(truth, row)
            report.rows[language, unknown, told] += 1
            if expected not in may_be(truth, row):
                report.wrong.append(
                    f"{policy.policy.id} of\n{text}\n  {language}, a row as {unknown}: {expected}, the filter: {told}"
                    f"\n  {policy.rule}\n  {truth}\n  {asked!r}"
                )


def judge(policy: AbacPolicy | CasbinLine, world: World) -> str:
    """Whether a policy is satisfied, is not, or fails, by its tree."""
    try:
        return SATISFIED if holds(policy.rule, world) else NOT
    except Failed:
        return FAILED
    except Unsaid:
        return OPAQUE


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
        for told in report.wrong[before : before + 1]:
            print(f"{given.seed}/{number}: {told}", flush=True)
        number += 1
    print(f"{report.verdicts:,} verdicts compared, {len(report.wrong)} differ")
    for counted in (report.compared, report.policies):
        for (language, what), count in sorted(counted.items()):
            print(f"{language:8} {what:24} {count:11,}")
    for (language, unknown, told), count in sorted(report.rows.items()):
        print(f"{language:8} a row as {unknown:10} {told:8} {count:11,}")
    for name, count in (*report.operators.most_common(), *report.findings.most_common(20)):
        print(f"{name:60} {count:9,}")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
