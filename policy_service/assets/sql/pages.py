"""Pages of assets: the rows that a filter is true of, in an order, from a place on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, cast, func, literal, select, tuple_

from policy_service.assets.asset import Asset, Kind
from policy_service.assets.restricted import Sealing
from policy_service.assets.rows import COLUMNS, read_row
from policy_service.assets.sql.arms import SPLIT, split
from policy_service.assets.sql.looks import GATHERED, Look, Window
from policy_service.policy.residual.filter import NONE, Filter, bound
from policy_service.store.tables import NAME_START

# rows that are sorted for a page: of more, an index that has them in order is walked through
SORTED = 1_000


class Order(NamedTuple):
    """By what assets are sorted: `_id displayName _createdOn _beginOn _key _type`, names by their first 200 characters.

    Those that are equal are sorted by id, in the same direction; those that have none come last, in both.
    """

    by: str = "_id"
    descending: bool = False


BY_ID = Order()


class Place(NamedTuple):
    """Where an asset stands in an order: what it is sorted by, none where it has none or the order is that of ids."""

    value: str | int | None
    id: str


class Found(NamedTuple):
    """An asset that a filter may be true of; `certain` that it is."""

    asset: Asset
    certain: bool
    place: Place


_COLUMNS: Mapping[str, str] = {
    "displayName": "name_start",
    "_createdOn": "created_on",
    "_beginOn": "begin_on",
    "_key": "key",
    "_type": "type",
}

# made once: to name all columns takes as long as to read a page
_ROWS: Mapping[Kind, Select[Any]] = {kind: select(*columns) for kind, columns in COLUMNS.items()}
_CERTAIN = literal(True).label("certain")


def read_page(
    look: Look, sealing: Sealing, filter_: Filter, order: Order, after: Place | None, limit: int
) -> list[Found]:
    """At most `limit` of the assets that the filter may be true of, after a place of the order."""
    upper, lower = bound(filter_, upper=True), bound(filter_, upper=False)
    chosen = _ROWS[look.shape.kind].add_columns(_CERTAIN if upper == lower else look.where(lower).label("certain"))
    found = []
    for row in _read(look, chosen, upper, order, after, limit):
        asset = read_row(look.shape.kind, row, sealing)
        # where the lower bound is NULL it is not true
        found.append(Found(asset, bool(row.certain), Place(_read_value(asset, order), asset.id)))
    return found


def read_places(look: Look, filter_: Filter, order: Order, after: Place | None, limit: int) -> list[tuple[Place, int]]:
    """The places of at most `limit` of the rows that the filter may be true of, after a place of the order, and about
    how many characters each holds."""
    table, column = look.table, _COLUMNS.get(order.by)
    documents = (table.properties, table.tags, table.sealed)
    size: Any = sum(func.coalesce(func.length(cast(each, Text)), 0) for each in documents)
    value = literal(None, Text()) if column is None else getattr(table, column)
    chosen = select(table.id, value.label("place"), size.label("size"))
    rows = _read(look, chosen, bound(filter_, upper=True), order, after, limit)
    return [(Place(row.place, row.id), row.size) for row in rows]


def is_after(order: Order, place: Place, other: Place) -> bool:
    """Whether a place comes after another in an order."""
    if (place.value is None) is not (other.value is None):
        return place.value is None
    # of two without a value, and in the order of ids, the id alone tells
    one, two = ((each.id,) if each.value is None else (each.value, each.id) for each in (place, other))
    return one < two if order.descending else one > two


def _read(look: Look, chosen: Select[Any], upper: Filter, order: Order, after: Place | None, limit: int) -> list[Any]:
    if upper == NONE or limit < 1:
        return []
    if order.by == "_id":
        statements = [_by_id(look, chosen, upper, Window(limit, after.id if after else None, order.descending))]
    else:
        statements = _by_column(look, chosen, upper, order, after)
    rows: list[Any] = []
    for statement in statements:
        rows += look.session.execute(statement.limit(limit - len(rows)))
        if len(rows) == limit:
            break
    return rows


def _by_id(look: Look, chosen: Select[Any], upper: Filter, window: Window) -> Select[Any]:
    """Rows in the order of ids: the first of each arm, or as the table has them."""
    id_ = look.table.id
    arms = look.find_arms(upper)
    arms = split(arms) if arms else arms
    if arms is None or (len(arms) > SPLIT and look.weigh(arms, GATHERED) >= GATHERED):
        return window.apply(chosen.where(*look.there(), look.where(upper, led=True)), id_)
    ids = look.gather(arms, window)
    if len(arms) > 1:
        ids = ids.order_by(ids.selected_columns.id.desc() if window.descending else ids.selected_columns.id)
        ids = ids.limit(window.limit)
    elif look.name_elements(arms[0].lead) is None:
        return window.apply(chosen.where(*look.match(arms[0])), id_)
    return chosen.where(*look.there(), id_.in_(ids)).order_by(id_.desc() if window.descending else id_)


def _by_column(look: Look, chosen: Select[Any], upper: Filter, order: Order, after: Place | None) -> list[Select[Any]]:
    """Rows in the order of a column, then those without: few are sorted, else all rows are walked through in order,
    of which some are known beforehand to be among those that are looked for."""
    column, id_ = getattr(look.table, _COLUMNS[order.by]), look.table.id
    arms = look.find_arms(upper)
    number = look.weigh(arms, GATHERED) if arms else GATHERED
    if arms and number < GATHERED:
        chosen = chosen.where(*look.there(), id_.in_(look.gather(arms)))
    else:
        chosen = chosen.where(*look.there(), look.where(upper, led=True))
    if number < SORTED:
        # by an expression, so that no index seems to have them in order already
        column = column + ("" if isinstance(column.type, Text) else 0)
    statements = []
    if after is None or after.value is not None:
        valued = chosen.where(column.is_not(None)) if order.by == "displayName" else chosen
        if after is not None:
            place, last = tuple_(column, id_), tuple_(literal(after.value, column.type), literal(after.id, id_.type))
            valued = valued.where(place < last if order.descending else place > last)
        valued = valued.order_by(*(each.desc() if order.descending else each for each in (column, id_)))
        statements.append(valued)
    if order.by == "displayName":
        last_id = after.id if after is not None and after.value is None else None
        statements.append(Window(0, last_id, order.descending).apply(chosen.where(column.is_(None)), id_))
    return statements


def _read_value(asset: Asset, order: Order) -> str | int | None:
    match order.by:
        case "displayName":
            return None if asset.display_name is None else asset.display_name[:NAME_START]
        case "_createdOn":
            return asset.created_on
        case "_beginOn":
            return asset.begin_on
        case "_key":
            return asset.key
        case "_type":
            return asset.type
    return None
