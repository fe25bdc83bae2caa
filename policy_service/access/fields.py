"""Which properties a subject may see of what it may read: all but those that forbids of reading properties hide.

What is hidden is as if it were not there: in what is read, in what conditions find, in what an `ETag` is of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from policy_service.access.enforce import Judge
from policy_service.assets.asset import Asset, etag
from policy_service.assets.properties import Hides, without
from policy_service.model import Entity, Policy, Uid
from policy_service.policy.hiding import READ_PROPERTY, SYSTEM, hiding, is_hidden, patterns_of
from policy_service.policy.residual.filter import EVERY, Filter, Opaque


class Veil:
    """What is hidden from the subject of one request; the facts are those of the moment at which it is asked."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        # of the forbids that have hidden something so far
        self.reasons: dict[str, None] = {}

    def visible(self, name: str) -> Filter:
        """The rows of which the subject may see a property, by the name that the API has for it.

        What it can't say is opaque: `redact` tells.
        """
        if name.startswith(SYSTEM):
            return EVERY
        return Opaque("which properties are hidden is decided row by row")

    def redact(self, assets: Sequence[Asset]) -> list[Asset]:
        """The assets, which are stored and the subject may read, without what is hidden from it."""
        return [without(asset, hides) for asset, hides in zip(assets, self.of_stored(assets), strict=True)]

    def tag(self, redacted: Asset) -> str:
        """The `ETag` of what the subject sees of an asset."""
        return etag(redacted, self._judge.bundle.tenant, self._judge.key)

    def of_stored(self, assets: Sequence[Asset]) -> list[Hides]:
        """What is hidden of each of the assets, which are stored."""
        self._judge.learn(assets)
        return [self._hides(policies) for policies in self._decide([asset.uid for asset in assets])]

    def of_state(self, asset: Asset, state: Entity) -> Hides:
        """What would be hidden of an asset if it were in this state.

        Where it is the subject itself, what is hidden by what is stored of it stays hidden.
        """
        (policies,) = self._decide([asset.uid], {asset.uid: state})
        if asset.uid == self._judge.principal:
            policies += self._decide([asset.uid])[0]
        return self._hides(policies)

    def _decide(self, things: Sequence[Uid], states: Mapping[Uid, Entity] | None = None) -> list[tuple[Policy, ...]]:
        gatherer = self._judge.gatherer(states or {})
        gatherer.load(things)
        return [hiding(decision) for _, decision in self._judge.answer(gatherer, READ_PROPERTY, things)]

    def _hides(self, policies: Sequence[Policy]) -> Hides:
        self.reasons.update((policy.id, None) for policy in policies)
        return _hider(patterns_of(policies))


def _hider(patterns: frozenset[str]) -> Callable[[str], bool]:
    return lambda name: is_hidden(patterns, name)
