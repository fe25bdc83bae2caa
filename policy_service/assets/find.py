"""Lists, counts and facets of assets: the rows of a store that a filter is true of.

A filter may hold what is opaque: then lists have every row that it may be true of, and tell of which it certainly is;
counts and facets are of those alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policy_service.assets.asset import Kind
from policy_service.assets.below import MOST_BELOW, below
from policy_service.assets.inventory import Inventory
from policy_service.assets.kinds import find_kinds
from policy_service.assets.sql.columns import Document, Shape
from policy_service.assets.sql.counts import count_rows
from policy_service.assets.sql.databases import Database
from policy_service.assets.sql.facets import count_values, name_rows
from policy_service.assets.sql.looks import Look
from policy_service.assets.sql.pages import BY_ID, Found, Order, Place, read_page, read_places
from policy_service.assets.sql.postgresql import Postgresql
from policy_service.assets.sql.sayable import simplify
from policy_service.assets.sql.sqlite import Sqlite
from policy_service.model import Value
from policy_service.policy.residual.filter import All, Below, End, Filter, Not, Opaque, Some, bound, find_fields

_DATABASES: dict[str, Database] = {"sqlite": Sqlite(), "postgresql": Postgresql()}


def find(
    inventory: Inventory, kind: Kind, filter_: Filter, *, order: Order = BY_ID, after: Place | None = None, limit: int
) -> list[Found]:
    """At most `limit` of the assets that a filter may be true of, after a place of an order; deleted ones not."""
    look, said = look_at(inventory, kind, filter_)
    return read_page(look, inventory.sealing, said, order, after, limit)


def find_places(
    inventory: Inventory, kind: Kind, filter_: Filter, *, order: Order = BY_ID, after: Place | None = None, limit: int
) -> list[tuple[Place, int]]:
    """The same of where they stand alone, each with about how many characters it holds."""
    look, said = look_at(inventory, kind, filter_)
    return read_places(look, said, order, after, limit)


def count(inventory: Inventory, kind: Kind, filter_: Filter) -> int:
    """How many assets a filter is certainly true of."""
    look, said = look_at(inventory, kind, filter_)
    return count_rows(look, bound(said, upper=False))


def facets(inventory: Inventory, kind: Kind, filter_: Filter, name: str, limit: int) -> list[tuple[Value, int]]:
    """The values that most of the assets have of which a filter is certainly true, and how many have each.

    `name` is `type`, `class` or an indexed property or tag of entities; an element of a set is a value too. What as
    many have is in the order of its text.
    """
    look, said = look_at(inventory, kind, filter_)
    names = list(name_rows(inventory, name)) if kind == "entity" else []
    return count_values(look, bound(said, upper=False), name, names, limit)


def say(inventory: Inventory, kind: Kind, filter_: Filter) -> Filter:
    """The filter as this store can be asked, true of the same assets: what its SQL can't say is opaque."""
    return look_at(inventory, kind, filter_)[1]


def shape_of(inventory: Inventory, kind: Kind) -> Shape:
    """The form of the rows of a kind, without the kinds of their values."""
    layout = inventory.layout
    ends = Shape("entity", layout.drawn, layout.indexed, layout.generation)
    return ends if kind == "entity" else replace(ends, kind="relationship", ends=ends)


def look_at(inventory: Inventory, kind: Kind, filter_: Filter) -> tuple[Look, Filter]:
    """What is looked at by a filter, and the filter as this store can be asked."""
    shape = _learn(inventory, shape_of(inventory, kind), filter_)
    session = inventory.session
    look = Look(
        session, inventory.account, shape, _DATABASES[session.get_bind().dialect.name], inventory.sealing.digests
    )
    return look, simplify(_expand(inventory, look, filter_), shape)


def _learn(inventory: Inventory, shape: Shape, filter_: Filter) -> Shape:
    """The form of rows with the kinds of what a filter is about: in a store that is read, nothing changes meanwhile."""
    ends = _learn(inventory, shape.ends, All(tuple(_find_ends(filter_)))) if shape.ends else None
    places = (shape.locate(field.path) for field in find_fields(filter_))
    names = {place.names[0] for place in places if isinstance(place, Document)}
    return replace(shape, kinds=find_kinds(inventory, shape.kind, names) if names else {}, ends=ends)


def _find_ends(filter_: Filter) -> Iterator[Filter]:
    match filter_:
        case All(parts) | Some(parts):
            for part in parts:
                yield from _find_ends(part)
        case Not(part):
            yield from _find_ends(part)
        case End(_, part):
            yield part


def _expand(inventory: Inventory, look: Look, filter_: Filter) -> Filter:
    """The filter with all that files say is below the entities that it asks to be below of."""
    match filter_:
        case All(parts):
            return All(tuple(_expand(inventory, look, part) for part in parts))
        case Some(parts):
            return Some(tuple(_expand(inventory, look, part) for part in parts))
        case Not(part):
            return Not(_expand(inventory, look, part))
        case End(side, part):
            return End(side, _expand(inventory, look, part))
        case Below(uids):
            found = below(inventory, look if look.shape.ends is None else replace(look, shape=look.shape.ends), uids)
            return Opaque(f"more than {MOST_BELOW} are below what it names") if found is None else Below(found)
    return filter_
