"""Filters made without policies: what searches say, and shapes that no policy compiles to."""

from __future__ import annotations

from policy_service.model import Extension, Value
from policy_service.policy.residual.filter import (
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Kind,
    Opaque,
    Sum,
    Term,
    Test,
    all_of,
    any_of,
    constant,
    kind_of,
    none_of,
)
from tests.property.filter_draws import Draws
from tests.property.filter_scenes import Scene, draw_constant
from tests.property.filter_values import NAMES, TAGS, TEXTS

SCALARS: tuple[Kind, ...] = ("text", "long", "bool", "decimal", "number")
_ORDERED: tuple[Kind, ...] = ("text", "long", "decimal", "bool")
_PATTERNS = (("a", None), (None, "a"), ("", None, "%"), ("x_%", None), (None,), ("\\", None), ("[", None), ("*", None))


def draw_filter(draws: Draws, scene: Scene, depth: int = 3, *, kind: str = "entity") -> Filter:
    """A filter of rows of a kind of asset."""
    if depth and draws.chance(60):
        parts = [draw_filter(draws, scene, depth - 1, kind=kind) for _ in range(draws.number(1, 3))]
        return draws.pick((all_of(*parts), any_of(*parts), none_of(parts[0]), all_of(parts[0], none_of(parts[-1]))))
    if kind == "relationship" and depth and draws.chance(15):
        return End(draws.pick(("from", "to")), draw_filter(draws, scene, depth - 1))
    return _draw_leaf(draws, scene, kind)


def _draw_leaf(draws: Draws, scene: Scene, kind: str) -> Filter:
    match draws.below(10):
        case 0 | 1:
            return _draw_each(draws, scene)
        case 2:
            return Below(tuple(draws.some((*scene.above, *scene.uids), 3, 1)))
        case 3:
            return _draw_pair(draws, scene)
        case 4 if draws.chance(20):
            return Opaque("it is")
    field = draw_field(draws, scene, kind)
    held = _values(scene, field)
    if draws.chance(15):
        return Test("has", field)
    if field.kind == "text" and draws.chance(40):
        text = str(draws.pick(held)) if held and draws.chance(70) else draws.pick(TEXTS)
        cut = draws.number(0, len(text))
        if draws.chance(50):
            return Test(
                "like",
                field,
                draws.pick(((text[:cut], None), (None, text[cut:]), (text[:cut], None, text[cut:]), *_PATTERNS)),
            )
        return Test(draws.pick(("starts", "holds")), field, constant(draws.pick((text[:cut], text[cut:].swapcase()))))
    values = [value for _ in range(4) if (value := _draw_value(draws, scene, field, held)) is not None]
    if draws.chance(20):
        return Test("in", field, tuple(dict.fromkeys(values)))
    if not values:
        return Test("has", field)
    ordered = field.kind in ("long", "decimal", "text") and values[0].kind == field.kind
    return Test(
        draws.pick(("lt", "le", "gt", "ge", "eq")) if ordered else "eq", _sum(draws, field, values[0]), values[0]
    )


def _sum(draws: Draws, field: Field, value: Constant) -> Term:
    if field.kind == "long" and draws.chance(30):
        pair: tuple[Term, Term] = draws.pick(((field, value), (value, field)))
        return Sum(draws.pick(("add", "sub", "mul")), *pair)
    return field


def draw_field(draws: Draws, scene: Scene, kind: str) -> Field:
    """A field that rows have, mostly."""
    own: tuple[Field, ...] = (Field(("id",), "text"), Field(("type",), "text"), Field(("system", "_createdOn"), "long"))
    own += (Field(("system", "_version"), "long"), Field(("attribute", "displayName"), "text"))
    own += (Field(("attribute", "key"), "text"), Field(("attribute", "class"), "set"))
    if kind == "relationship" and draws.chance(10):
        return Field((draws.pick(("from", "to")),), "entity")
    if draws.chance(20):
        return draws.pick(own)
    if draws.chance(20):
        return Field(("tag", draws.pick((*scene.rows.tags, *TAGS))), draws.pick((*SCALARS, "any", "set")))
    # nobody asks for the value of what is drawn, only whether it is there and what is in it
    names = [name for name in (*scene.rows.names, *NAMES) if name not in scene.drawn]
    name = draws.pick(names)
    held = [place for places in scene.rows.places.values() for place in places if place.path == f".{name}"]
    kinds: list[Kind] = [kind_of(place.value) for place in held]
    if kinds and draws.chance(75):
        chosen = draws.pick(kinds)
        value = next(place.value for place in held if kind_of(place.value) == chosen)
        if isinstance(value, dict) and value and draws.chance(50):
            inner = draws.pick(tuple(value))
            return Field(("attribute", name, inner), kind_of(value[inner]))
        return Field(("attribute", name), draws.pick((chosen, chosen, "any")))
    return Field(("attribute", name), draws.pick((*SCALARS, "any", "set", "record")))


def _values(scene: Scene, field: Field) -> list[Value]:
    root, *names = field.path
    path = f".{names[0]}" if root == "attribute" and len(names) == 1 else ""
    return [place.value for places in scene.rows.places.values() for place in places if place.path == path]


def _draw_value(draws: Draws, scene: Scene, field: Field, held: list[Value]) -> Constant | None:
    if field.path == ("id",):
        return constant(draws.pick(scene.row_uids).id)
    if field.path == ("type",):
        return constant(draws.pick(("host", "user", "we ird", "N::S")))
    if field.path in (("from",), ("to",)):
        return constant(draws.pick(scene.uids))
    value = draws.pick(held) if held and draws.chance(60) else draw_constant(draws, _cedar(field.kind), scene)
    if isinstance(value, Extension):
        return None
    try:
        made = constant(value)
    except ValueError:
        return None
    return made if field.kind in ("any", made.kind) else None


def _cedar(kind: Kind) -> str:
    return "any" if kind in ("any", "set") else kind


def _draw_each(draws: Draws, scene: Scene) -> Filter:
    held = [
        place
        for place in scene.rows.places.get("set", [])
        if place.path.startswith(".") and place.path[1:].isidentifier()
    ]
    place = draws.pick(held) if held else None
    field = Field(("attribute", place.path[1:] if place else "labels"), "set")
    parts: list[Value] = list(place.value) if place and isinstance(place.value, list) else []
    values = []
    for _ in range(draws.number(0, 3)):
        value = draws.pick(parts) if parts and draws.chance(70) else draw_constant(draws, "any", scene)
        try:
            values += [] if isinstance(value, Extension) else [constant(value)]
        except ValueError:
            continue
    return Each(draws.pick(("any", "all", "within")), field, tuple(dict.fromkeys(values)))


def _draw_pair(draws: Draws, scene: Scene) -> Filter:
    """Two fields of the same row."""
    field, other = draw_field(draws, scene, "entity"), draw_field(draws, scene, "entity")
    if field.kind == "set":
        if other.kind == "set":
            return Each(draws.pick(("meets", "covers")), field, other)
        return Each("has", field, other)
    if field.kind in ("long", "decimal", "text"):
        other = Field(other.path, field.kind)
        return Test(draws.pick(("eq", "lt", "le", "gt", "ge") if field.kind != "text" else ("eq",)), field, other)
    return Test("eq", field, Field(other.path, field.kind))
