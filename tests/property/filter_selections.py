"""What a store finds by a filter, held against the same filter read row by row: lists, pages, counts and facets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.building import find_gaps
from policy_service.assets.find import Order, Place, count, facets, find, say
from policy_service.assets.inventory import Inventory
from policy_service.model import Value
from policy_service.policy.residual.filter import Filter
from policy_service.policy.stored_values import encode, write_json
from tests.property.filter_checks import Bounds, Mismatch, check_decisions
from tests.property.filter_draws import Draws
from tests.property.filter_meanings import Seen, means
from tests.property.filter_tallies import Tally

ORDERS = ("_id", "displayName", "_createdOn", "_beginOn", "_key", "_type")
# names are sorted by so many of their first characters
NAME_START = 200
_ALL = 10_000


def check_selection(
    tally: Tally,
    draws: Draws,
    inventory: Inventory,
    kind: Kind,
    filter_: Filter,
    rows: Sequence[Seen],
    decided: Mapping[str, bool] | None = None,
    bounds: Bounds | None = None,
) -> None:
    """Hold a list against what is decided of each row, and one time in a few also its pages, its count and its facets.

    `bounds` are those of the filter, where they were read. Without decisions the filter is read row by row.
    """
    assets = {row.asset.id: row.asset for row in rows}
    found = find(inventory, kind, filter_, limit=_ALL)
    listed = Bounds({each.asset.id for each in found if each.certain}, {each.asset.id for each in found})
    if wrong := [each.asset for each in found if assets.get(each.asset.id) != each.asset]:
        raise Mismatch("asset", f"{wrong}")
    if decided is not None:
        check_decisions("list", {id_: allowed for id_, allowed in decided.items() if id_ in assets}, listed, filter_)
    if decided is None or bounds is not None:
        _check_bounds(inventory, kind, filter_, rows, listed, bounds)
    tally.counts[f"listed, {kind}"] += len(rows)
    tally.counts["listed, doubtful"] += len(listed.upper - listed.lower)
    if draws.chance(12):
        _check_pages(draws, inventory, kind, filter_, [assets[id_] for id_ in listed.upper])
        tally.counts["paged"] += len(rows)
    if draws.chance(20):
        counted = count(inventory, kind, filter_)
        if counted != len(listed.lower):
            raise Mismatch("count", f"{counted} for {len(listed.lower)} of {filter_}")
        tally.counts["counted"] += len(rows)
    if draws.chance(7):
        _check_facets(inventory, kind, filter_, [assets[id_] for id_ in listed.lower])
        tally.counts["told as facets"] += len(rows)


def _check_bounds(
    inventory: Inventory, kind: Kind, filter_: Filter, rows: Sequence[Seen], listed: Bounds, bounds: Bounds | None
) -> None:
    """See that what is listed is what the filter means, as this store can be asked, and that this is no more."""
    said = say(inventory, kind, filter_)
    meant = _read(said, rows)
    for what, found, wanted in (("list", listed.upper, meant.upper), ("certain", listed.lower, meant.lower)):
        if found != wanted:
            raise Mismatch(what, f"{sorted(found - wanted)} too many, {sorted(wanted - found)} lost, of {said}")
    wide = bounds or _read(filter_, rows)
    ids = {row.asset.id for row in rows}
    if not meant.lower <= wide.lower or not wide.upper & ids <= meant.upper:
        raise Mismatch(
            "say", f"certain beyond it {meant.lower - wide.lower}, lost {wide.upper - meant.upper}, of {said}"
        )


def _read(filter_: Filter, rows: Sequence[Seen]) -> Bounds:
    lower, upper = ({row.asset.id for row in rows if means(filter_, row, upper=up)} for up in (False, True))
    return Bounds(lower, upper)


def _check_pages(draws: Draws, inventory: Inventory, kind: Kind, filter_: Filter, wanted: Sequence[Asset]) -> None:
    order = Order(draws.pick(ORDERS), draws.chance(50))
    limit = draws.number(max(1, len(wanted) // 5), len(wanted) + 1)
    found: list[str] = []
    after: Place | None = None
    while True:
        page = find(inventory, kind, filter_, order=order, after=after, limit=limit)
        found += [each.asset.id for each in page]
        if len(page) < limit or len(found) > len(wanted):
            break
        after = page[-1].place
    if found != sort(wanted, order):
        raise Mismatch("pages", f"{order} by {limit}: {found}, not {sort(wanted, order)}")


def sort(assets: Sequence[Asset], order: Order) -> list[str]:
    """The ids in an order: equal ones by id, those that have no value last."""
    valued = [asset for asset in assets if order.by != "displayName" or asset.display_name is not None]
    others = [asset for asset in assets if order.by == "displayName" and asset.display_name is None]
    for part in (valued, others):
        part.sort(key=lambda asset: (_value(asset, order.by), asset.id), reverse=order.descending)
    return [asset.id for asset in (*valued, *others)]


def _value(asset: Asset, by: str) -> Any:
    values: Mapping[str, Any] = {
        "_id": asset.id,
        "displayName": (asset.display_name or "")[:NAME_START],
        "_createdOn": asset.created_on,
        "_beginOn": asset.begin_on,
        "_key": asset.key,
        "_type": asset.type,
    }
    return values[by]


def _check_facets(inventory: Inventory, kind: Kind, filter_: Filter, assets: Sequence[Asset]) -> None:
    # what is restricted is no facet, though rows of before may be there, nor what was until rows of it are made
    indexed = inventory.layout.indexed - inventory.bundle.restricted if kind == "entity" else frozenset[str]()
    indexed -= find_gaps(inventory.session, indexed)
    names = ["type", "class", *sorted(indexed)]
    for name in names:
        told = facets(inventory, kind, filter_, name, _ALL)
        numbers = [number for _, number in told]
        counted = {write_json(encode(value)): number for value, number in told}
        wanted = Counter(write_json(encode(value)) for asset in assets for value in _facet_values(asset, name))
        if counted != wanted or len(counted) != len(told) or numbers != sorted(numbers, reverse=True):
            raise Mismatch("facets", f"{name}: {told}, not {wanted}")


def _facet_values(asset: Asset, name: str) -> list[Value]:
    if name == "type":
        return [asset.type]
    if name == "class":
        return list(asset.classes)
    value = asset.tags.get(name[4:]) if name.startswith("tag.") else asset.properties.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]
