"""What an author should know of policies that are in order: warnings, which keep nothing from being loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from policy_service.authoring.opacity import find_doubts
from policy_service.model import Effect, Finding, Policy
from policy_service.policy.bundle import Bundle
from policy_service.policy.engines.cedar import CedarPolicy, may_fail
from policy_service.policy.layer import Layer
from policy_service.policy.names import action_uid
from policy_service.policy.scope import Compiled
from policy_service.policy.sentences import write_line

# a file of casbin may say the same of thousands of lines
MOST = 5
# what a schema may well name and no list asks for
_UNASKED = frozenset(action_uid(f"PolicyService::{name}") for name in ("list", "search", "count"))


def find_advice(layer: Layer, bundle: Bundle | None) -> Iterator[Finding]:
    """The warnings about the policies of a layer. What lists can ask of them is told by the bundle, if there is one."""
    yield from _tell_failing(layer.cedar)
    yield from _tell_unasked(layer.policies)
    if bundle:
        yield from _tell_opaque(layer.policies, bundle)


def _tell_failing(policies: Iterable[CedarPolicy]) -> Iterator[Finding]:
    for compiled in policies:
        policy = compiled.policy
        if policy.effect is Effect.FORBID:
            hazards = may_fail(compiled)
            if hazards:
                more = f" (and {len(hazards) - 1} more)" if len(hazards) > 1 else ""
                yield _warn(policy, f"denies where it fails to evaluate: {hazards[0]}{more}")


def _tell_unasked(policies: Iterable[Compiled]) -> Iterator[Finding]:
    for compiled in policies:
        keys = compiled.scope.action
        if keys and all(name in _UNASKED for _, name in keys):
            yield _warn(
                compiled.policy,
                "changes no list: lists, searches and counts show what `PolicyService::read` allows, name that action",
            )


def _tell_opaque(policies: Iterable[Compiled], bundle: Bundle) -> Iterator[Finding]:
    told: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], Policy] = {}
    for compiled in policies:
        policy = compiled.policy
        for why, source in find_doubts(bundle, compiled):
            told[policy.file, why] += 1
            if told[policy.file, why] <= MOST:
                yield _warn(policy, f"can't be said in SQL, so that lists decide rows one by one: {why} (`{source}`)")
            last[policy.file, why] = policy
    for place, number in told.items():
        if number > MOST:
            sentence = f"and {number - MOST:,} more of this file can't be said in SQL: {place[1]}"
            yield Finding(place[0], last[place].line, sentence)


def _warn(policy: Policy, sentence: str) -> Finding:
    return Finding(policy.file, policy.line, write_line(f"`{policy.id}` {sentence}"))
