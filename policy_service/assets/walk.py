"""Neighbours and walks, step by step, never through what the caller may not see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import or_

from policy_service.assets.asset import Asset
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import find_assets, read_rows, select_assets
from policy_service.errors import RequestError
from policy_service.model import Uid
from policy_service.store.tables import RelationshipRow

Direction: TypeAlias = Literal["out", "in", "both"]
# tells for each of the assets (relationships and entities alike) whether the caller may see it
Allow: TypeAlias = Callable[[Sequence[Asset]], Sequence[bool]]

DEPTH, REACHED, FAN_OUT = 5, 1_000, 1_000


class Step(NamedTuple):
    """A relationship that leads to `uid`, `depth` steps from the start.

    `entity` is none where the entity was reached before, or is one of `entities.json`, through which no walk goes.
    """

    depth: int
    relationship: Asset
    uid: Uid
    entity: Asset | None


class Walk(NamedTuple):
    """Steps by depth, then by the relationship's id; and how many assets were looked at, seen or not."""

    steps: tuple[Step, ...]
    examined: int


class _Way(NamedTuple):
    direction: Direction
    types: Collection[str]
    classes: Collection[str]


def neighbours(
    inventory: Inventory,
    start: Uid,
    allow: Allow,
    *,
    direction: Direction = "both",
    types: Collection[str] = (),
    classes: Collection[str] = (),
    limit: int = FAN_OUT,
    fan_out: int = FAN_OUT,
) -> Walk:
    """The relationships of an entity and the entities at their other ends, as far as they are allowed.

    `types` and `classes` are those of the relationships that are followed, all where they are empty. `RequestError`
    where more than `limit` are allowed, or there are more than `fan_out`: `limit` is the caller's to choose, and would
    count what is not allowed.
    """
    way = _Way(direction, types, classes)
    found = _walk(inventory, start, allow, way, depth=1, reached=fan_out, fan_out=fan_out)
    if len(found.steps) > limit:
        raise RequestError(f"it has more than {limit} relationships, name their types or classes")
    return found


def walk(
    inventory: Inventory,
    start: Uid,
    allow: Allow,
    *,
    direction: Direction = "both",
    types: Collection[str] = (),
    classes: Collection[str] = (),
    depth: int = DEPTH,
    reached: int = REACHED,
    fan_out: int = FAN_OUT,
) -> Walk:
    """What is reached from an entity in at most `depth` steps, each entity once.

    A relationship is a step where it is allowed and what it leads to is; nothing else is gone through. `RequestError`
    where more than `reached` entities are, or a step looks at more than `fan_out` relationships: a walk that is cut
    short would look whole.
    """
    way = _Way(direction, types, classes)
    return _walk(inventory, start, allow, way, depth=depth, reached=reached, fan_out=fan_out)


def _walk(inventory: Inventory, start: Uid, allow: Allow, way: _Way, *, depth: int, reached: int, fan_out: int) -> Walk:
    steps: list[Step] = []
    seen, followed = {start}, set[str]()
    level, examined = {start}, 0
    for number in range(1, depth + 1):
        candidates = [(row, uid) for row, uid in _fetch(inventory, level, way, fan_out) if row.id not in followed]
        followed.update(row.id for row, _ in candidates)
        open_ = [pair for pair, seen_ in zip(candidates, allow([row for row, _ in candidates]), strict=True) if seen_]
        # what was reached before was allowed then
        ids = sorted({uid.id for _, uid in open_ if uid not in seen and uid.type not in inventory.bundle.file_types})
        found = list(find_assets(inventory, "entity", ids).values())
        entities = {entity.uid: entity for entity, seen_ in zip(found, allow(found), strict=True) if seen_}
        examined += len(candidates) + len(found)
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
    return Walk(tuple(steps), examined)


def _fetch(inventory: Inventory, level: Collection[Uid], way: _Way, most: int) -> list[tuple[Asset, Uid]]:
    """The relationships at the entities of a level, by id, each with the entity that it leads to."""
    row: Any = RelationshipRow
    ids = [uid.id for uid in level]
    near = [column.in_(ids) for column, out in ((row.from_id, "in"), (row.to_id, "out")) if way.direction != out]
    statement = select_assets("relationship", or_(*near))
    if way.types:
        statement = statement.where(row.type.in_(sorted(way.types)))
    if way.classes:
        statement = statement.where(row.class_.in_(sorted(way.classes)))
    found = read_rows(inventory, "relationship", statement.order_by(row.id).limit(most + 1))
    if len(found) > most:
        raise RequestError(f"one step has more than {most} relationships, name their types or classes")
    pairs = []
    for asset in found:
        assert asset.from_ is not None and asset.to is not None, "a relationship has two ends"  # noqa: S101, PT018
        if way.direction != "in" and asset.from_ in level:
            pairs.append((asset, asset.to))
        elif way.direction != "out" and asset.to in level:
            pairs.append((asset, asset.from_))
    return pairs
