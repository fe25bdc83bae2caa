"""What the element rows of a tenant are made for: which drawings are in force, and which properties are indexed.

Checks and lists both read the layout of the store, and not the files, so that they agree while rows for other files
are being made. It is one row, written when the first asset is. A layout that is building is that of the files as they
are now: its rows are made in the background, writers keep both right meanwhile, and one transaction puts it in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson

from policy_service.assets.elements import ancestor_name, scalar_name
from policy_service.assets.members import TAG
from policy_service.policy.bundle import Bundle
from policy_service.policy.layer import Layer
from policy_service.policy.relationships import Attribute, Drawing
from policy_service.policy.stored_values import write_json

# in this order: first what each row says of itself, then the ancestors, which are worked out from it
Stage: TypeAlias = Literal["entities", "relationships", "ancestors"]
# after every id
END = "~"


class Wish(NamedTuple):
    """What files ask for: what relationships draw, by their type, and which properties and tags are indexed."""

    drawings: Mapping[str, Drawing]
    indexed: frozenset[str]

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the attributes that are drawn."""
        return frozenset(drawing.attribute.name for drawing in self.drawings.values() if drawing.attribute)


class Building(NamedTuple):
    """A layout whose rows are being made.

    generation  of what it draws; the one in force where that stays as it is
    anew        nothing of what is there is trusted: kinds of relationships are collected too
    stage       how far it is, and `after`, the id of the last row that was looked at; `END` where that was the last
    done        rows that were looked at, of about `whole`
    circular    some entity was found to be its own ancestor
    """

    generation: int
    wish: Wish
    anew: bool = False
    stage: Stage = "entities"
    after: str = ""
    done: int = 0
    whole: int = 0
    circular: bool = False


class Drawn(NamedTuple):
    """A generation of rows of what is drawn, which writers keep right; its ancestors only where they are `whole`."""

    generation: int
    drawings: Mapping[str, Drawing]
    whole: bool
    building: bool = False

    @property
    def attributes(self) -> frozenset[str]:
        """The names of the attributes that are drawn."""
        return Wish(self.drawings, frozenset()).drawn


@dataclass(frozen=True)
class Layout:
    """What is in force.

    generation  of the rows of what is drawn; 0 where rows of a store of before are still to be made
    circular    whether files closed a circle: some entity is its own ancestor, and decisions about it may deny
    leaving     the names of rows that nobody reads any more: of a generation, or of values of a property
    """

    generation: int
    wish: Wish
    circular: bool = False
    building: Building | None = None
    leaving: frozenset[str] = frozenset()

    @property
    def is_ready(self) -> bool:
        """Whether all rows are there."""
        return self.generation > 0

    @property
    def drawings(self) -> Mapping[str, Drawing]:
        """What relationships draw, by their type."""
        return self.wish.drawings

    @property
    def indexed(self) -> frozenset[str]:
        """The properties and tags whose values have rows, by the names that the API has for them."""
        return self.wish.indexed

    @cached_property
    def drawn(self) -> frozenset[str]:
        """The names of the attributes that relationships draw."""
        return self.wish.drawn

    @cached_property
    def written(self) -> frozenset[str]:
        """The properties and tags for whose values writers make rows."""
        return self.indexed | (self.building.wish.indexed if self.building else frozenset())

    @cached_property
    def generations(self) -> tuple[Drawn, ...]:
        """The generations that writers keep right."""
        kept = [Drawn(self.generation, self.drawings, whole=True)] if self.is_ready else []
        if self.building and self.building.generation != self.generation:
            building = self.building
            kept.append(Drawn(building.generation, building.wish.drawings, building.stage == "ancestors", True))
        return tuple(kept)

    @property
    def draws(self) -> bool:
        """Whether any relationship draws anything, now or when what is building is done."""
        return any(generation.drawings for generation in self.generations)

    def begin(self, wish: Wish, whole: int, *, anew: bool) -> Layout:
        """The layout with another one building; with `anew` all that is drawn is drawn again."""
        same = self.is_ready and not anew and wish.drawings == self.drawings
        generation = self.generation if same else self._last() + 1
        return replace(self, building=Building(generation, wish, anew, whole=whole))

    def advance(self) -> Layout:
        """The layout after a stage of what is building."""
        building = self.building
        assert building is not None  # noqa: S101
        stages: list[Stage] = ["entities"]
        stages += ["relationships"] if building.anew else []
        stages += ["ancestors"] if building.generation != self.generation else []
        left = stages[stages.index(building.stage) + 1 :]
        return replace(self, building=building._replace(stage=left[0], after="")) if left else self._finish()

    def go_on(self, building: Building) -> Layout:
        """The layout with what is building further on."""
        return replace(self, building=building)

    def without(self, name: str) -> Layout:
        """The layout once no row of a name that is leaving is left."""
        return replace(self, leaving=self.leaving - {name})

    def give_up(self) -> Layout:
        """The layout without what is building."""
        assert self.building is not None  # noqa: S101
        kept = replace(self, building=None)
        return replace(kept, leaving=self.leaving | _names(self.building) - _names(self))

    def _finish(self) -> Layout:
        assert self.building is not None  # noqa: S101
        built = Layout(self.building.generation, self.building.wish, self.building.circular)
        if self.building.generation == self.generation:
            built = replace(built, circular=self.circular)
        return replace(built, leaving=self.leaving | _names(self) - _names(built))

    def _last(self) -> int:
        """The highest generation that may have rows."""
        left = [int(name[1:]) for name in self.leaving if name.startswith("@")]
        return max([self.generation, *left, *([self.building.generation] if self.building else [])])


def read_wish(bundle: Bundle) -> Wish:
    """What the files of a bundle ask for."""
    return join_wish(bundle.platform, bundle.layer)


def join_wish(platform: Layer, layer: Layer) -> Wish:
    """What the files of the platform and those of a tenant ask for together."""
    return Wish(_bare({**platform.relationships, **layer.relationships}), layer.indexed)


def write_layout(layout: Layout) -> str:
    """The layout as it is stored."""
    told: dict[str, Any] = {"generation": layout.generation, **_tell(layout.wish)}
    if layout.circular:
        told["circular"] = True
    if layout.building:
        told["building"] = {**layout.building._asdict(), "wish": _tell(layout.building.wish)}
    if layout.leaving:
        told["leaving"] = sorted(layout.leaving)
    return write_json(told)


@lru_cache(4_096)
def parse_layout(text: str) -> Layout:
    """The inverse of `write_layout`."""
    told = orjson.loads(text)
    building = told.get("building")
    return Layout(
        told["generation"],
        _read(told),
        told.get("circular", False),
        Building(**{**building, "wish": _read(building["wish"])}) if building else None,
        frozenset(told.get("leaving", ())),
    )


def _names(part: Layout | Building) -> frozenset[str]:
    """The names that only rows of this part have: of its generation, and of the values of properties."""
    drawn = {ancestor_name(part.generation)} if part.generation else set[str]()
    return frozenset(drawn | {_scalar(name) for name in part.wish.indexed})


def _scalar(name: str) -> str:
    if name.startswith(TAG):
        return scalar_name("tag", name.removeprefix(TAG))
    return scalar_name("attribute", name)


def _bare(drawings: Mapping[str, Drawing]) -> Mapping[str, Drawing]:
    """Drawings wherever they are written, of types that draw something."""
    return {type_: drawing._replace(line=1) for type_, drawing in drawings.items()}


def _tell(wish: Wish) -> dict[str, Any]:
    drawings = {
        type_: [drawing.parent, list(drawing.attribute) if drawing.attribute else None]
        for type_, drawing in wish.drawings.items()
    }
    return {"drawings": drawings, "indexed": sorted(wish.indexed)}


def _read(told: Mapping[str, Any]) -> Wish:
    drawings = {
        type_: Drawing(parent, Attribute(*attribute) if attribute else None)
        for type_, (parent, attribute) in told["drawings"].items()
    }
    return Wish(drawings, frozenset(told["indexed"]))
