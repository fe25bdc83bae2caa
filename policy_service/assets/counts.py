"""How many rows a filter is true of, and how many have each value of a property."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import orjson
from sqlalchemy import Select, func, select

from policy_service.assets.arms import ONE, Arm, split
from policy_service.assets.elements import CLASS, scalar_name, set_name
from policy_service.assets.looks import Look
from policy_service.assets.members import TAG
from policy_service.model import Value
from policy_service.policy.residual.filter import EVERY, NONE, Filter, all_of, none_of
from policy_service.policy.stored_values import decode
from policy_service.store.tables import ElementRow, RelationshipRow

# where arms have so many rows together and those are half of all or more, one walk through all costs less
_GATHERED, _SHARE = 200_000, 2


def count_rows(look: Look, filter_: Filter) -> int:
    """How many rows a filter is true of, in which nothing is opaque."""
    if filter_ == NONE:
        return 0
    arms = _find_arms(look, filter_)
    if arms is None:
        counted = select(func.count()).select_from(look.table).where(*look.there(), look.where(filter_))
        return look.session.scalar(counted) or 0
    counts = [_count(look.gather(apart)).scalar_subquery() for apart in _part(arms)]
    return sum(look.session.execute(select(*counts)).one())


def _count(ids: Any) -> Select[Any]:
    return select(func.count()).select_from(ids.subquery())


def _part(arms: list[Arm]) -> Iterator[list[Arm]]:
    """The arms in parts that have no row in common, as far as that can be said of them by little.

    What is below one entity, or that entity: of many rows each would be told from the one.
    """
    many = [arm for arm in arms if arm.rank > ONE]
    if len(many) != 1:
        yield arms
        return
    yield many
    few = [arm for arm in arms if arm.rank == ONE]
    if few:
        others = none_of(all_of(many[0].lead, many[0].rest))
        yield [arm._replace(rest=all_of(arm.rest, others)) for arm in few]


def count_values(look: Look, filter_: Filter, name: str, most: int) -> list[tuple[Value, int]]:
    """The values of a facet of the rows that a filter is true of, and how many have each, those that most have first.

    `name` is `type`, `class` or a property with rows of elements for its values. No more than `most` values are told.
    """
    if filter_ == NONE or most < 1:
        return []
    if name == "type" or look.shape.kind == "relationship":
        value: Any = look.table.type if name == "type" else RelationshipRow.class_
        # an index would have the values in order, and each row would be fetched by itself
        value = look.database.hide(value)
        counted = select(value, func.count()).where(*look.there())
        arms = _find_arms(look, filter_)
        chosen = look.where(filter_) if arms is None else look.table.id.in_(look.gather(arms))
        return [(text, number) for text, number in _read(look, counted.where(chosen), value, most)]
    value, id_ = ElementRow.value, cast(Any, ElementRow.id)
    # a long value is there as a digest, and whole beside it
    counted = select(value, func.count(), func.max(ElementRow.whole)).where(
        ElementRow.account_id == look.account, ElementRow.name.in_(_name_rows(name))
    )
    if filter_ != EVERY:
        arms = _find_arms(look, filter_)
        if arms is None:
            # of most rows: elements are walked through, and not looked for row by row
            ids = select(look.table.id).where(*look.there(), look.where(filter_))
            counted = counted.where(look.database.hide(id_).in_(ids))
        else:
            counted = counted.where(id_.in_(look.gather(arms)))
    return [(decode(orjson.loads(whole or text)), number) for text, number, whole in _read(look, counted, value, most)]


def _read(look: Look, counted: Select[Any], value: Any, most: int) -> list[Any]:
    ordered = counted.group_by(value).order_by(func.count().desc(), value).limit(most)
    return list(look.session.execute(ordered).all())


def _name_rows(name: str) -> list[str]:
    if name == "class":
        return [CLASS]
    if name.startswith(TAG):
        return [scalar_name("tag", name.removeprefix(TAG)), set_name("tag", name.removeprefix(TAG))]
    return [scalar_name("attribute", name), set_name("attribute", name)]


def _find_arms(look: Look, filter_: Filter) -> list[Arm] | None:
    """The arms that are counted; none where one walk through all rows costs less."""
    arms = look.find_arms(filter_)
    if arms is None:
        return None
    if sum(arm.rank > ONE for arm in arms) > 1 and look.weigh(arms, _GATHERED) >= _GATHERED:
        all_ = select(look.table.id).where(*look.there()).limit(_GATHERED * _SHARE)
        if (look.session.scalar(_count(all_)) or 0) < _GATHERED * _SHARE:
            return None
    return split(arms)
