"""What the subject of one request may see of a tenant's assets: a filter of rows, and a decision where that can't say.

A relationship shows the ids of its ends: it is seen where the policies allow it and both ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from policy_service.access.conditions import Names, to_filter
from policy_service.access.enforce import READ, Judge
from policy_service.access.fields import Veil
from policy_service.access.matching import Matcher, make_matcher
from policy_service.access.query import Search
from policy_service.access.sight import Sight
from policy_service.assets.asset import Asset, Kind
from policy_service.assets.sql.pages import Found
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    End,
    Field,
    Filter,
    Opaque,
    Test,
    all_of,
    any_of,
    constant,
    none_of,
)
from policy_service.policy.residual.plan import residual
from policy_service.policy.residual.strangers import admits_strangers
from policy_service.policy.residual.words import explain

# entities of `entities.json` that are decided for a list of relationships, which may end there; of more than these it
# is decided one by one, where an end is one
_FILED = 200
# policies of which one decision takes about a millisecond
FEW = 100
_ELSEWHERE = "the entity at an end is not in the store"


class Plan:
    """The assets of a kind to which the subject may do `actions` beside seeing them, for one request."""

    def __init__(self, judge: Judge, kind: Kind, actions: Sequence[str] = ()) -> None:
        self._judge = judge
        self._sight = Sight(judge, actions)
        self._veil = Veil(judge)
        self._doubt = judge.find_doubt()
        layout = judge.inventory.layout
        self._concerned = 0
        # of the search that rows were shown for last
        self._matcher: tuple[Search, Matcher] | None = None
        self.kind = kind
        # what became restricted a moment ago may have rows of before
        self.names = Names(layout.drawn, layout.indexed - judge.bundle.restricted)
        self.seen = all_of(self._see(), *(self._allow(action) for action in actions))

    def filter(self, search: Search) -> Filter:
        """The rows that may be seen and that a search is about."""
        return all_of(self.seen, to_filter(search, self.names, self._veil.visible))

    def visible(self, name: str) -> Filter:
        """The rows of which the subject may see a property."""
        return self._veil.visible(name)

    def show(self, search: Search, found: Sequence[Found]) -> list[Asset | None]:
        """Each asset that was found by the filter of a search as the subject may see it, none where it may not.

        What the filter is certain of needs no decision.
        """
        self._sight.look([row.asset for row in found])
        doubtful = [row.asset for row in found if not row.certain]
        denied = {
            asset.id for asset, allowed in zip(doubtful, self._sight.allows(doubtful), strict=True) if not allowed
        }
        held = [row for row in found if row.asset.id not in denied]
        redacted = self._veil.redact([row.asset for row in held])
        shown = {
            asset.id: asset
            for row, asset in zip(held, redacted, strict=True)
            if row.certain or self._match(search)(asset)
        }
        return [shown.get(row.asset.id) for row in found]

    def _match(self, search: Search) -> Matcher:
        if self._matcher is None or self._matcher[0] is not search:
            self._matcher = search, make_matcher(search, self.names.searched)
        return self._matcher[1]

    def leave(self, found: Sequence[Found]) -> None:
        """Record nothing of rows that another page is about."""
        self._sight.leave([row.asset for row in found])

    def afford(self, rows: int) -> int:
        """As many rows as are decided in about the time that so many take where few policies concern the subject."""
        return max(1, rows * FEW // max(FEW, self._concerned))

    def redact(self, assets: Sequence[Asset]) -> list[Asset]:
        """The assets, which may be seen, without what is hidden of them."""
        return self._veil.redact(assets)

    def record(
        self, question: Mapping[str, Any], shown: Sequence[str], filter_: Filter, counted: int | None = None
    ) -> None:
        """Keep the one record of what was asked."""
        self._sight.record(self.kind, question, shown, explain(filter_), counted)

    def _see(self) -> Filter:
        seen = self._allow(READ)
        if self.kind == "entity" or seen == NONE:
            return seen
        return all_of(seen, self._see_end("from", seen), self._see_end("to", seen))

    def _allow(self, action: str) -> Filter:
        if self._doubt is not None:
            return self._doubt
        asked = self._sight.ask_open(action, self.names.drawn)
        self._concerned += len(asked.policies)
        return residual(self._judge.bundle, asked)

    def _see_end(self, side: Literal["from", "to"], seen: Filter) -> Filter:
        """The relationships of which the subject may see the entity at an end."""
        filed = [uid for uid in self._judge.bundle.entities if "\0" not in uid.id]
        if len(filed) > _FILED:
            return any_of(End(side, seen), all_of(none_of(End(side, EVERY)), Opaque(_ELSEWHERE)))
        may = dict(zip(filed, self._sight.decide(READ, filed), strict=True))
        if seen == EVERY:
            return none_of(_is_one(side, [uid for uid in filed if not may[uid]]))
        known = any_of(End(side, seen), _is_one(side, [uid for uid in filed if may[uid]]))
        if not admits_strangers(seen):
            return known
        elsewhere = none_of(any_of(End(side, EVERY), _is_one(side, filed)))
        return any_of(known, all_of(elsewhere, Opaque(_ELSEWHERE)))


def _is_one(side: str, uids: Sequence[Any]) -> Filter:
    return Test("in", Field((side,), "entity"), tuple(map(constant, uids))) if uids else NONE
