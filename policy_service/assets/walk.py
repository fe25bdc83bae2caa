"""Neighbours and walks, step by step, never through what the caller may not see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple, TypeAlias

from policy_service.assets.asset import Asset
from policy_service.assets.inventory import Inventory
from policy_service.model import Uid

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


def neighbours(
    inventory: Inventory,
    start: Uid,
    allow: Allow,
    *,
    direction: Direction = "both",
    types: Collection[str] = (),
    classes: Collection[str] = (),
    limit: int = FAN_OUT,
) -> Walk:
    """The relationships of an entity and the entities at their other ends.

    `types` and `classes` are those of the relationships. `RequestError` where there are more than `limit`.
    """
    raise NotImplementedError


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

    `RequestError` where more than `reached` entities are, or a step has more than `fan_out` relationships: a walk that
    is cut short would look whole.
    """
    raise NotImplementedError
