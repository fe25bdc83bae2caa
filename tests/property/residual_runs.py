"""Filters of random policies held against the decision about each row: a plain driver, for volume.

python -m tests.property.residual_runs <first seed> <seconds>
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping

from policy_service.model import Entity
from policy_service.policy.bundle import Bundle
from policy_service.policy.evaluate import Failed, Unsaid, holds, world_of
from policy_service.policy.residual.filter import Filter, bound
from policy_service.policy.residual.plan import residual, tell_policies
from policy_service.policy.residual.rows import matches
from tests.property.filter_draws import Draws, by_seed
from tests.property.filter_sets import Everyone, draw_sets, make_bundle
from tests.property.filter_truths import Truth, find_truth, make_gatherer, see_entities
from tests.property.filter_worlds import draw_world
from tests.property.residual_worlds import hold


class Differs(AssertionError):
    """A filter and a decision that are not one, with the policies that they are of."""


def compare(draws: Draws, counts: Counter[str], *, entities: int = 16, sets: int = 16, askings: int = 3) -> None:
    """One world, and the filters of so many sets of policies about it, for so many questions each."""
    world = draw_world(draws, entities, 10)
    stored = hold(world, make_bundle(world, {})[0])
    drawn = draw_sets(draws, Everyone(stored), sets, askings)
    bundle, findings = make_bundle(world, drawn.files)
    counts["policies"] += len(drawn.files)
    counts["policies, refused"] += len(findings)
    rows = [row for kind in stored.rows.values() for row in kind]
    gatherer = make_gatherer(bundle, stored)
    seen = dict(zip((row.asset.id for row in rows), see_entities(gatherer, rows), strict=True))
    for asking in drawn.askings:
        truth = find_truth(bundle, gatherer, asking, rows, bundle.drawn)
        try:
            check_policies(counts, bundle, truth, seen)
            check_filter(counts, residual(bundle, truth.asked), truth, seen)
        except Exception as error:
            policies = "\n".join(drawn.about(asking.action).values())
            raise Differs(f"{type(error).__name__}: {error}\n{asking}\n{policies}") from error


def check_filter(counts: Counter[str], filter_: Filter, truth: Truth, seen: Mapping[str, Entity]) -> None:
    """The filter of a question, and the decision about each row: both bounds where part of it is opaque."""
    lower, upper = bound(filter_, upper=False), bound(filter_, upper=True)
    allowed = 0
    for row, decision in zip(truth.rows, truth.decisions, strict=True):
        entity = seen[row.asset.id]
        low, high = matches(lower, entity), matches(upper, entity)
        if not low <= decision.allowed <= high:
            raise Differs(f"{row.asset.key} {entity.uid}: {low} <= {decision.allowed} <= {high}")
        allowed += decision.allowed
        counts["rows"] += 1
    counts["filters"] += 1
    counts["filters, exact"] += lower == upper
    counts["filters, of some rows"] += 0 < allowed < len(truth.rows)


def check_policies(counts: Counter[str], bundle: Bundle, truth: Truth, seen: Mapping[str, Entity]) -> None:
    """What is told of each policy, and what its tree is of each row: satisfied, not satisfied, or failing."""
    worlds = [world_of(facts) for facts in truth.facts]
    for compiled, (policy, told) in zip(truth.asked.policies, tell_policies(bundle, truth.asked), strict=True):
        yes = bound(told.yes, upper=False), bound(told.yes, upper=True)
        no = bound(told.no, upper=False), bound(told.no, upper=True)
        for row, world in zip(truth.rows, worlds, strict=True):
            if row.entity.uid in truth.asked.twofold:
                continue
            entity = seen[row.asset.id]
            try:
                satisfied = holds(compiled.rule, world)
                spared = not satisfied
            except Failed:
                satisfied = spared = False
            except Unsaid:
                continue
            for (low, high), is_so, side in ((yes, satisfied, "yes"), (no, spared, "no")):
                if not matches(low, entity) <= is_so <= matches(high, entity):
                    raise Differs(f"{policy.id} {side} {row.asset.key} {entity.uid}: not {is_so}")
            if told.told is not None and matches(told.told, entity) != (satisfied or spared):
                raise Differs(f"{policy.id} told {row.asset.key} {entity.uid}")
            counts["rows of single policies"] += 1


def main(first: int, seconds: float) -> None:
    """Compare seeds from this one on, for so long, and print what was compared and what differs."""
    counts, until, number = Counter[str](), time.monotonic() + seconds, first
    while time.monotonic() < until:
        try:
            compare(by_seed(f"residual/{number}"), counts)
        except Differs as error:
            counts["differ"] += 1
            print(f"seed {number}: {error}\n", flush=True)
        number += 1
    print(f"seeds {first} to {number - 1}: {dict(counts)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
