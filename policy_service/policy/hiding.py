"""Which properties a forbid of `PolicyService::readProperty` hides: those that its `@hides` names, else all.

Names are those of the API: `salary`, `tag.env`, `displayName`, also where policies see a property by another name.
A pattern is such a name, or how it begins and `*`. What the service says of every asset (`_id`, `_type`, …) stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from policy_service.model import Decision, Effect, Policy
from policy_service.policy.sentences import write_line

READ_PROPERTY = "PolicyService::readProperty"
HIDES = "hides"
ALL = ("*",)
# how the names of what the service says of every asset begin
SYSTEM = "_"

# patterns of one annotation: each is held against each name of an asset
MOST = 100


class HidesError(ValueError):
    """An annotation that can't be meant; the message is a sentence."""


def read_hides(annotations: Mapping[str, str], effect: Effect) -> tuple[str, ...]:
    """The patterns of `@hides`, each once, all where there is none; `HidesError` for what can't be meant."""
    text = annotations.get(HIDES)
    if text is None:
        return ALL
    if effect is not Effect.FORBID:
        raise HidesError(f"only a forbid hides something, take the `@{HIDES}` off this permit")
    patterns = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if len(patterns) > MOST:
        raise HidesError(f"`@{HIDES}` has {len(patterns)} patterns, at most {MOST}: take prefixes, such as `tag.*`")
    for pattern in patterns:
        _check(pattern)
    return patterns


def _check(pattern: str) -> None:
    if not pattern:
        raise HidesError(f'`@{HIDES}` lacks a name, write names with commas between them: `@{HIDES}("salary, tag.*")`')
    shown = write_line(pattern)
    if "*" in pattern[:-1]:
        raise HidesError(f"`@{HIDES}`: `{shown}` has a `*` before its end, write a name, or how names begin and `*`")
    if pattern.startswith(SYSTEM):
        raise HidesError(f"`@{HIDES}`: `{shown}` is what the service says of every asset, which can't be hidden")


def hider(patterns: Collection[str]) -> Callable[[str], bool]:
    """What tells whether some of these patterns names a property; what the service says of every asset none does."""
    names = frozenset(patterns)
    beginnings = tuple(pattern[:-1] for pattern in names if pattern.endswith("*"))
    return lambda name: not name.startswith(SYSTEM) and (name in names or name.startswith(beginnings))


def is_hidden(patterns: Collection[str], name: str) -> bool:
    """Whether some of these patterns names the property."""
    return hider(patterns)(name)


def hiding(decision: Decision) -> tuple[Policy, ...]:
    """The forbids that hide something by a decision about `READ_PROPERTY`: those satisfied, and those that failed.

    Nothing else hides: no permit is needed to see a property of what one may read.
    """
    satisfied = () if decision.allowed else decision.reasons
    failed = [failure.policy for failure in decision.errors]
    return tuple(dict.fromkeys(policy for policy in (*satisfied, *failed) if policy.effect is Effect.FORBID))


def patterns_of(policies: Iterable[Policy]) -> frozenset[str]:
    """The patterns of all that these forbids hide together."""
    return frozenset(pattern for policy in policies for pattern in policy.hides)
