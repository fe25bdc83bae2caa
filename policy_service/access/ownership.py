"""Who owns which types of a tenant: its `entities.json`, its store, or by mistake both.

The store refuses rows of a type that the file names. Where the file came second, nobody can tell which of the two
is true, so every question about that type is denied, with an error that names both, until one of them goes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import NamedTuple

from policy_service.model import Decision, Effect, Engine, Failure, Policy, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.facts import Facts
from policy_service.policy.names import request_type

_NONE: frozenset[str] = frozenset()
_SECONDS = 2.0
_HELD = 1_000


class _Look(NamedTuple):
    """What was found for the files with this digest, and until when it counts."""

    digest: str
    contested: frozenset[str]
    until: float


class Owners:
    """What one process knows of it, for the tenants that it answered last."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._looks: OrderedDict[str, _Look] = OrderedDict()
        self._lock = threading.Lock()

    def contested(self, bundle: Bundle, find: Callable[[Sequence[str]], Collection[str]]) -> frozenset[str]:
        """The types, as Cedar knows them, of which the file and the store both hold entities.

        `find` answers which of some types, as requests name them, have rows; it is asked every two seconds at most.
        """
        if not bundle.file_types:
            return _NONE
        now, digest = self._clock(), bundle.version.digest
        look = self._looks.get(bundle.tenant)
        if look is None or look.digest != digest or now >= look.until:
            named = {request_type(kind): kind for kind in bundle.file_types}
            found = frozenset(named[kind] for kind in find(sorted(named)))
            look = _Look(digest, found, now + _SECONDS)
            with self._lock:
                self._looks[bundle.tenant] = look
                self._looks.move_to_end(bundle.tenant)
                while len(self._looks) > _HELD:
                    self._looks.popitem(last=False)
        return look.contested


def deny_contested(bundle: Bundle, contested: Collection[str], facts: Facts, decision: Decision) -> Decision:
    """The decision, or the denial where the facts hold an entity of a contested type or one below such an entity."""
    if not contested:
        return decision
    types = {uid.type for uid in seen(facts)} & set(contested)
    if not types:
        return decision
    kind, path = request_type(min(types)), f"tenants/{bundle.tenant}/entities.json"
    policy = Policy(f"{path}:{kind}", Effect.FORBID, path, 1, Engine.CEDAR)
    why = f"the type `{kind}` is in `{path}` and in the store, take it out of one of them"
    return Decision(False, (), (Failure(policy, why), *decision.errors), decision.version)


def seen(facts: Facts) -> set[Uid]:
    """Every entity that facts name: those that were looked up, and their ancestors."""
    found = set(facts.entities)
    for entity in facts.entities.values():
        if entity is not None:
            found |= entity.parents
    return found
