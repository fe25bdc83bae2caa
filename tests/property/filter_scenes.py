"""What a policy may speak of: the attributes, texts and entities that are really there, and some that are not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from policy_service.model import Entity, Uid, Value
from policy_service.policy.values import read_value
from tests.property.filter_draws import Draws
from tests.property.filter_values import (
    DECIMALS,
    IPS,
    LONGS,
    NUL_TEXTS,
    SPANS,
    TEXTS,
    TIMES,
    draw_extension,
    draw_nested,
    draw_scalar,
    kind_of,
    write_text,
)

Side = Literal["principal", "resource"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_WORDS = frozenset({"true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"})


def is_name(text: str) -> bool:
    """Whether Cedar takes a text as an attribute without quotes."""
    return _NAME.fullmatch(text) is not None and text not in _WORDS


def step(name: str) -> str:
    """The access to an attribute."""
    return f".{name}" if is_name(name) else f"[{write_text(name)}]"


@dataclass(frozen=True)
class Place:
    """Where a value is, from an entity on (`.env`, `["a.b"].lo`, `.getTag("k")`), what makes sure that it is there,
    and the value of one who has it."""

    path: str
    guard: str
    value: Value


@dataclass
class Vocabulary:
    """Places by kind, and names of attributes and tags."""

    places: dict[str, list[Place]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def add(self, place: Place) -> None:
        """Know a place by the kind of its value, and what is in it."""
        self.places.setdefault(kind_of(place.value), []).append(place)
        if isinstance(place.value, dict):
            for name, part in place.value.items():
                inner = f"{place.guard} && {{}}{place.path} has {name if is_name(name) else write_text(name)}"
                self.add(Place(place.path + step(name), inner, part))


def read_vocabulary(entities: Iterable[Entity]) -> Vocabulary:
    """What these entities have."""
    found = Vocabulary()
    for entity in entities:
        for name, value in entity.attributes.items():
            found.names.append(name)
            found.add(Place(step(name), f"{{}} has {name if is_name(name) else write_text(name)}", value))
        for name, value in entity.tags.items():
            found.tags.append(name)
            found.add(Place(f".getTag({write_text(name)})", f"{{}}.hasTag({write_text(name)})", value))
    return found


@dataclass(frozen=True)
class Scene:
    """What one set of policies is about.

    `unknown` is the side that rows are on; `action` the one that is asked for, in `action_groups`. `drawn` are the
    attributes that relationships draw.
    """

    unknown: Side
    action: Uid
    action_groups: Sequence[Uid]
    rows: Vocabulary
    known: Vocabulary
    told: Vocabulary
    uids: Sequence[Uid]
    row_uids: Sequence[Uid]
    above: Sequence[Uid]
    drawn: frozenset[str] = frozenset()

    @property
    def other(self) -> Side:
        """The side that is known."""
        return "principal" if self.unknown == "resource" else "resource"


def draw_constant(draws: Draws, kind: str, scene: Scene) -> Value:
    """A value of a kind: one that some row has, one near it, or any."""
    places = scene.rows.places.get(kind)
    if places and draws.chance(65):
        value = draws.pick(places).value
        if kind == "long" and isinstance(value, int) and draws.chance(20):
            return max(min(value + draws.pick((1, -1)), 2**63 - 1), -(2**63))
        return value
    match kind:
        case "text":
            return draws.pick(NUL_TEXTS) if draws.chance(4) else draws.pick(TEXTS)
        case "long":
            return draws.pick(LONGS)
        case "bool":
            return draws.chance(50)
        case "decimal":
            return draws.pick(DECIMALS)
        case "entity":
            return draws.pick(scene.uids)
        case "ip" | "datetime" | "duration":
            return draw_extension(draws, kind)
        case "set":
            of = draws.pick(("text", "text", "long", "entity", "bool", "any", "decimal", "number"))
            return [draw_constant(draws, of, scene) for _ in range(draws.number(0, 3))]
        case "record":
            return read_value({"env": draw_nested(draws, 1), "lo": draw_scalar(draws, "text")})
        case "number":
            return read_value(draw_scalar(draws, "number"))
    some = ("text", "long", "bool", "decimal", "entity", "set", "record", "number", "ip", "datetime", "duration")
    return draw_constant(draws, draws.pick(some), scene)


def draw_text_of(draws: Draws, kind: str) -> str:
    """A text that an extension function reads, mostly."""
    texts = {"ip": IPS, "datetime": TIMES, "duration": SPANS, "decimal": ("1.5", "0.0001")}[kind]
    return draws.pick(("bad", *texts)) if draws.chance(10) else draws.pick(texts)
