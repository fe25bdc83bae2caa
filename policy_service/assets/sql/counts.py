"""How many rows a filter is true of, and how many have each value of a property."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import orjson
from sqlalchemy import func, not_, select

from policy_service.assets.elements import is_digest
from policy_service.assets.sql.arms import ONE, Arm, split
from policy_service.assets.sql.cells import LEADING
from policy_service.assets.sql.looks import Look
from policy_service.model import Value
from policy_service.policy.residual.filter import EVERY, NONE, Filter
from policy_service.policy.stored_values import decode
from policy_service.store.tables import ElementRow, RelationshipRow

# where arms have so many rows together and those are half of all or more, one walk through all costs less
_GATHERED, _SHARE = 200_000, 2
# elements of as many rows are looked for row by row; of more, those of all rows are walked through
_LOOKED = 20_000


def count_rows(look: Look, filter_: Filter) -> int:
    """How many rows a filter is true of, in which nothing is opaque."""
    if filter_ == NONE:
        return 0
    arms = look.find_arms(filter_)
    if arms is not None:
        arms = split(arms)
        if sum(arm.rank > ONE for arm in arms) < 2:
            return _count(look, *_part(look, arms))
        found = _count(look, look.gather(arms).limit(_GATHERED))
        if found < _GATHERED:
            return found
        if not _is_most(look):
            return _count(look, look.gather(arms))
    return look.session.scalar(select(func.count()).where(*look.there(), look.where(filter_))) or 0


def _count(look: Look, *ids: Any) -> int:
    counts = [select(func.count()).select_from(each.subquery()).scalar_subquery() for each in ids]
    return sum(look.session.execute(select(*counts)).one())


def _part(look: Look, arms: list[Arm]) -> list[Any]:
    """Statements for the ids of arms, no id in two of them: an entity, and what is below it, are told apart by the
    entity, and not by each of the many."""
    many, few = [arm for arm in arms if arm.rank > ONE], [arm for arm in arms if arm.rank == ONE]
    if not many or not few or not look.is_covered(many[0]) or look.name_elements(many[0].lead) is None:
        return [look.gather(arms)]
    led, ids = look.gather(many), look.gather(few).subquery()
    is_led = led.where(LEADING.id == ids.c.id).correlate(ids).exists()
    return [led, select(ids.c.id).where(not_(is_led))]


def _is_most(look: Look) -> bool:
    """Whether so many as are gathered at most are a good share of all."""
    all_ = select(look.table.id).where(*look.there()).limit(_GATHERED * _SHARE)
    return _count(look, all_) < _GATHERED * _SHARE


def count_values(look: Look, filter_: Filter, name: str, names: Sequence[str], most: int) -> list[tuple[Value, int]]:
    """The values of a facet of the rows that a filter is true of, and how many have each, those that most have first.

    `name` is `type`, `class` or a property with rows of elements for its values, which have one of `names`. No more
    than `most` values are told.
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
        return _read(look, counted.where(chosen), value, most)
    return _count_elements(look, filter_, names, most) if names else []


def _count_elements(look: Look, filter_: Filter, names: Sequence[str], most: int) -> list[tuple[Value, int]]:
    """The values of rows of elements of these names."""
    value, id_ = ElementRow.value, cast(Any, ElementRow.id)
    mine = ElementRow.account_id == look.account, ElementRow.name.in_(names)
    counted = select(value, func.count()).where(*mine)
    if filter_ != EVERY:
        arms = _find_arms(look, filter_)
        walked = look.database.hide(id_)
        plain = select(look.table.id).where(*look.there(), look.where(filter_))
        ids = plain if arms is None else look.gather(arms)
        if arms is None or (walked is not id_ and look.weigh(arms, _LOOKED) >= _LOOKED):
            id_ = walked
        counted = counted.where(id_.in_(ids))
    told = _read(look, counted, value, most)
    # a long value is there as a digest, and whole beside it, where no index has it
    digests = [text for text, _ in told if is_digest(text)]
    whole = select(value, func.max(ElementRow.whole)).where(*mine, value.in_(digests)).group_by(value)
    texts = {row[0]: row[1] for row in look.session.execute(whole)} if digests else {}
    return [(decode(orjson.loads(texts.get(text, text))), number) for text, number in told]


def _read(look: Look, counted: Any, value: Any, most: int) -> list[tuple[Any, int]]:
    ordered = counted.group_by(value).order_by(func.count().desc(), value).limit(most)
    return [(row[0], row[1]) for row in look.session.execute(ordered)]


def _find_arms(look: Look, filter_: Filter) -> list[Arm] | None:
    """The arms whose rows are gathered; none where one walk through all costs less."""
    arms = look.find_arms(filter_)
    if arms is None:
        return None
    several = sum(arm.rank > ONE for arm in arms) > 1
    if several and look.weigh(arms, _GATHERED) >= _GATHERED and _is_most(look):
        return None
    return split(arms)
