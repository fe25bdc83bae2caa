"""py-abac: `.abac.json` files in, and which of their policies are satisfied.

A policy is its targets (`abac_patterns`) and a small tree of conditions (`abac_conditions`), made once when
the file is loaded. Targets are asked before rules: the library does the reverse, so that a failing deny that
is meant for another resource would deny this one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from policy_service.model import Effect, Engine, Failure, Finding, Outcome, Policy
from policy_service.policy.engines.abac_conditions import AllOf, Node, Reader
from policy_service.policy.engines.abac_paths import Data, Path
from policy_service.policy.engines.abac_patterns import Target, read_target
from policy_service.policy.engines.abac_schema import ACES, check_policy
from policy_service.policy.engines.abac_tree import read_conditions
from policy_service.policy.json_text import read_json_file
from policy_service.policy.names import action_uid
from policy_service.policy.scope import LIMITS, Key, Keys, Needs, Scope
from policy_service.policy.sentences import write_line
from policy_service.policy.tree import Rule
from policy_service.policy.values import NotJson

if TYPE_CHECKING:
    # facts know slices, and slices know the engines
    from policy_service.policy.facts import Facts

_EFFECTS: Final = {"allow": Effect.PERMIT, "deny": Effect.FORBID}
_FINDINGS: Final = 200
_UID: Final = re.compile(r'"uid"\s*:\s*')
_GAP: Final = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True, eq=False)
class AbacPolicy:
    """A parsed policy; nothing of what it says changes, so that all threads can share it."""

    policy: Policy
    scope: Scope
    needs: Needs
    targets: tuple[Target | None, Target | None, Target | None]
    condition: Node
    pattern_bytes: int = 0
    _kept: list[Rule] = field(default_factory=list, repr=False)

    @property
    def rule(self) -> Rule:
        """What it says, as a tree; made when it is asked for, which most policies never are."""
        if not self._kept:
            self._kept.append(Rule(self.scope, read_conditions(self.targets, self.condition), {}))
        return self._kept[0]


def evaluate(policies: Sequence[AbacPolicy], facts: Facts) -> Outcome:
    """Which of the policies are satisfied and which failed, in their order.

    Targets are asked first, then rules by subject, resource, action and context, each in the order of the
    file, up to the first that does not hold.
    """
    question = facts.question
    subject_id, resource_id, action_name = question.principal.id, question.resource.id, question.action_name
    data = Data(facts)
    satisfied: list[Policy] = []
    failed: list[Failure] = []
    for each in policies:
        subject, resource, action = each.targets
        try:
            if (
                (subject is None or subject.matches(subject_id))
                and (resource is None or resource.matches(resource_id))
                and (action is None or action.matches(action_name))
                and each.condition.holds(data)
            ):
                satisfied.append(each.policy)
        except ValueError as error:
            failed.append(Failure(each.policy, str(error)))
    return Outcome(tuple(satisfied), tuple(failed))


def parse(path: str, text: str) -> tuple[tuple[AbacPolicy, ...], list[Finding]]:
    """The policies of one file, which holds one or a list of them, and what is wrong with it.

    Where there is a finding, there are no policies. A finding has the line of the policy's `uid`.
    """
    try:
        raw = read_json_file(text)
    except NotJson as error:
        return (), [Finding(path, error.line, write_line(str(error)))]
    policies: list[AbacPolicy] = []
    findings: list[Finding] = []
    patterns = 0
    many = isinstance(raw, list)
    records = raw if many else [raw]
    if len(records) > LIMITS.policies:
        return (), [Finding(path, 1, f"more than {LIMITS.policies} policies in one file")]
    places = _locate(text, records, text.find("[") + 1 if many else 0)
    for record, (line, size) in zip(records, places, strict=True):
        if size > LIMITS.policy_bytes:
            findings.append(Finding(path, line, f"a policy is larger than {LIMITS.policy_bytes} bytes, split it"))
            continue
        policy, sentences = _read_policy(path, line, record)
        findings += [Finding(path, line, write_line(sentence)) for sentence in sentences]
        if policy:
            policies.append(policy)
            patterns += policy.pattern_bytes
        if patterns > LIMITS.patterns_bytes:
            findings.append(Finding(path, line, f"more than {LIMITS.patterns_bytes} bytes of patterns, use attributes"))
        if len(findings) >= _FINDINGS or patterns > LIMITS.patterns_bytes:
            break
    return ((), findings) if findings else (tuple(policies), [])


def _locate(text: str, records: Sequence[Any], end: int) -> Iterator[tuple[int, int]]:
    """The line of each policy's `uid`, or of its start where it has none, and its size in bytes.

    The records follow each other in the text from `end` on.
    """
    scan = json.JSONDecoder().raw_decode
    counted, line = 0, 1
    for record in records:
        start = at = _GAP.match(text, end).end()  # type: ignore[union-attr]
        _, end = scan(text, start)
        if isinstance(record, dict) and "uid" in record:
            # a value somewhere inside may have a member of this name too
            places = (match for match in _UID.finditer(text, start, end) if scan(text, match.end())[0] == record["uid"])
            at = next((match.start() for match in places), start)
        line += text.count("\n", counted, at)
        counted = at
        yield line, len(text[start:end].encode(errors="replace"))


def _read_policy(path: str, line: int, raw: Any) -> tuple[AbacPolicy | None, list[str]]:
    sentences = check_policy(raw)
    if sentences:
        return None, sentences
    reader = Reader()
    rules = [reader.read_rule(ace, raw["rules"][ace]) for ace in ACES if ace in raw["rules"]]
    sentences = reader.sentences
    if not raw["uid"].isprintable():
        sentences.append("the `uid` holds a character that can't be printed")
    if reader.count > LIMITS.policy_operators:
        sentences.append(f"the policy has more than {LIMITS.policy_operators} conditions, split it")
    targets: list[Target | None] = []
    for ace in ACES[:3]:
        try:
            targets.append(read_target(raw["targets"].get(f"{ace}_id", "*")))
        except ValueError as error:
            sentences.append(f"{error} (at `targets.{ace}_id`)")
    if sentences:
        return None, sentences
    subject, resource, action = targets
    policy = Policy(raw["uid"], _EFFECTS[raw["effect"]], path, line, Engine.ABAC, raw.get("description", ""))
    scope = Scope(_ids(subject), _actions(action), _ids(resource))
    patterns = reader.pattern_bytes + sum(target.pattern_bytes for target in targets if target)
    return AbacPolicy(
        policy, scope, _needs(reader.paths), (subject, resource, action), AllOf(tuple(rules)), patterns
    ), []


def _ids(target: Target | None) -> Keys:
    return frozenset[Key](("id", name) for name in target.exact) if target and target.is_exact else None


def _actions(target: Target | None) -> Keys:
    return frozenset[Key](("==", action_uid(name)) for name in target.exact) if target and target.is_exact else None


def _needs(paths: Sequence[Path]) -> Needs:
    reads = {(path.ace, path.steps[0]) for path in paths}
    return Needs(
        hierarchy=("subject", "groups") in reads,
        now=("context", "now") in reads,
        caller=("context", "caller") in reads,
    )
