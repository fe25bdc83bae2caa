"""Exports: all assets that the subject may export, however many, page by page and each page on its own.

No session is held between pages, and no more is in memory than a page. Pages are by one version of the files: where
another comes to be in force the export ends, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from policy_service.access.authorize import Service
from policy_service.access.enforce import EXPORT, Asker, judging
from policy_service.access.lists import collect
from policy_service.access.plan import Plan
from policy_service.access.query import Search
from policy_service.assets.asset import Asset
from policy_service.assets.sql.pages import BY_ID, Place
from policy_service.errors import Conflict

_PAGE = 1_000


class Export(NamedTuple):
    """The version of the files that decides, and the assets in the order of their ids."""

    version: str
    pages: Iterator[list[Asset]]


class _Page(NamedTuple):
    assets: list[Asset]
    last: Place | None
    version: str


def export_assets(service: Service, ask: Callable[[], Asker], search: Search, told: Mapping[str, Any]) -> Export:
    """What the subject may see and export of what `search` is about; the first page is read before this answers.

    `ask` gives who asks, anew for each page: a key may end on the way. A later page raises what stands in its way,
    `Conflict` where the files have changed. Each page has its record in the decision log before it is given.
    """
    first = _read(service, ask(), search, told, None)
    return Export(first.version, _go_on(service, ask, search, told, first))


def _go_on(
    service: Service, ask: Callable[[], Asker], search: Search, told: Mapping[str, Any], page: _Page
) -> Iterator[list[Asset]]:
    began = page.version
    while True:
        yield page.assets
        if page.last is None:
            return
        page = _read(service, ask(), search, told, page.last)
        if page.version != began:
            raise Conflict("the policies changed on the way, begin the export again")


def _read(service: Service, asker: Asker, search: Search, told: Mapping[str, Any], after: Place | None) -> _Page:
    with judging(service, asker) as judge:
        plan = Plan(judge, search.kind, [EXPORT])
        assets, last = collect(judge, plan, search, BY_ID, _PAGE, after)
        plan.record(told, [asset.id for asset in assets], plan.filter(search))
        return _Page(assets, last, judge.bundle.version_text)
