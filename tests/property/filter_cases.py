"""Cases: one world, a few policies and one question, made smaller, written down, and read again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from policy_service.assets.asset import Asset
from policy_service.model import Thing
from policy_service.policy.stored_values import show, write_json
from policy_service.policy.values import read_json
from tests.property.filter_sets import Asking
from tests.property.filter_store import Stored
from tests.property.filter_worlds import World

FOLDER = Path(__file__).parent / "counterexamples"


@dataclass(frozen=True)
class Case:
    """What is stored, which policies there are, and what is asked."""

    world: World
    policies: Mapping[str, str]
    asking: Asking


def write_case(case: Case) -> str:
    """The case as JSON."""
    told = {**asdict(case), "asking": {**asdict(case.asking), "known": case.asking.known._asdict()}}
    return write_json(told)


def read_case(text: str) -> Case:
    """The inverse of `write_case`; or YAML, which tells only what there is, and may list policies in Cedar."""
    raw = read_json(text) if text.startswith("{") else yaml.safe_load(text)
    world, asking = raw.get("world", {}), raw.get("asking", {})
    files = {"tenant.yaml": "name: x\n", "relationships.yaml": "", "entities.json": "[]", "groups.csv": ""}
    policies = raw["policies"]
    if isinstance(policies, list):
        policies = {f"c0-{number}.cedar": text for number, text in enumerate(policies)}
    return Case(
        World(
            files | world.get("files", {}),
            tuple(world.get("entities", ())),
            tuple(world.get("relationships", ())),
            world.get("nested", {}),
        ),
        policies,
        Asking(
            asking.get("action", "a0"),
            asking.get("unknown", "resource"),
            Thing(**asking.get("known", {"type": "Person", "id": "ann"})),
            asking.get("overlay", {}),
            asking.get("context", {}),
        ),
    )


def see_world(files: Mapping[str, str], stored: Stored) -> World:
    """What is stored, as a world that can be written anew."""
    entities = [row.asset for row in stored.rows["entity"]]
    nested = {asset.key: {name: show(value) for name, value in asset.properties.items()} for asset in entities}
    links = [
        _tell(row.asset) | {n: show(v) for n, v in row.asset.properties.items()} for row in stored.rows["relationship"]
    ]
    return World(files, tuple(map(_tell, entities)), tuple(links), nested)


def _tell(asset: Asset) -> dict[str, Any]:
    told: dict[str, Any] = {
        "_key": asset.key,
        "_type": asset.type,
        "_class": list(asset.classes),
        "_scope": asset.scope,
    }
    if asset.display_name is not None:
        told["displayName"] = asset.display_name
    for side, uid in (("from", asset.from_), ("to", asset.to)):
        if uid is not None:
            told[f"_{side}EntityId"] = uid.id
            if uid.type in ("Person", "Team", "Org"):
                told[f"_{side}EntityType"] = uid.type
    return told | {f"tag.{name}": show(value) for name, value in asset.tags.items()}


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """The smallest case that is found by leaving things out, one at a time, and still fails."""
    again = True
    while again:
        again = False
        for smaller in _smaller(case):
            if fails(smaller):
                case, again = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    for left in _without(dict(case.policies)):
        yield replace(case, policies=left)
    for world in _smaller_worlds(case.world):
        yield replace(case, world=world)
    for asking in _smaller_askings(case.asking):
        yield replace(case, asking=asking)
    yield from _simpler(case)


def _smaller_askings(asking: Asking) -> Iterator[Asking]:
    for name in ("context", "overlay"):
        for left in _without(dict(getattr(asking, name))):
            yield replace(asking, **{name: left})
    for left in _without(dict(asking.known.properties)):
        yield replace(asking, known=asking.known._replace(properties=left))


def _smaller_worlds(world: World) -> Iterator[World]:
    for name in ("relationships", "entities"):
        held = getattr(world, name)
        for number in range(len(held)):
            left = held[:number] + held[number + 1 :]
            nested = {key: value for key, value in world.nested.items() if key != held[number]["_key"]}
            yield replace(world, nested=nested, **{name: left})
    lines = world.files["relationships.yaml"].splitlines(keepends=True)
    for number in range(2, len(lines)):
        told = "".join(lines[:number] + lines[number + 1 :])
        yield replace(world, files={**world.files, "relationships.yaml": told})
    for name, text in (("groups.csv", ""), ("entities.json", "[]"), ("tenant.yaml", "name: x\n")):
        if world.files.get(name) != text:
            yield replace(world, files={**world.files, name: text})
    for key, held in world.nested.items():
        for left in _without(dict(held)):
            yield replace(world, nested={**world.nested, key: left})
    for name in ("relationships", "entities"):
        held = getattr(world, name)
        for number, each in enumerate(held):
            own = {member: value for member, value in each.items() if member.startswith("_")}
            for left in _without({member: value for member, value in each.items() if member not in own}):
                yield replace(world, **{name: (*held[:number], own | left, *held[number + 1 :])})


def _without(held: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in held:
        yield {other: value for other, value in held.items() if other != name}


def _simpler(case: Case) -> Iterator[Case]:
    """Policies of which a part in brackets is `true`, `false` or what stands in its own brackets."""
    for name, text in case.policies.items():
        if not name.endswith(".cedar"):
            continue
        groups = sorted(_groups(text), key=lambda group: group[0] - group[1])
        for start, end in groups:
            inner = [text[a:b] for a, b in groups if start < a and b < end]
            parts = re.split(r" (?:&&|\|\||then|else) ", text[start + 1 : end - 1])
            for other in ("true", "false", *inner, *(parts if len(parts) > 1 else ())):
                if other != text[start:end] and len(other) < end - start:
                    yield replace(case, policies={**case.policies, name: text[:start] + other + text[end:]})


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Where brackets begin and end, outside of texts."""
    open_: list[int] = []
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[()]', text):
        if match[0] == "(":
            open_.append(match.start())
        elif match[0] == ")" and open_:
            yield open_.pop(), match.end()
