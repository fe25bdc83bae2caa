"""Facts of every shape: entities with attributes, tags and ancestors, and a context, of all kinds that Cedar has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from policy_service.model import Entity, Extension, Uid, Value
from policy_service.policy.facts import Facts
from policy_service.policy.request import Question
from policy_service.policy.scope import Needs
from policy_service.policy.values import read_set
from tests.property.filter_draws import Draws
from tests.property.filter_values import FIXED, IPS, LONGS, NUL_TEXTS, SPANS, TEXTS, TIMES

# what an attribute of a name mostly is
NAMES: Mapping[str, str] = {
    "s": "text", "n": "long", "b": "bool", "e": "entity", "t": "set", "r": "record", "ip": "ip", "dec": "decimal",
    "dt": "datetime", "dur": "duration", "x": "any", "u": "text", "m": "long", "now": "datetime",
}  # fmt: skip
ODD_NAMES = ("", "a b", 'we"ird', "é", "if", "0", "\\", "\n", "a.b", "\U0001f600", "__x", "tenant")
TAGS = ("k", "j j", "", "é", "s")
KINDS = ("text", "long", "bool", "entity", "set", "record", "ip", "decimal", "datetime", "duration")
UIDS = (
    Uid("Group", "g"), Uid("Group", "h"), Uid("N::Folder", "f"), Uid("Folder", "f"), Uid("User", "a"), Uid("User", "b"),
    Uid("User", ""), Uid("Doc", "d"), Uid("Doc", 'd"\\\n'), Uid("Doc", "é"), Uid("User", "ghost"),
)  # fmt: skip
ACTIONS = (Uid("Action", "all"), Uid("Action", "view"), Uid("N::Action", "view"))
_TEXTS = (*TEXTS, *NUL_TEXTS)
_EXTENSIONS: Mapping[str, tuple[str, ...]] = {"ip": IPS, "datetime": TIMES, "duration": SPANS}
_LONGS = (*LONGS, 86_400_000, -86_400_001, 7, -7, 60_000)


@dataclass(frozen=True)
class Scene:
    """What policies are asked about."""

    facts: Facts

    @property
    def values(self) -> list[Value]:
        """All values that somebody has."""
        found = list(self.facts.context.values())
        for entity in self.facts.entities.values():
            found += [] if entity is None else [*entity.attributes.values(), *entity.tags.values()]
        return found


def draw_text(draws: Draws) -> str:
    """A text; a few of them meet often."""
    return draws.pick(_TEXTS[:4]) if draws.chance(50) else draws.pick(_TEXTS)


def draw_literal(draws: Draws, kind: str) -> str:
    """A text of an extension value."""
    return draws.pick(FIXED if kind == "decimal" else _EXTENSIONS[kind])


def draw_value(draws: Draws, kind: str, depth: int = 2) -> Value:
    """A value of a kind."""
    match kind:
        case "text":
            return draw_text(draws)
        case "long":
            return draws.pick(_LONGS[:6]) if draws.chance(60) else draws.pick(_LONGS)
        case "bool":
            return draws.chance(50)
        case "entity":
            return draws.pick((*UIDS, *ACTIONS))
        case "decimal":
            return Decimal(draws.pick(FIXED))
        case "ip" | "datetime" | "duration":
            return Extension(kind, draw_literal(draws, kind))
        case "set":
            of = draws.pick(("text", "entity", "long", "any", *KINDS)) if depth else "text"
            return read_set([draw_value(draws, of, depth - 1) for _ in range(draws.number(0, 3) if depth > 0 else 0)])
        case "record":
            return draw_record(draws, depth - 1, 3) if depth > 0 else {}
    return draw_value(draws, draws.pick(KINDS), depth)


def draw_record(draws: Draws, depth: int, most: int) -> dict[str, Value]:
    """A record of names that mostly have their kind."""
    names = draws.some((*NAMES, *ODD_NAMES), most)
    return {name: draw_value(draws, "any" if draws.chance(10) else NAMES.get(name, "any"), depth) for name in names}


def _draw_attributes(draws: Draws) -> dict[str, Value]:
    """Most of the names, and odd ones."""
    attributes = {}
    for name, kind in NAMES.items():
        if draws.chance(90):
            attributes[name] = draw_value(draws, "any" if draws.chance(7) else kind)
    if draws.chance(30):
        attributes.update(draw_record(draws, 1, 2))
    return attributes


def draw_scene(draws: Draws) -> Scene:
    """A question with its facts."""
    entities: dict[Uid, Entity | None] = {}
    for uid in (*UIDS[:-1], *ACTIONS):
        if draws.chance(7):
            entities[uid] = None
            continue
        # those before it, with all that they are in, so that there is no circle
        is_action = uid in ACTIONS
        parents = set(draws.some([one for one in entities if (one in ACTIONS) is is_action], 2))
        for parent in list(parents):
            above = entities[parent]
            parents |= above.parents if above else frozenset()
        if not is_action and draws.chance(10):
            parents.add(UIDS[-1])
        tags = {name: draw_value(draws, "any", 1) for name in draws.some(TAGS, 2)}
        entities[uid] = Entity(uid, _draw_attributes(draws), frozenset(parents), tags)
    principal, resource, action = draws.pick(UIDS), draws.pick(UIDS), draws.pick(ACTIONS)
    question = Question(principal, action, resource, principal.type, resource.type, action.id, {}, {}, {})
    return Scene(Facts(question, Needs(hierarchy=True), entities, _draw_attributes(draws)))
