"""Neighbours and walks, step by step, never through what the caller may not see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple, TypeAlias

from policy_service.assets.asset import Asset
from policy_service.assets.find import find
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import find_assets
from policy_service.errors import RequestError
from policy_service.model import Uid
from policy_service.policy.residual.filter import Each, Field, Filter, Test, all_of, any_of, constant

Direction: TypeAlias = Literal["out", "in", "both"]
# the relationships with these conditions that the caller may see, and whose ends it may see, by their ids: all of
# them, or more than this many
Follow: TypeAlias = Callable[[Filter, int], Sequence[Asset]]
# those of the entities that are there, as the caller may see them, to which such relationships lead
See: TypeAlias = Callable[[Collection[Uid]], Sequence[Asset]]

DEPTH, REACHED, FAN_OUT = 5, 1_000, 1_000


class Step(NamedTuple):
    """A relationship that leads to `uid`, `depth` steps from the start.

    `entity` is none where the entity was reached before, or is one of `entities.json`, through which no walk goes.
    """

    depth: int
    relationship: Asset
    uid: Uid
    entity: Asset | None


class Way(NamedTuple):
    """Along which relationships to go: all types and classes where none are named."""

    direction: Direction = "both"
    types: Collection[str] = ()
    classes: Collection[str] = ()


ANYWHERE = Way()


def neighbours(
    inventory: Inventory,
    start: Uid,
    follow: Follow,
    way: Way = ANYWHERE,
    *,
    see: See | None = None,
    limit: int = FAN_OUT,
) -> tuple[Step, ...]:
    """The relationships of an entity and the entities at their other ends, as far as they are followed.

    `RequestError` where that is more than `limit`, and what `follow` and `see` raise.
    """
    return _walk(inventory, start, follow, see or see_all(inventory), way, depth=1, reached=limit, fan_out=limit)


def walk(
    inventory: Inventory,
    start: Uid,
    follow: Follow,
    way: Way = ANYWHERE,
    *,
    see: See | None = None,
    depth: int = DEPTH,
    reached: int = REACHED,
    fan_out: int = FAN_OUT,
) -> tuple[Step, ...]:
    """What is reached from an entity in at most `depth` steps, each entity once: by depth, then by the
    relationship's id.

    `RequestError` where more than `reached` entities are, or a step has more than `fan_out` relationships: a walk that
    is cut short would look whole. And what `follow` and `see` raise.
    """
    return _walk(
        inventory, start, follow, see or see_all(inventory), way, depth=depth, reached=reached, fan_out=fan_out
    )


def _walk(
    inventory: Inventory, start: Uid, follow: Follow, see: See, way: Way, *, depth: int, reached: int, fan_out: int
) -> tuple[Step, ...]:
    steps: list[Step] = []
    seen, followed = {start}, set[str]()
    level = {start}
    for number in range(1, depth + 1):
        near = follow(_near(level, way), fan_out)
        if len(near) > fan_out:
            raise RequestError(
                f"one step has more than {fan_out} relationships, name their types or search them by `_fromEntityId`"
            )
        open_ = [(row, uid) for row, uid in _lead(near, level, way) if row.id not in followed]
        followed.update(row.id for row, _ in open_)
        new = {uid for _, uid in open_ if uid not in seen and uid.type not in inventory.bundle.file_types}
        entities = {entity.uid: entity for entity in see(new)}
        level = set()
        for relationship, uid in open_:
            entity = entities.get(uid) if uid not in seen else None
            if entity is not None:
                seen.add(uid)
                level.add(uid)
            elif uid not in seen and uid.type not in inventory.bundle.file_types:
                continue
            steps.append(Step(number, relationship, uid, entity))
        if len(seen) - 1 > reached:
            raise RequestError(f"the walk reaches more than {reached} entities, name types or take fewer steps")
        if not level:
            break
    return tuple(steps)


def _near(level: Collection[Uid], way: Way) -> Filter:
    """The relationships at the entities of a level that go the right way."""
    ids = tuple(constant(id_) for id_ in sorted({uid.id for uid in level}))
    sides = [side for side, out in (("from", "in"), ("to", "out")) if way.direction != out]
    near = any_of(*(Test("in", Field((side, "id"), "text"), ids) for side in sides))
    types, classes = (tuple(map(constant, sorted(names))) for names in (way.types, way.classes))
    return all_of(
        near,
        *([Test("in", Field(("type",), "text"), types)] if types else []),
        *([Each("any", Field(("attribute", "class"), "set"), classes)] if classes else []),
    )


def _lead(near: Sequence[Asset], level: Collection[Uid], way: Way) -> list[tuple[Asset, Uid]]:
    """Each relationship with the entity that it leads to."""
    pairs = []
    for asset in near:
        assert asset.from_ is not None and asset.to is not None, "a relationship has two ends"  # noqa: S101, PT018
        if way.direction != "in" and asset.from_ in level:
            pairs.append((asset, asset.to))
        elif way.direction != "out" and asset.to in level:
            pairs.append((asset, asset.from_))
    return pairs


def follow_all(inventory: Inventory) -> Follow:
    """All relationships, whoever may see them."""
    return lambda near, most: [row.asset for row in find(inventory, "relationship", near, limit=most + 1)]


def see_all(inventory: Inventory) -> See:
    """All entities, whoever may see them."""

    def see(uids: Collection[Uid]) -> list[Asset]:
        found = find_assets(inventory, "entity", {uid.id for uid in uids}).values()
        # one of another type can have the id
        return [entity for entity in found if entity.uid in uids]

    return see
