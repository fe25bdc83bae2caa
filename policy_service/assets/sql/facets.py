"""How many of the rows that a filter is true of have each value of a property."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import orjson
from sqlalchemy import func, select

from policy_service.assets.elements import CLASS, Root, is_digest, scalar_name, set_name
from policy_service.assets.inventory import Inventory
from policy_service.assets.kinds import BITS, SEALED, find_kinds
from policy_service.assets.members import TAG
from policy_service.assets.sql.counts import find_gathered
from policy_service.assets.sql.databases import Condition
from policy_service.assets.sql.looks import Look
from policy_service.errors import RequestError
from policy_service.model import Value
from policy_service.policy.residual.filter import EVERY, NONE, Filter
from policy_service.policy.stored_values import decode
from policy_service.store.tables import ElementRow, RelationshipRow

# elements of as many rows are looked for row by row; of more, those of all rows are walked through
_LOOKED = 20_000
# characters of the long values of one facet, of which an answer has up to ten
_WHOLE = 1024 * 1024


def name_rows(inventory: Inventory, facet: str) -> Iterator[str]:
    """The names of the rows of elements that have the values of a facet of entities."""
    if facet in {"type", "class"}:
        yield from [CLASS] if facet == "class" else []
        return
    root: Root = "tag" if facet.startswith(TAG) else "attribute"
    name = facet.removeprefix(TAG)
    bits = find_kinds(inventory, "entity", [name]).get((root, name), 0)
    if bits & ~BITS["set"]:
        yield scalar_name(root, name)
    # of what was sealed there is no other kind
    if bits & (BITS["set"] | SEALED):
        yield set_name(root, name)


def count_values(look: Look, filter_: Filter, name: str, names: Sequence[str], most: int) -> list[tuple[Value, int]]:
    """The values of a facet of the rows that a filter is true of, and how many have each, those that most have first.

    `name` is `type`, `class` or a property with rows of elements for its values, which have one of `names`. No more
    than `most` values are told. `RequestError` where they are too long to be told.
    """
    if filter_ == NONE or most < 1:
        return []
    if name == "type" or look.shape.kind == "relationship":
        value: Any = look.table.type if name == "type" else RelationshipRow.class_
        # an index would have the values in order, and each row would be fetched by itself
        value = look.database.hide(value)
        counted = select(value, func.count()).where(*look.there())
        arms = find_gathered(look, filter_)
        chosen = look.where(filter_) if arms is None else look.table.id.in_(look.gather(arms))
        return _read(look, counted.where(chosen), value, most)
    return _count_elements(look, filter_, name, names, most) if names else []


def _count_elements(look: Look, filter_: Filter, name: str, names: Sequence[str], most: int) -> list[tuple[Value, int]]:
    """The values of a facet by its rows of elements, which have one of `names`."""
    value, id_ = ElementRow.value, cast(Any, ElementRow.id)
    mine = ElementRow.account_id == look.account, ElementRow.name.in_(names)
    counted = select(value, func.count()).where(*mine)
    if filter_ != EVERY:
        arms = find_gathered(look, filter_)
        walked = look.database.hide(id_)
        plain = select(look.table.id).where(*look.there(), look.where(filter_))
        ids = plain if arms is None else look.gather(arms)
        if arms is None or (walked is not id_ and look.weigh(arms, _LOOKED) >= _LOOKED):
            id_ = walked
        counted = counted.where(id_.in_(ids))
    told = _read(look, counted, value, most)
    texts = _read_whole(look, [text for text, _ in told if is_digest(text)], name, mine)
    return [(decode(orjson.loads(texts.get(text, text))), number) for text, number in told]


def _read_whole(look: Look, digests: Sequence[str], name: str, mine: Sequence[Condition]) -> dict[str, str]:
    """The texts of long values, which are there as digests, and whole beside them, where no index has them."""
    if not digests:
        return {}
    value, whole = ElementRow.value, cast(Any, ElementRow.whole)
    found = *mine, value.in_(digests)
    # before any is read: hundreds of them can be as long as an asset
    lengths = select(func.max(func.length(whole)).label("length")).where(*found).group_by(value).subquery()
    if (look.session.scalar(select(func.sum(lengths.c.length))) or 0) > _WHOLE:
        raise RequestError(f"the values of `{name}` are too long to be counted by, ask for fewer")
    texts = select(value, func.max(whole)).where(*found).group_by(value)
    return {row[0]: row[1] for row in look.session.execute(texts)}


def _read(look: Look, counted: Any, value: Any, most: int) -> list[tuple[Any, int]]:
    ordered = counted.group_by(value).order_by(func.count().desc(), value).limit(most)
    return [(row[0], row[1]) for row in look.session.execute(ordered)]
