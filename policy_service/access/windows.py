"""How far one answer goes among rows that have to be decided one by one.

As far as so many rows of the type and the class asked for go that the policies leave open, whatever else is asked of
them: by where an answer ends nobody can tell whether that is true of a row that he may not see, or of a property that
is hidden from him. He can tell that there are as many, seen or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from policy_service.access.conditions import find_names, to_filter
from policy_service.access.enforce import Judge
from policy_service.access.plan import Plan
from policy_service.access.query import Search
from policy_service.access.weights import MOST
from policy_service.assets.find import find_places, say
from policy_service.assets.sql.pages import BY_ID, Found, Order, Place, is_after
from policy_service.assets.sql.sayable import TOO_DEEP, TOO_LONG
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Filter,
    all_of,
    any_of,
    bound,
    find_opaque,
    is_opaque,
    none_of,
)

# rows that are decided one by one for an answer, and that weigh no more than `MOST` together
EXAMINED = 2_000
# places that are read at once
_AT_ONCE = 200


class Asked(NamedTuple):
    """What is looked for: a search, with the properties that are shown of what is found, and the filter of both as
    the store can be asked."""

    search: Search
    said: Filter
    shown: Collection[str] = ()


def cut(rows: Sequence[Found], order: Order, end: Place | None) -> Sequence[Found]:
    """Those of rows in an order that are not after the place."""
    return rows if end is None else [row for row in rows if not is_after(order, row.place, end)]


def find_end(judge: Judge, plan: Plan, asked: Asked, order: Order = BY_ID, after: Place | None = None) -> Place | None:
    """The place up to which rows are looked at for one answer, from `after` on; none where that is to the last."""
    coarse = Search(plan.kind, type=asked.search.type, class_=asked.search.class_)
    open_ = all_of(_find_open(judge, plan, asked), to_filter(coarse, plan.names, plan.visible))
    if open_ == NONE:
        return None
    most, weight, last = plan.afford(EXAMINED), 0, None
    for number, (place, weighs) in enumerate(_find_places(judge, plan, open_, order, after)):
        weight += weighs
        if number and (number == most or weight > MOST):
            return last
        last = place
    return None


def _find_places(
    judge: Judge, plan: Plan, open_: Filter, order: Order, after: Place | None
) -> Iterator[tuple[Place, int]]:
    """The places of rows and what each weighs: few at once, else PostgreSQL, which takes conditions on documents to be
    rarely true, would sort all rows."""
    while True:
        found = find_places(judge.inventory, plan.kind, open_, order=order, after=after, limit=_AT_ONCE)
        yield from found
        if len(found) < _AT_ONCE:
            return
        after = found[-1][0]


def _find_open(judge: Judge, plan: Plan, asked: Asked) -> Filter:
    """The rows of which the policies do not say whether they may be seen, or some property that is asked about."""

    def tell(filter_: Filter) -> Filter:
        return say(judge.inventory, plan.kind, filter_)

    if not is_opaque(asked.said):
        return NONE
    seen = tell(plan.seen)
    may_be = bound(seen, upper=True)
    is_cut = not {TOO_LONG, TOO_DEEP}.isdisjoint(find_opaque(asked.said))
    if is_cut or is_opaque(tell(all_of(may_be, to_filter(asked.search, plan.names, lambda _: EVERY)))):
        # what is asked is left open itself, of rows that may be seen
        open_ = may_be
    else:
        names = {*find_names(asked.search, plan.names), *asked.shown}
        visible = (tell(plan.visible(name)) for name in sorted(names))
        open_ = any_of(_leave_open(seen), all_of(may_be, any_of(*map(_leave_open, visible))))
    return may_be if is_opaque(tell(open_)) else open_


def _leave_open(said: Filter) -> Filter:
    """The rows of which a filter may be true, and is not certainly."""
    return all_of(bound(said, upper=True), none_of(bound(said, upper=False))) if is_opaque(said) else NONE
