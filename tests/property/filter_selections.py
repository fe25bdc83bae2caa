"""What a store finds by a filter, held against the same filter read row by row: lists, pages, counts and facets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.find import Order, Place, count, facets, find, say
from policy_service.assets.inventory import Inventory
from policy_service.model import Value
from policy_service.policy.residual.filter import Filter, bound
from policy_service.policy.stored_values import encode, write_json
from tests.property.filter_checks import Bounds, Mismatch
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
    bounds: Bounds | None = None,
) -> None:
    """Hold a list against what it should be, and one time in a few also pages, counts and facets.

    `bounds` are those of the filter, where they are known; a bound of what the store can be asked is then read only
    where that is less.
    """
    said = say(inventory, kind, filter_)
    exact = bound(said, upper=True) == bound(said, upper=False)
    known = _read(filter_, rows) if bounds is None else bounds
    ids = {row.asset.id: row.asset for row in rows}
    known = Bounds(known.lower & ids.keys(), known.upper & ids.keys())
    lower, upper = known if exact and bounds and draws.chance(90) else _read(said, rows)
    if not lower <= known.lower or not known.upper <= upper:
        raise Mismatch("say", f"certain beyond it {lower - known.lower}, lost {known.upper - upper}, of {said}")
    found = find(inventory, kind, filter_, limit=_ALL)
    _compare("list", {each.asset.id for each in found}, upper, said)
    _compare("certain", {each.asset.id for each in found if each.certain}, lower, said)
    if wrong := [each.asset for each in found if ids[each.asset.id] != each.asset]:
        raise Mismatch("asset", f"{wrong}")
    tally.counts[f"selected, {kind}"] += len(rows)
    tally.counts["selected, opaque"] += 0 if exact else len(rows)
    if draws.chance(12):
        _check_pages(draws, inventory, kind, filter_, [ids[id_] for id_ in upper])
        tally.counts["paged"] += len(rows)
    if draws.chance(20):
        counted = count(inventory, kind, filter_)
        if counted != len(lower):
            raise Mismatch("count", f"{counted} for {len(lower)} of {said}")
        tally.counts["counted"] += len(rows)
    if draws.chance(7):
        _check_facets(inventory, kind, filter_, [ids[id_] for id_ in lower])
        tally.counts["told as facets"] += len(rows)


def _read(filter_: Filter, rows: Sequence[Seen]) -> Bounds:
    lower, upper = ({row.asset.id for row in rows if means(filter_, row, upper=up)} for up in (False, True))
    return Bounds(lower, upper)


def _compare(what: str, found: set[str], wanted: set[str], said: Filter) -> None:
    if found != wanted:
        raise Mismatch(what, f"{sorted(found - wanted)} too many, {sorted(wanted - found)} lost, of {said}")


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
    names = ["type", "class", *(sorted(inventory.layout.indexed) if kind == "entity" else ())]
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
