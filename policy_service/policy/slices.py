"""Which policies of a bundle can match a request, found without looking at the others.

An index is three dictionaries deep: action, then principal, then resource, each by `Key` or `None` for
anyone. What a request looks up is its own keys and those of its ancestors, so the cost follows the policies
that can match. A policy that is left out could be neither satisfied nor failed: its scope does not hold,
and scopes never fail (Cedar: Lean spec, `Cedar.Spec.Authorizer`; the other engines state it where they
build their scope).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain
from math import prod
from typing import Any, NamedTuple, TypeAlias, TypeVar

from policy_service.model import Effect, Entity, Policy, Uid
from policy_service.policy.engines import cedar
from policy_service.policy.engines.abac import AbacPolicy
from policy_service.policy.engines.casbin import CasbinLine
from policy_service.policy.engines.cedar import CedarPolicy, CedarSet
from policy_service.policy.names import REMEMBERED
from policy_service.policy.residual.asked import Unknown
from policy_service.policy.scope import NOTHING, Compiled, Key, Needs, Scope

Level: TypeAlias = dict[Key | None, Any]
T = TypeVar("T")

# slices kept ready per bundle; each holds a compiled policy set
KEPT = 1_024
# policies in all of them together: each takes some 2.5 KB in a compiled set
POLICIES = 100_000
# places in the index: of one policy for each key of its scope, and of all policies together
COMBINATIONS = 8
PLACES = 500_000


@dataclass(frozen=True, slots=True)
class Slice:
    """The policies that can match, compiled per engine, and what they read together."""

    policies: tuple[Policy, ...]
    permits: tuple[Policy, ...]
    cedar: CedarSet | None
    abac: tuple[AbacPolicy, ...]
    casbin: tuple[CasbinLine, ...]
    needs: Needs


class Open(NamedTuple):
    """The policies that can match whatever one side of a question is, and what they read together."""

    policies: tuple[Compiled, ...]
    needs: Needs


class Index:
    """The policies of one bundle by scope."""

    def __init__(self, policies: Sequence[Compiled]) -> None:
        self._policies = tuple(policies)
        self._root: Level = {}
        self._left = PLACES
        self._held = 0
        self._slices: dict[tuple[int, ...], Slice] = {}
        # what a request is, as far as scopes can tell requests apart, and its slice
        self._known: dict[tuple[Hashable, ...], Slice] = {}
        self._open: dict[tuple[Hashable, ...], Open] = {}
        self._named: set[Hashable] = set()
        self._actions: frozenset[Uid] | None = None
        for position, policy in enumerate(self._policies):
            self._insert(position, policy)

    def _insert(self, position: int, policy: Compiled) -> None:
        # Cedar is asked about conditions alone: found for more requests than its scope says, it would say more
        scope = policy.scope if isinstance(policy, CedarPolicy) else widen(policy.scope, self._left)
        self._left -= _count(scope)
        self._named.update(name for _, name in chain(scope.principal or (), scope.resource or ()))
        for action in _each(scope.action):
            by_principal = self._root.setdefault(action, {})
            for principal in _each(scope.principal):
                by_resource = by_principal.setdefault(principal, {})
                for resource in _each(scope.resource):
                    by_resource.setdefault(resource, []).append(position)

    def find(self, principal: Entity, action: Entity, resource: Entity) -> Slice:
        """The slice for a request, by uid and ancestors of what it names; compiled once and kept."""
        # two requests differ for scopes only by types, ancestors, and those entities that a scope names
        known = (
            principal.uid.type,
            principal.parents,
            principal.uid.id if self._is_named(principal.uid) else None,
            action.uid,
            action.parents,
            resource.uid.type,
            resource.parents,
            resource.uid.id if self._is_named(resource.uid) else None,
        )
        found = self._known.get(known)
        if found is None:
            found = self._search(principal, action, resource)
            # these names are whatever a request sends: thousands of long ones would fill the memory
            if sum(map(len, (*action.uid, principal.uid.type, resource.uid.type))) <= 4 * REMEMBERED:
                _keep(self._known, known, found)
        return found

    def _is_named(self, uid: Uid) -> bool:
        return uid in self._named or uid.id in self._named

    def _search(self, principal: Entity, action: Entity, resource: Entity) -> Slice:
        found: set[int] = set()
        by_resource_keys = keys_of(resource.uid, resource.parents)
        by_principal_keys = keys_of(principal.uid, principal.parents)
        for by_principal in _matching(self._root, keys_of(action.uid, action.parents)):
            for by_resource in _matching(by_principal, by_principal_keys):
                for positions in _matching(by_resource, by_resource_keys):
                    found.update(positions)
        key = tuple(sorted(found))
        kept = self._slices.get(key)
        if kept is None:
            kept = compile_slice(self._policies[position] for position in key)
            self._hold(len(key))
            _keep(self._slices, key, kept)
        return kept

    def find_open(self, known: Entity, action: Entity, unknown: Unknown) -> Open:
        """The policies that can match this action and `known`, the other side being any; found once and kept."""
        uid = known.uid
        key = (unknown, uid.type, known.parents, uid.id if self._is_named(uid) else None, action.uid, action.parents)
        found = self._open.get(key)
        if found is None:
            found = self._search_open(known, action, unknown)
            if sum(map(len, (*action.uid, uid.type))) <= 4 * REMEMBERED:
                self._hold(len(found.policies))
                _keep(self._open, key, found)
        return found

    def _search_open(self, known: Entity, action: Entity, unknown: Unknown) -> Open:
        found: set[int] = set()
        keys = keys_of(known.uid, known.parents)
        for by_principal in _matching(self._root, keys_of(action.uid, action.parents)):
            for by_resource in by_principal.values() if unknown == "principal" else _matching(by_principal, keys):
                for positions in by_resource.values() if unknown == "resource" else _matching(by_resource, keys):
                    found.update(positions)
        policies = tuple(self._policies[position] for position in sorted(found))
        return Open(policies, _join_needs(policies))

    def _hold(self, count: int) -> None:
        if self._held + count > POLICIES:
            self.forget()
        self._held += count

    @property
    def actions(self) -> frozenset[Uid]:
        """The actions that the scope of some policy names."""
        if self._actions is None:
            keys = chain.from_iterable(policy.scope.action or () for policy in self._policies)
            self._actions = frozenset(uid for _, uid in keys if isinstance(uid, Uid))
        return self._actions

    def forget(self) -> None:
        """Let go of the slices that are kept ready."""
        self._held = 0
        self._known.clear()
        self._open.clear()
        self._slices.clear()

    def whole(self) -> Slice:
        """All policies as one slice, scopes and all: what every slice must decide like."""
        whole = compile_slice(self._policies, scoped=True)
        return replace(whole, needs=whole.needs._replace(hierarchy=True))


def widen(scope: Scope, left: int = PLACES) -> Scope:
    """The scope, or a wider one where its keys take too many places in an index that has some `left`.

    Three lists of a thousand ids are a thousand million combinations, and a role of a thousand members with a
    thousand permissions a million. Without its longest lists a policy is found for more requests, and says the same.
    """
    most = max(COMBINATIONS, min(left, COMBINATIONS * sum(len(keys or ()) for keys in scope)))
    while _count(scope) > most:
        longest = max(scope._fields, key=lambda role: len(getattr(scope, role) or ()))
        scope = scope._replace(**{longest: None})
    return scope


def _count(scope: Scope) -> int:
    return prod(len(keys) for keys in scope if keys)


def keys_of(uid: Uid, ancestors: Collection[Uid]) -> set[Key | None]:
    """The keys that a principal, an action or a resource is found by."""
    keys: set[Key | None] = {None, ("==", uid), ("in", uid), ("is", uid.type), ("id", uid.id)}
    if ancestors:
        keys.update([("in", ancestor) for ancestor in ancestors])
    return keys


def compile_slice(policies: Iterable[Compiled], *, scoped: bool = False) -> Slice:
    """One slice of these policies, in their order; with `scoped`, of policies that may not match at all."""
    chosen = tuple(policies)
    in_cedar = tuple(policy for policy in chosen if isinstance(policy, CedarPolicy))
    return Slice(
        policies=tuple(policy.policy for policy in chosen),
        permits=tuple(policy.policy for policy in chosen if policy.policy.effect is Effect.PERMIT),
        cedar=cedar.compile_set(in_cedar, scoped=scoped) if in_cedar else None,
        abac=tuple(policy for policy in chosen if isinstance(policy, AbacPolicy)),
        casbin=tuple(policy for policy in chosen if isinstance(policy, CasbinLine)),
        needs=_join_needs(chosen),
    )


def _join_needs(policies: Iterable[Compiled]) -> Needs:
    return reduce(Needs.join, (policy.needs for policy in policies), NOTHING)


def _keep(kept: dict[Any, T], key: Hashable, made: T) -> None:
    # the oldest half goes at once, so that no request pays for it often; other threads may do the same
    if len(kept) >= KEPT:
        for old in list(kept)[: KEPT // 2]:
            kept.pop(old, None)
    kept[key] = made


def _each(keys: frozenset[Key] | None) -> Iterable[Key | None]:
    return (None,) if keys is None else keys


def _matching(level: Level, keys: set[Key | None]) -> list[Any]:
    # walk the shorter side: a level may hold thousands of keys, and so may a member of many groups
    if len(level) <= len(keys):
        return [below for key, below in level.items() if key in keys]
    return [level[key] for key in keys if key in level]
