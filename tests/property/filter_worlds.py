"""Small universes: what a tenant's files say, and what is stored beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from policy_service.assets.asset import derive_id
from policy_service.model import Extension, Uid, Value
from policy_service.policy.names import cedar_type, entity_text, is_reserved
from policy_service.policy.stored_values import write_json
from tests.property.filter_draws import Draws
from tests.property.filter_values import (
    NAMES,
    ODD_NAMES,
    TAGS,
    TEXTS,
    draw_extension,
    draw_nested,
    draw_property,
    draw_scalar,
)

ACCOUNT = "acme"
TYPES = ("host", "user", "doc", "N::S", "we ird", "Groupe")
CLASSES = ("Host", "User", "a", "é", "x_%")
# keys are texts too; each belongs to one type
KEYS = ("e0", "e1", "e2", "e3", "k%_*[", "k'\"\\", "é\U0001f600", "e7")
SCOPES = ("", "s")
PEOPLE = tuple(Uid("Person", name) for name in ("ann", "bo"))
TEAMS = (Uid("Team", "red"), Uid("Team", 'b"lue\\'), Uid("Org", "o"))
NOBODY = (Uid("Person", "ghost"), Uid("ghost", "g"), Uid("host", "nowhere"))
GROUPS = tuple(Uid("Group", name) for name in ("g1", "g2", "g3"))
# what a type of relationship may draw; some draw what properties are called, and some the same as others
DRAWINGS = (
    "owns: {parent: from, attribute: {on: to, name: owner}}",
    "in_zone: {parent: to}",
    "labels: {attribute: {on: from, name: labels}}",
    "runs: {parent: from, attribute: {on: from, name: team}}",
    "has: {attribute: {on: to, name: team}}",
)
DRAWN_TYPES = ("owns", "in_zone", "labels", "runs", "has", "uses")


@dataclass(frozen=True)
class World:
    """A tenant's files without policies, and what is written into its store, in the JSON of the asset API.

    `nested` are values, by key, of a sort that the API does not take; a filter says the right thing of them too.
    """

    files: Mapping[str, str]
    entities: tuple[Mapping[str, Any], ...]
    relationships: tuple[Mapping[str, Any], ...]
    nested: Mapping[str, Mapping[str, Any]]


def draw_world(draws: Draws, entities: int = 8, relationships: int = 8) -> World:
    """A universe of at most so many entities and relationships, one time in four of a few only."""
    if draws.chance(25):
        entities, relationships = min(8, entities), min(8, relationships)
    made = [draw_entity(draws, number) for number in range(draws.number(max(1, entities // 2), entities))]
    uids = [uid_of(each) for each in made]
    files = draw_files(draws, uids)
    count = draws.number(relationships // 4, relationships)
    links = [draw_relationship(draws, uids, number) for number in range(count)]
    nested = {each["_key"]: draw_odd(draws) for each in made if draws.chance(15)}
    return World(files, tuple(made), tuple(links), nested)


def draw_odd(draws: Draws) -> dict[str, Any]:
    """A property that holds records, or sets of anything."""
    return {draws.pick(("spec", "misc", "labels", "env")): draw_nested(draws)}


def uid_of(entity: Mapping[str, Any]) -> Uid:
    """The entity that JSON is going to be."""
    id_ = derive_id("entity", ACCOUNT, "api", entity.get("_scope", ""), entity["_key"])
    return Uid(cedar_type(entity["_type"]), id_)


def draw_entity(draws: Draws, number: int) -> dict[str, Any]:
    """An entity; the same number has the same key, type and scope, and the rest anew."""
    key = KEYS[number] if number < len(KEYS) else f"more{number}"
    entity: dict[str, Any] = {"_key": key, "_type": TYPES[number % len(TYPES)], "_scope": SCOPES[number % 3 == 2]}
    entity["_class"] = draws.some(CLASSES, 2, 1)
    if draws.chance(60):
        entity["displayName"] = draws.pick(TEXTS)
    return entity | draw_properties(draws)


def draw_properties(draws: Draws) -> dict[str, Any]:
    """Properties and tags, a third of them of another kind than most have under that name."""
    chosen = draws.some(tuple(NAMES), 8, 2)
    found = {name: draw_property(draws, NAMES[name] if draws.chance(80) else "any") for name in chosen}
    if draws.chance(30):
        found[draws.pick(ODD_NAMES)] = draw_property(draws, "any")
    for name in draws.some(TAGS[:2] if draws.chance(60) else TAGS, 2):
        found[f"tag.{name}"] = draw_property(draws, draws.pick(("text", "text", "long", "any")))
    return found


def draw_relationship(draws: Draws, uids: Sequence[Uid], number: int) -> dict[str, Any]:
    """A relationship between two that are stored, or one that is and one of the file."""
    type_ = draws.pick(DRAWN_TYPES)
    from_, to = draws.pick(uids), draws.pick(uids)
    if draws.chance(30):
        from_ = draws.pick((*TEAMS, *PEOPLE))
    if draws.chance(15):
        to = draws.pick((*TEAMS, *PEOPLE))
    relationship = {"_key": f"r{number}", "_type": type_, "_class": draws.pick(("OWNS", "HAS"))}
    for side, uid in (("from", from_), ("to", to)):
        relationship[f"_{side}EntityId"] = uid.id
        if uid in TEAMS or uid in PEOPLE:
            relationship[f"_{side}EntityType"] = uid.type
    if draws.chance(40):
        relationship["displayName"] = draws.pick(TEXTS)
    if draws.chance(60):
        relationship |= draw_properties(draws)
    return relationship


def draw_files(draws: Draws, uids: Sequence[Uid]) -> dict[str, str]:
    """What the tenant's files say but for policies."""
    return {
        **draw_layout(draws),
        "entities.json": json.dumps(_draw_filed(draws, uids)),
        "groups.csv": _draw_groups(draws, uids),
    }


def draw_layout(draws: Draws) -> dict[str, str]:
    """What the files say that rows of elements are made for."""
    drawn = "".join(f"  {drawing}\n" for drawing in draws.some(DRAWINGS, 5, 1))
    return {
        "tenant.yaml": f"name: x\n{draw_settings(draws)}",
        "relationships.yaml": f"relationships:\n{drawn}",
    }


def draw_settings(draws: Draws) -> str:
    """Which properties are restricted, and which are indexed."""
    restricted = draws.some(("env", "size", "labels", "status", "huge", "a.b"), 2) if draws.chance(40) else []
    indexed = draws.some((*NAMES, *(f"tag.{name}" for name in TAGS[:3]), "a.b", "key"), 5) if draws.chance(60) else []
    indexed = [name for name in indexed if name not in restricted]
    return f"restricted: {json.dumps(restricted)}\nindexed: {json.dumps(indexed)}\n"


def _draw_groups(draws: Draws, uids: Sequence[Uid]) -> str:
    members = [uid for uid in (*PEOPLE, *TEAMS, *uids) if '"' not in uid.id and " " not in entity_text(uid)]
    lines = [(draws.pick(members), draws.pick(GROUPS)) for _ in range(draws.number(0, 5))]
    lines += [pair for pair in pairwise(GROUPS) if draws.chance(40)]
    return "".join(
        f"g, {entity_text(member)}, {entity_text(group)}, {ACCOUNT}\n" for member, group in dict.fromkeys(lines)
    )


def _draw_filed(draws: Draws, uids: Sequence[Uid]) -> list[dict[str, Any]]:
    """People and teams: with references, extension values, and parents in the file and in the store."""
    filed: list[dict[str, Any]] = []
    above: list[Uid] = [Uid("Org", "nowhere")]
    # no file says that anything is in what has an escaped type
    plain = [uid for uid in uids if not is_reserved(uid.type)]
    for uid in (TEAMS[2], *TEAMS[:2], *PEOPLE):
        if uid not in PEOPLE[:1] and draws.chance(15):
            continue
        attributes = {name: _draw_filed_value(draws, kind, uids) for name, kind in draws.some(_FILED, 7, 3)}
        tags = {name: draw_scalar(draws, "any") for name in draws.some(TAGS[:3], 2)}
        parents = draws.some(above, 2) + (draws.some(plain, 1) if draws.chance(30) else [])
        filed.append(
            {
                "uid": {"type": uid.type, "id": uid.id},
                "attrs": {name: to_json(value) for name, value in attributes.items()},
                "parents": [{"type": parent.type, "id": parent.id} for parent in parents],
                "tags": {name: to_json(value) for name, value in tags.items()},
            }
        )
        above.append(uid)
    return json.loads(write_json(filed))


_FILED = (
    ("env", "text"), ("size", "long"), ("public", "bool"), ("cost", "decimal"), ("labels", "set"), ("spec", "record"),
    ("manager", "entity"), ("zones", "entities"), ("ip", "ip"), ("at", "datetime"), ("span", "duration"),
    ("owner", "entity"), ("hosts", "entities"), ("huge", "number"), ("misc", "any"),
)  # fmt: skip


def _draw_filed_value(draws: Draws, kind: str, uids: Sequence[Uid]) -> Value:
    everyone = (*uids, *PEOPLE, *TEAMS, *NOBODY, *GROUPS)
    if kind == "entity":
        return draws.pick(everyone)
    if kind == "entities":
        return list(draws.some(everyone, 3))
    if kind in ("ip", "datetime", "duration"):
        return draw_extension(draws, kind)
    if kind == "record":
        return {"who": draws.pick(everyone), "env": draw_scalar(draws, "text"), "x": draw_nested(draws, 1)}
    return draw_property(draws, kind)


def to_json(value: Value) -> Any:
    """A value as `entities.json` writes it."""
    if isinstance(value, Uid):
        return {"__entity": {"type": value.type, "id": value.id}}
    if isinstance(value, Extension):
        return {"__extn": {"fn": value.fn, "arg": value.arg}}
    if isinstance(value, list):
        return [to_json(part) for part in value]
    if isinstance(value, dict):
        return {name: to_json(part) for name, part in value.items()}
    return value
