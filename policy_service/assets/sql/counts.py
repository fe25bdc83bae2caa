"""How many rows a filter is true of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, not_, select

from policy_service.assets.sql.arms import ONE, Arm, split
from policy_service.assets.sql.cells import LEADING
from policy_service.assets.sql.looks import Look
from policy_service.policy.residual.filter import NONE, Filter

# where arms have so many rows together and those are half of all or more, one walk through all costs less
_GATHERED, _SHARE = 200_000, 2


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


def find_gathered(look: Look, filter_: Filter) -> list[Arm] | None:
    """The arms whose rows are gathered; none where one walk through all costs less."""
    arms = look.find_arms(filter_)
    if arms is None:
        return None
    several = sum(arm.rank > ONE for arm in arms) > 1
    if several and look.weigh(arms, _GATHERED) >= _GATHERED and _is_most(look):
        return None
    return split(arms)
