"""Lists of assets, page by page: exactly those that the subject may see and that a search is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from policy_service.access.authorize import Service
from policy_service.access.cursors import PADDED, Cursor, read_cursor, write_cursor
from policy_service.access.enforce import Asker, Judge, judging
from policy_service.access.plan import Plan
from policy_service.access.query import Search
from policy_service.access.weights import MOST, weigh
from policy_service.access.windows import Asked, cut, find_end
from policy_service.assets.asset import Asset
from policy_service.assets.find import look_at
from policy_service.assets.sql.pages import BY_ID, Order, Place, read_page
from policy_service.errors import Forbidden
from policy_service.policy.residual.filter import EVERY

# rows that are read at once: a page of a hundred, and the one that tells whether another page follows
_AT_ONCE = 101
# what a row may be sorted by is up to 1,000 bytes, as a text within a text; of the one that is hidden how long must
# not show
_PADDED = dict.fromkeys(("_key", "displayName"), 1_536)


class Page(NamedTuple):
    """A page of a list.

    `cursor` is where the next one begins, none after the last page: it says so, and not a page that is short.
    `began` is the version of the files that answered the first page, `version` that of these.
    """

    assets: list[Asset]
    cursor: str | None
    version: str
    began: str


def list_assets(
    service: Service,
    asker: Asker,
    search: Search,
    told: Mapping[str, Any],
    order: Order = BY_ID,
    limit: int = 100,
    cursor: str = "",
) -> Page:
    """At most `limit` of the assets that the subject may see and that `search` is about, after `cursor`, in an order.

    `told` is what was asked, for the decision log. `RequestError` for a cursor of another list, subject or key.
    """
    keys, caller = service.store.keys, asker.caller
    question = orjson.dumps(["list", search.digest, *order]).decode()
    begin = read_cursor(keys, caller, question, cursor) if cursor else None
    with judging(service, asker) as judge:
        version = judge.bundle.version_text
        began = begin.version if begin else version
        plan = Plan(judge, search.kind)
        refuse_hidden(plan, order)
        shown, last = collect(judge, plan, search, order, limit, _read_place(begin))
        plan.record(told, [asset.id for asset in shown], plan.filter(search))
    if last is None:
        return Page(shown, None, version, began)
    place = Cursor(orjson.dumps([*last]).decode(), began)
    return Page(shown, write_cursor(keys, caller, question, place, _PADDED.get(order.by, PADDED)), version, began)


def refuse_hidden(plan: Plan, order: Order) -> None:
    """`Forbidden` where policies may hide what an order is by: where a row stands would tell its value.

    It is refused by what the policies say to this subject, whatever there is to be hidden.
    """
    if plan.visible(order.by) != EVERY:
        raise Forbidden(f"`{order.by}` is hidden from you on some assets, so nothing can be sorted by it: use `_key`")


def collect(
    judge: Judge, plan: Plan, search: Search, order: Order, limit: int, after: Place | None
) -> tuple[list[Asset], Place | None]:
    """The assets that may be seen, and the place after which the next page begins; none where this is the last.

    A full page is the last where nothing follows that may be seen: what is hidden must not show in there being one.
    A page is short of its limit where what is shown weighs too much, and where too many rows have to be decided.
    """
    shown: list[Asset] = []
    last: Place | None = None
    look, said = look_at(judge.inventory, plan.kind, plan.filter(search))
    end = find_end(judge, plan, Asked(search, said), order, after)
    room, chunk = MOST, limit + 1
    while True:
        chunk = min(chunk, _AT_ONCE)
        rows = read_page(look, judge.inventory.sealing, said, order, after, chunk)
        near = cut(rows, order, end)
        for position, (row, asset) in enumerate(zip(near, plan.show(search, near), strict=True)):
            if asset is None:
                continue
            if len(shown) == limit or room <= 0:
                plan.leave(near[position:])
                return shown, last
            shown.append(asset)
            last, room = row.place, room - weigh(asset)
        if len(near) < chunk:
            return shown, end
        after, chunk = rows[-1].place, 2 * chunk


def _read_place(begin: Cursor | None) -> Place | None:
    return None if begin is None else Place(*orjson.loads(begin.after))
