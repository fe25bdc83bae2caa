"""Neighbours and walks from an entity, through what the subject may see and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker, Judge, judging
from policy_service.access.lists import CHARACTERS, weigh
from policy_service.access.plan import Plan
from policy_service.access.query import Search
from policy_service.access.sight import find
from policy_service.assets import walk
from policy_service.assets.asset import Asset
from policy_service.assets.find import find as find_rows
from policy_service.assets.sql.pages import BY_ID
from policy_service.assets.walk import Follow, Step, Way
from policy_service.errors import RequestError
from policy_service.policy.residual.filter import Filter, all_of

# relationships that are decided one by one for a step, where policies can't be said of rows
EXAMINED = 2_000
# those at once
_AT_ONCE = 100
_ANY = Search("relationship")


class Walked(NamedTuple):
    """Where a walk led, and the version of the files that allowed it."""

    steps: list[Step]
    version: str


def find_neighbours(service: Service, asker: Asker, id_: str, way: Way, limit: int) -> Walked:
    """The relationships of an entity that the subject may see, with both ends; `RequestError` where there are more
    than `limit`."""
    return _walk(
        service,
        asker,
        id_,
        {**_tell(way), "limit": limit},
        lambda judge, start, follow: walk.neighbours(judge.inventory, start.uid, follow, way, limit=limit),
    )


def walk_from(service: Service, asker: Asker, id_: str, way: Way, depth: int) -> Walked:
    """What is reached from an entity in at most `depth` steps, never through what the subject may not see.

    `RequestError` where that is more than a walk may reach: one that is cut short would look whole.
    """
    return _walk(
        service,
        asker,
        id_,
        {**_tell(way), "depth": depth},
        lambda judge, start, follow: walk.walk(judge.inventory, start.uid, follow, way, depth=depth),
    )


def _tell(way: Way) -> dict[str, Any]:
    return {"direction": way.direction, "types": list(way.types)}


def _walk(
    service: Service,
    asker: Asker,
    id_: str,
    question: Mapping[str, Any],
    go: Callable[[Judge, Asset, Follow], tuple[Step, ...]],
) -> Walked:
    with judging(service, asker) as judge:
        start = find(judge, "entity", id_)
        plan = Plan(judge, "relationship")
        found = go(judge, start, _follow(judge, plan))
        steps = _redact(plan, found)
        shown = [asset.id for step in steps for asset in (step.relationship, step.entity) if asset]
        plan.record({"start": id_, **question}, shown, plan.seen)
        return Walked(steps, judge.bundle.version_text)


def _follow(judge: Judge, plan: Plan) -> Follow:
    """What finds the relationships that the subject may see, without what is hidden of them."""

    def follow(near: Filter, most: int) -> list[Asset]:
        wanted = all_of(plan.seen, near)
        shown: list[Asset] = []
        left, room, after = plan.afford(EXAMINED), CHARACTERS, None
        while len(shown) <= most:
            limit = min(_AT_ONCE, left)
            rows = find_rows(judge.inventory, "relationship", wanted, order=BY_ID, after=after, limit=limit)
            told = plan.show(_ANY, rows)
            shown += [asset for asset in told if asset is not None]
            left -= sum(not row.certain for row in rows)
            room -= weigh(rows, told)
            if len(rows) < limit:
                break
            if left <= 0 or room <= 0:
                raise RequestError(
                    "one step has more relationships to decide than fit into one answer, name their types"
                )
            after = rows[-1].place
        return shown

    return follow


def _redact(plan: Plan, steps: tuple[Step, ...]) -> list[Step]:
    """The steps without what is hidden of the entities, which the subject may see, as it may see what leads there."""
    found = {step.entity.uid: step.entity for step in steps if step.entity}
    redacted = dict(zip(found, plan.redact(list(found.values())), strict=True))
    return [step._replace(entity=redacted.get(step.uid) if step.entity else None) for step in steps]
