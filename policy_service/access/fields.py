"""Which properties a subject may see of what it may read: all but those that forbids of reading properties hide.

What is hidden is as if it were not there: in what is read, in what conditions find, in what an `ETag` is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from policy_service.access.enforce import READ, Judge
from policy_service.assets.asset import Asset, etag
from policy_service.assets.properties import Hides, nothing, without
from policy_service.model import Act, Entity, Policy, Request, Uid
from policy_service.policy.hiding import READ_PROPERTY, SYSTEM, hider, hiding, is_hidden, patterns_of
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY, Asked
from policy_service.policy.residual.denying import find_denying
from policy_service.policy.residual.filter import EVERY, NONE, Filter, all_of, is_opaque
from policy_service.policy.residual.plan import forbidding

# forbids, each with the rows on which it certainly hides nothing
_Forbids: TypeAlias = tuple[tuple[Policy, Filter], ...]


class _Open(NamedTuple):
    """The forbids that can hide something of any row, those that can of one that may be read, and how old that is.

    With a `doubt` decisions hide more than the policies say, and each row has to be decided.
    """

    asked: Asked
    forbids: _Forbids
    of_readable: _Forbids
    doubt: Filter | None
    changes: int


class Veil:
    """What is hidden from the subject of one request; where nothing can be, no row is looked at."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._open: _Open | None = None

    def visible(self, name: str) -> Filter:
        """Of the rows that the subject may read those of which it may see a property, by the name that the API has.

        What can't be said of rows is opaque: `redact` tells.
        """
        told = self._ask()
        if told.doubt is not None:
            return EVERY if name.startswith(SYSTEM) else told.doubt
        return all_of(*(rows for policy, rows in told.of_readable if is_hidden(policy.hides, name)))

    def redact(self, assets: Sequence[Asset]) -> list[Asset]:
        """The assets, which are stored and the subject may read, without what is hidden from it."""
        forbids = self._ask().of_readable
        if not forbids and self._ask().doubt is None:
            return list(assets)
        return [without(asset, hides) for asset, hides in zip(assets, self._tell(assets, forbids), strict=True)]

    def tag(self, redacted: Asset) -> str:
        """The `ETag` of what the subject sees of an asset."""
        return etag(redacted, self._judge.bundle.tenant, self._judge.key)

    def of_stored(self, assets: Sequence[Asset]) -> list[Hides]:
        """What is hidden of each of the assets, which are stored."""
        return self._tell(assets, self._ask().forbids)

    def _tell(self, assets: Sequence[Asset], forbids: _Forbids) -> list[Hides]:
        of_all = self._find_constant(forbids)
        if of_all is not None:
            return [self._hides(of_all)] * len(assets)
        self._judge.learn(assets)
        return [self._hides(policies) for policies in self._find([asset.uid for asset in assets], forbids)]

    def of_state(self, asset: Asset, state: Entity) -> Hides:
        """What would be hidden of an asset if it were in this state.

        Where it is the subject itself, what is hidden by what is stored of it stays hidden.
        """
        asked = self._ask()
        if asset.uid == asked.asked.known.uid:
            (now,) = self._find([asset.uid], asked.forbids)
            (then,) = self._find([asset.uid], asked.forbids, {asset.uid: state}, exact=True)
            return self._hides((*now, *then))
        # what was asked of any row knows others as they are stored
        exact = asset.uid in asked.asked.entities
        of_all = self._find_constant(asked.forbids)
        if of_all is not None and not exact:
            return self._hides(of_all)
        (policies,) = self._find([asset.uid], asked.forbids, {asset.uid: state}, exact=exact)
        return self._hides(policies)

    def _ask(self) -> _Open:
        judge = self._judge
        if self._open is None or self._open.changes != judge.changes:
            asked = self._ask_open(READ_PROPERTY)
            forbids = forbidding(judge.bundle, asked)
            # one that spares the same rows of being read hides nothing of what may be read: it would deny that too
            spared = dict(forbidding(judge.bundle, self._ask_open(READ))) if forbids else {}
            of_readable = tuple((policy, rows) for policy, rows in forbids if not _is_same(spared.get(policy), rows))
            self._open = _Open(asked, forbids, of_readable, judge.find_doubt(), judge.changes)
        return self._open

    def _ask_open(self, action: str) -> Asked:
        question = ask(Request(self._judge.subject, Act(action), ANY))
        return self._judge.gatherer().gather_open(question, drawn=self._judge.inventory.layout.drawn)

    def _find(
        self,
        things: Sequence[Uid],
        forbids: _Forbids,
        states: Mapping[Uid, Entity] | None = None,
        *,
        exact: bool = False,
    ) -> list[tuple[Policy, ...]]:
        """The forbids that hide something of each thing; decided where that can't be said of rows, or is asked."""
        judge = self._judge
        exact = exact or self._ask().doubt is not None
        gatherer = judge.gatherer(states or {})
        gatherer.load(things)
        found = {uid: None if exact else find_denying(forbids, gatherer.see(uid)) for uid in things}
        doubtful = [uid for uid in things if found[uid] is None]
        decided = judge.answer(gatherer, READ_PROPERTY, doubtful)
        found.update((facts.resource.uid, hiding(decision)) for facts, decision in decided)
        return [found[uid] or () for uid in things]

    def _find_constant(self, forbids: _Forbids) -> tuple[Policy, ...] | None:
        """The forbids that hide something of every row; none where rows have to be looked at."""
        if self._ask().doubt is not None or any(rows != NONE for _, rows in forbids):
            return None
        return tuple(policy for policy, _ in forbids)

    def _hides(self, policies: Sequence[Policy]) -> Hides:
        if not policies:
            return nothing
        self._judge.hidden_by.update((policy.id, None) for policy in policies)
        return hider(patterns_of(policies))


def _is_same(one: Filter | None, other: Filter) -> bool:
    """Whether two filters are of the same rows; of what is opaque nobody knows."""
    return one == other and not is_opaque(other)
