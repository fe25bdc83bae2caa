"""What a list by a filter starts from, in words, for those who write policies: no store is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policy_service.assets.asset import Kind
from policy_service.assets.layout import read_wish
from policy_service.assets.members import TAG
from policy_service.assets.sql.arms import Lead, find_arms
from policy_service.assets.sql.columns import Document, Shape
from policy_service.assets.sql.sayable import simplify
from policy_service.policy.bundle import Bundle
from policy_service.policy.residual.filter import EVERY, NONE, Below, Each, End, Field, Filter, Test, bound, find_fields

# how it begins to be told of a list without an index
SCANS = "it looks at every row"


def shape_of(bundle: Bundle, kind: Kind) -> Shape:
    """The form of the rows of a kind as files say it: of which kinds their values are, nobody knows."""
    wish = read_wish(bundle)
    entities = Shape("entity", wish.drawn, wish.indexed, 1)
    return entities if kind == "entity" else replace(entities, kind="relationship", ends=entities)


def lead(bundle: Bundle, kind: Kind, filter_: Filter) -> str:
    """Which indexes serve a list of the rows that a filter may be true of, or that it looks at every row.

    A part of a sentence. Where a property that `tenant.yaml` does not call indexed is all that is missing, it says so.
    """
    shape = shape_of(bundle, kind)
    said = simplify(filter_, shape)
    upper = bound(said, upper=True)
    if upper == NONE:
        return "no row is in it"
    if upper == EVERY:
        return "every row is in it" if said == EVERY else SCANS
    arms = find_arms(shape, upper, len)
    if arms is not None:
        return f"it starts from {' and '.join(dict.fromkeys(_name(arm.lead) for arm in arms))}"
    # of relationships no property has an index of its own, and what is restricted may have none
    found = set(_find_properties(shape, upper)) if kind == "entity" else set[str]()
    wanted = sorted(found - shape.indexed - bundle.restricted)
    if wanted and find_arms(replace(shape, indexed=shape.indexed | set(wanted)), upper, len) is not None:
        return f"{SCANS}, unless tenant.yaml says `indexed: [{', '.join(wanted)}]`"
    return SCANS


def _find_properties(shape: Shape, filter_: Filter) -> Iterator[str]:
    """The properties and tags that a filter is about, by the names that the API has for them."""
    for field in find_fields(filter_):
        place = shape.locate(field.path)
        if isinstance(place, Document) and len(place.names) == 1:
            yield place.names[0] if place.root == "attribute" else TAG + place.names[0]


def _name(lead: Lead) -> str:
    match lead:
        case Test(_, Field(("id",))):
            return "ids"
        case Test(_, Field() as field) | Each(_, field):
            return f"`{'.'.join(field.path[1:] if len(field.path) > 1 else field.path)}`"
        case Below():
            return "what is below entities"
        case End(side):
            return f"the entities it goes {side}"
    raise ValueError("no such lead")
