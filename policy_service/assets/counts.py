"""How many rows a filter is true of, and how many have each value of a property."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Select, func, select

from policy_service.assets.arms import ONE, split
from policy_service.assets.elements import CLASS, scalar_name, set_name
from policy_service.assets.looks import Look
from policy_service.assets.members import TAG
from policy_service.model import Value
from policy_service.policy.residual.filter import EVERY, NONE, Filter
from policy_service.policy.stored_values import decode
from policy_service.store.tables import ElementRow, RelationshipRow

# where arms have so many rows together and those are half of all or more, one walk through all costs less
_GATHERED, _SHARE = 200_000, 2


def count_rows(look: Look, filter_: Filter) -> int:
    """How many rows a filter is true of, in which nothing is opaque."""
    if filter_ == NONE:
        return 0
    ids = _gather(look, filter_)
    if ids is None:
        counted = select(func.count()).select_from(look.table).where(*look.there(), look.where(filter_))
    else:
        counted = select(func.count()).select_from(ids.subquery())
    return look.session.scalar(counted) or 0


def count_values(look: Look, filter_: Filter, name: str, most: int) -> list[tuple[Value, int]]:
    """The values of a facet of the rows that a filter is true of, and how many have each, those that most have first.

    `name` is `type`, `class` or a property with rows of elements for its values. No more than `most` values are told.
    """
    if filter_ == NONE or most < 1:
        return []
    if name == "type" or look.shape.kind == "relationship":
        value: Any = look.table.type if name == "type" else RelationshipRow.class_
        counted = select(value, func.count()).where(*look.there())
        return [(text, number) for text, number in _read(look, _narrow(look, counted, filter_), value, most)]
    value = ElementRow.value
    # a long value is there as a digest, and whole beside it
    counted = select(value, func.count(), func.max(ElementRow.whole)).where(
        ElementRow.account_id == look.account, ElementRow.name.in_(_name_rows(name))
    )
    if filter_ != EVERY:
        counted = _narrow(look, counted.join(look.table, look.table.id == ElementRow.id).where(*look.there()), filter_)
    return [(decode(orjson.loads(whole or text)), number) for text, number, whole in _read(look, counted, value, most)]


def _read(look: Look, counted: Select[Any], value: Any, most: int) -> list[Any]:
    ordered = counted.group_by(value).order_by(func.count().desc(), value).limit(most)
    return list(look.session.execute(ordered).all())


def _narrow(look: Look, counted: Select[Any], filter_: Filter) -> Select[Any]:
    ids = _gather(look, filter_)
    return counted.where(look.where(filter_) if ids is None else look.table.id.in_(ids))


def _name_rows(name: str) -> list[str]:
    if name == "class":
        return [CLASS]
    if name.startswith(TAG):
        return [scalar_name("tag", name.removeprefix(TAG)), set_name("tag", name.removeprefix(TAG))]
    return [scalar_name("attribute", name), set_name("attribute", name)]


def _gather(look: Look, filter_: Filter) -> Any:
    """A statement for the ids by arms; none where one walk through all rows costs less."""
    arms = look.find_arms(filter_)
    if arms is None:
        return None
    if sum(arm.rank > ONE for arm in arms) > 1 and look.weigh(arms, _GATHERED) >= _GATHERED:
        all_ = select(look.table.id).where(*look.there()).limit(_GATHERED * _SHARE)
        if (look.session.scalar(select(func.count()).select_from(all_.subquery())) or 0) < _GATHERED * _SHARE:
            return None
    return look.gather(split(arms))
