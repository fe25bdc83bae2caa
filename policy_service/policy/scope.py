"""What every engine tells of a policy when its file is loaded: whom it can match, and what it reads.

A `Scope` is a superset: where a key set can't be told, it is `None`, and the policy is evaluated for everyone.
A policy is found for a request when, for principal, action and resource alike, its keys are `None` or share
one with the request's (`slices.keys_of`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from policy_service.model import Policy, Uid

if TYPE_CHECKING:
    # a rule has a scope
    from policy_service.policy.tree import Rule

# ("==", uid): this very entity · ("in", uid): the entity or a descendant
# ("is", type): any entity of a type · ("id", id): an id of any type
Key: TypeAlias = tuple[Literal["=="], Uid] | tuple[Literal["in"], Uid] | tuple[Literal["is", "id"], str]
Keys: TypeAlias = frozenset[Key] | None


class Scope(NamedTuple):
    """Whom a policy can match; `None` is anyone. Actions are keys `("in", uid)` or `("==", uid)`."""

    principal: Keys = None
    action: Keys = None
    resource: Keys = None


class Needs(NamedTuple):
    """What a policy reads beyond the attributes of principal, action, resource and context.

    depth      how many entity references are followed from the principal, the resource or a root
    roots      entities the policy names and whose attributes or ancestors it reads
    hierarchy  it asks for ancestors (`in`, `$.groups`, `g`)
    now        it reads `context.now`
    caller     it reads `context.caller`
    attributes names of the attributes it can read of any entity; `None`: any
    """

    depth: int = 0
    roots: frozenset[Uid] = frozenset()
    hierarchy: bool = False
    now: bool = False
    caller: bool = False
    attributes: frozenset[str] | None = None

    def join(self, other: Needs) -> Needs:
        """What both together read."""
        return Needs(
            max(self.depth, other.depth),
            self.roots | other.roots,
            self.hierarchy or other.hierarchy,
            self.now or other.now,
            self.caller or other.caller,
            None if self.attributes is None or other.attributes is None else self.attributes | other.attributes,
        )


# what no policy at all reads
NOTHING = Needs(attributes=frozenset())


class Compiled(Protocol):
    """A parsed policy of any engine."""

    @property
    def policy(self) -> Policy: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def needs(self) -> Needs: ...
    @property
    def rule(self) -> Rule: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one layer of files may hold; past any of these is a finding."""

    file_bytes: int = 8 * 1024 * 1024
    layer_bytes: int = 64 * 1024 * 1024
    files: int = 2_000
    policies: int = 20_000
    policy_bytes: int = 64 * 1024
    policy_nesting: int = 64
    policy_operators: int = 1_000
    group_lines: int = 1_000_000
    json_nesting: int = 32
    yaml_nodes: int = 100_000
    case_bytes: int = 4 * 1024 * 1024
    cases: int = 20_000
    pattern_bytes: int = 1_000
    patterns_bytes: int = 512 * 1024


LIMITS = Limits()
