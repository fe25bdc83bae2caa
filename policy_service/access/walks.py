"""Neighbours and walks from an entity, through what the subject may see and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker, Judge, judging
from policy_service.access.plan import Plan
from policy_service.access.query import Search
from policy_service.access.sight import find
from policy_service.access.weights import MOST, weigh
from policy_service.assets import walk
from policy_service.assets.asset import Asset
from policy_service.assets.find import find as find_rows
from policy_service.assets.sql.pages import BY_ID
from policy_service.assets.walk import Follow, See, Step, Way
from policy_service.errors import RequestError
from policy_service.model import Uid
from policy_service.policy.residual.filter import Filter, all_of

# relationships that are decided one by one for a step, where policies can't be said of rows
EXAMINED = 2_000
# those at once, and entities
_AT_ONCE = 100
_ANY = Search("relationship")


class Walked(NamedTuple):
    """Where a walk led, and the version of the files that allowed it."""

    steps: list[Step]
    version: str


def find_neighbours(service: Service, asker: Asker, id_: str, way: Way, limit: int) -> Walked:
    """The relationships of an entity that the subject may see, with both ends; `RequestError` where there are more
    than `limit`, or they are too large for one answer."""
    return _walk(
        service,
        asker,
        id_,
        {**_tell(way), "limit": limit},
        lambda judge, start, follow, see: walk.neighbours(
            judge.inventory, start.uid, follow, way, see=see, limit=limit
        ),
    )


def walk_from(service: Service, asker: Asker, id_: str, way: Way, depth: int) -> Walked:
    """What is reached from an entity in at most `depth` steps, never through what the subject may not see.

    `RequestError` where that is more than a walk may reach, or too large for one answer: a walk that is cut short would
    look whole.
    """
    return _walk(
        service,
        asker,
        id_,
        {**_tell(way), "depth": depth},
        lambda judge, start, follow, see: walk.walk(judge.inventory, start.uid, follow, way, see=see, depth=depth),
    )


def _tell(way: Way) -> dict[str, Any]:
    return {"direction": way.direction, "types": list(way.types)}


def _walk(
    service: Service,
    asker: Asker,
    id_: str,
    question: Mapping[str, Any],
    go: Callable[[Judge, Asset, Follow, See], tuple[Step, ...]],
) -> Walked:
    with judging(service, asker) as judge:
        start = find(judge, "entity", id_)
        plan = Plan(judge, "relationship")
        room = _Room()
        steps = list(go(judge, start, _follow(judge, plan, room), _see(judge, plan, room)))
        shown = [asset.id for step in steps for asset in (step.relationship, step.entity) if asset]
        plan.record({"start": id_, **question}, shown, plan.seen)
        return Walked(steps, judge.bundle.version_text)


class _Room:
    """The room that one answer has: what is shown takes it, each asset once, and what is hidden takes nothing."""

    def __init__(self) -> None:
        self._left = MOST
        self._shown: set[str] = set()

    def take(self, shown: Sequence[Asset]) -> None:
        """Take room for assets as they are shown; `RequestError` where there is none left."""
        new = [asset for asset in shown if asset.id not in self._shown]
        self._shown.update(asset.id for asset in new)
        self._left -= sum(map(weigh, new))
        if self._left < 0:
            raise RequestError("what is reached is too large for one answer, name types or take fewer steps")


def _follow(judge: Judge, plan: Plan, room: _Room) -> Follow:
    """What finds the relationships that the subject may see, without what is hidden of them."""

    def follow(near: Filter, most: int) -> list[Asset]:
        wanted = all_of(plan.seen, near)
        shown: list[Asset] = []
        left, weight, after = plan.afford(EXAMINED), MOST, None
        while len(shown) <= most:
            limit = min(_AT_ONCE, left)
            rows = find_rows(judge.inventory, "relationship", wanted, order=BY_ID, after=after, limit=limit)
            told = plan.show(_ANY, rows)
            seen = [asset for asset in told if asset is not None]
            room.take(seen)
            shown += seen
            # what is decided is kept until it is recorded, seen or not
            decided = [asset or row.asset for row, asset in zip(rows, told, strict=True) if not row.certain]
            left -= len(decided)
            weight -= sum(map(weigh, decided))
            if len(rows) < limit:
                break
            if left <= 0 or weight <= 0:
                raise RequestError(
                    "one step has more relationships to decide than fit into one answer, name their types"
                )
            after = rows[-1].place
        return shown

    return follow


def _see(judge: Judge, plan: Plan, room: _Room) -> See:
    """What finds the entities that the subject may see, as it may see what leads there, without what is hidden of
    them."""
    see_all = walk.see_all(judge.inventory)

    def see(uids: Collection[Uid]) -> list[Asset]:
        shown: list[Asset] = []
        wanted = sorted(uids)
        for start in range(0, len(wanted), _AT_ONCE):
            some = plan.redact(see_all(wanted[start : start + _AT_ONCE]))
            room.take(some)
            shown += some
        return shown

    return see
