"""Which properties a subject may see of what it may read: all but those that forbids of reading properties hide.

What is hidden is as if it were not there: in what is read, in what conditions find, in what an `ETag` is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from policy_service.access.enforce import Judge
from policy_service.assets.asset import Asset, etag
from policy_service.assets.properties import Hides, nothing, without
from policy_service.model import Act, Entity, Policy, Request, Uid
from policy_service.policy.hiding import READ_PROPERTY, hider, hiding, is_hidden, patterns_of
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY, Asked
from policy_service.policy.residual.denying import find_denying
from policy_service.policy.residual.filter import NONE, Filter, all_of
from policy_service.policy.residual.plan import forbidding


class _Open(NamedTuple):
    """The forbids that can hide something, each with the rows on which it certainly does not, and how old that is."""

    asked: Asked
    forbids: tuple[tuple[Policy, Filter], ...]
    changes: int

    @property
    def of_all(self) -> tuple[Policy, ...] | None:
        """The forbids that hide something of every row; none where rows have to be looked at."""
        return tuple(policy for policy, _ in self.forbids) if all(rows == NONE for _, rows in self.forbids) else None


class Veil:
    """What is hidden from the subject of one request; where nothing can be, no row is looked at."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._open: _Open | None = None

    def visible(self, name: str) -> Filter:
        """The rows of which the subject may see a property, by the name that the API has for it.

        What can't be said of rows is opaque: `redact` tells.
        """
        return all_of(*(rows for policy, rows in self._ask().forbids if is_hidden(policy.hides, name)))

    def redact(self, assets: Sequence[Asset]) -> list[Asset]:
        """The assets, which are stored and the subject may read, without what is hidden from it."""
        if not self._ask().forbids:
            return list(assets)
        return [without(asset, hides) for asset, hides in zip(assets, self.of_stored(assets), strict=True)]

    def tag(self, redacted: Asset) -> str:
        """The `ETag` of what the subject sees of an asset."""
        return etag(redacted, self._judge.bundle.tenant, self._judge.key)

    def of_stored(self, assets: Sequence[Asset]) -> list[Hides]:
        """What is hidden of each of the assets, which are stored."""
        of_all = self._ask().of_all
        if of_all is not None:
            return [self._hides(of_all)] * len(assets)
        self._judge.learn(assets)
        return [self._hides(policies) for policies in self._find([asset.uid for asset in assets])]

    def of_state(self, asset: Asset, state: Entity) -> Hides:
        """What would be hidden of an asset if it were in this state.

        Where it is the subject itself, what is hidden by what is stored of it stays hidden.
        """
        asked = self._ask()
        if asset.uid == asked.asked.known.uid:
            (now,), (then,) = self._find([asset.uid]), self._find([asset.uid], {asset.uid: state}, exact=True)
            return self._hides((*now, *then))
        # what was asked of any row knows others as they are stored
        exact = asset.uid in asked.asked.entities
        if asked.of_all is not None and not exact:
            return self._hides(asked.of_all)
        (policies,) = self._find([asset.uid], {asset.uid: state}, exact=exact)
        return self._hides(policies)

    def _ask(self) -> _Open:
        judge = self._judge
        if self._open is None or self._open.changes != judge.changes:
            question = ask(Request(judge.subject, Act(READ_PROPERTY), ANY))
            asked = judge.gatherer().gather_open(question, drawn=judge.inventory.layout.drawn)
            self._open = _Open(asked, forbidding(judge.bundle, asked), judge.changes)
        return self._open

    def _find(
        self, things: Sequence[Uid], states: Mapping[Uid, Entity] | None = None, *, exact: bool = False
    ) -> list[tuple[Policy, ...]]:
        """The forbids that hide something of each thing; decided where that can't be said of rows, or is asked."""
        judge, forbids = self._judge, self._ask().forbids
        gatherer = judge.gatherer(states or {})
        gatherer.load(things)
        found = {uid: None if exact else find_denying(forbids, gatherer.see(uid)) for uid in things}
        doubtful = [uid for uid in things if found[uid] is None]
        decided = judge.answer(gatherer, READ_PROPERTY, doubtful)
        found.update((facts.resource.uid, hiding(decision)) for facts, decision in decided)
        return [found[uid] or () for uid in things]

    def _hides(self, policies: Sequence[Policy]) -> Hides:
        if not policies:
            return nothing
        self._judge.hidden_by.update((policy.id, None) for policy in policies)
        return hider(patterns_of(policies))
