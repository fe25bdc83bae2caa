"""Entities kept in a file: `entities.json`, Cedar's own format.

`[{"uid": {"type", "id"}, "attrs": {}, "parents": [{"type", "id"}], "tags": {}}]`; the values of a file are
trusted, so `__entity` and `__extn` are references and extension values. Types are Cedar's, as written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from policy_service.model import Entity, Extension, Finding, Uid, Value
from policy_service.policy.engines.cedar import find_refused
from policy_service.policy.groups import find_cycle
from policy_service.policy.json_text import read_json_file
from policy_service.policy.names import GROUP, SERVICE, entity_text, is_cedar_path, is_reserved
from policy_service.policy.values import NotJson, read_record

RESERVED_ATTRIBUTES = frozenset({"tenant", "groups", "authn"})
_MEMBERS = frozenset({"uid", "attrs", "parents", "tags"})
_FINDINGS = 100
_GAP = re.compile(r"[\s,]*")
_FIRST = re.compile(r"\{?\s*")
_SCAN = json.JSONDecoder().raw_decode


def parse_entities(path: str, text: str) -> tuple[dict[Uid, Entity], list[Finding]]:
    """The entities of a file by uid, and what is wrong with it; with a finding there are no entities."""
    try:
        raw = read_json_file(text)
    except NotJson as error:
        return {}, [Finding(path, error.line, str(error))]
    entities, wrong = read_entities(raw)
    lines = _find_lines(text, raw, max((index for index, _ in wrong[:_FINDINGS]), default=0)) if wrong else []
    findings = [Finding(path, lines[index], sentence) for index, sentence in wrong[:_FINDINGS]]
    return ({}, findings) if findings else (entities, [])


def read_entities(raw: Any, *, service: bool = False) -> tuple[dict[Uid, Entity], list[tuple[int, str]]]:
    """The entities of parsed JSON or YAML by uid, and the position and sentence of each that is wrong.

    With `service`, as in cases, they may be of the service's own types and name groups as parents.
    """
    entities: dict[Uid, Entity] = {}
    if not isinstance(raw, list):
        return {}, [(0, 'no list of entities, write `[{"uid": {"type", "id"}, "attrs": {}, "parents": []}]`')]
    wrong: list[tuple[int, str]] = []
    for index, item in enumerate(raw):
        try:
            entity = _read_entity(item, service)
            if entity.uid in entities:
                raise ValueError(f"`{entity_text(entity.uid)}` stands twice, keep one")
        except ValueError as error:
            wrong.append((index, str(error)))
        else:
            entities[entity.uid] = entity
    wrong += [] if wrong else islice(_check_extensions(entities), _FINDINGS)
    cycle = [] if wrong else find_cycle({uid: entity.parents for uid, entity in entities.items()})
    if cycle:
        named = " in ".join(f"`{entity_text(uid)}`" for uid in (cycle if len(cycle) < 9 else cycle[:8]))
        wrong.append((list(entities).index(cycle[0]), f"parents in a circle: {named}, take one of them out"))
    return entities, wrong


def _read_entity(raw: Any, service: bool) -> Entity:
    if not isinstance(raw, dict):
        raise ValueError('an item is no object, write `{"uid": {"type", "id"}, "attrs": {}, "parents": []}`')
    unknown = sorted(raw.keys() - _MEMBERS)
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no member of an entity, which has `uid`, `attrs`, `parents` and `tags`")
    uid = _read_uid(raw.get("uid"), "uid")
    named = entity_text(uid)
    if _is_refused(uid.type, service):
        raise ValueError(f"`{uid.type}` is a type that only the service may make, give `{named}` another")
    attributes = _read_values(raw.get("attrs"), "attrs", named)
    reserved = sorted(attributes.keys() & RESERVED_ATTRIBUTES)
    if reserved:
        raise ValueError(f"`{named}` has the attribute `{reserved[0]}`, which only the service asserts, rename it")
    parents = raw.get("parents")
    if parents is None:
        parents = []
    if not isinstance(parents, list):
        raise ValueError(f'the parents of `{named}` are no list, write `[{{"type", "id"}}]`')
    return Entity(
        uid,
        attributes,
        frozenset(_read_parent(parent, named, service) for parent in parents),
        _read_values(raw.get("tags"), "tags", named),
    )


def _is_refused(kind: str, service: bool) -> bool:
    return is_reserved(kind) and not (service and kind.startswith(f"{SERVICE}::") and not kind.endswith("::Action"))


def _read_parent(raw: Any, child: str, service: bool) -> Uid:
    uid = _read_uid(raw, "parents")
    if uid.type == GROUP and service:
        return uid
    if uid.type == GROUP:
        raise ValueError(f"`{child}` has the parent `{entity_text(uid)}`, membership is written in groups.csv")
    if _is_refused(uid.type, service):
        raise ValueError(f"`{child}` has the parent `{entity_text(uid)}`, whose type only the service may make")
    return uid


def _read_uid(raw: Any, where: str) -> Uid:
    if isinstance(raw, dict) and raw.keys() == {"__entity"}:
        raw = raw["__entity"]
    if not isinstance(raw, dict) or raw.keys() != {"type", "id"}:
        raise ValueError(f'`{where}` names no entity, write `{{"type": "user", "id": "alice"}}`')
    kind, name = raw["type"], raw["id"]
    if not isinstance(kind, str) or not isinstance(name, str):
        raise ValueError(f"`{where}` has a `type` or an `id` that is no text, put it in quotes")
    if not is_cedar_path(kind):
        raise ValueError(f"`{kind[:80]}` is no type that Cedar accepts, write letters, digits, `_` and `::`")
    return Uid(kind, name)


def _read_values(raw: Any, where: str, named: str) -> Mapping[str, Value]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ValueError(f"the `{where}` of `{named}` are no object, write `{{}}`")
    try:
        return read_record(raw, trusted=True, where=where)
    except ValueError as error:
        raise ValueError(f"{error}, in `{named}`") from None


def _check_extensions(entities: Mapping[Uid, Entity]) -> Iterator[tuple[int, str]]:
    """Cedar would refuse every request that such an entity has a part in."""
    held: dict[Extension, tuple[int, Uid]] = {}
    for index, entity in enumerate(entities.values()):
        for value in (*entity.attributes.values(), *entity.tags.values()):
            for extension in _find_extensions(value):
                held.setdefault(extension, (index, entity.uid))
    for extension in find_refused(list(held)):
        index, uid = held[extension]
        yield index, f"`{extension.arg[:80]}` in `{entity_text(uid)}` is no `{extension.fn}` that Cedar can read"


def _find_extensions(value: Value) -> Iterator[Extension]:
    if isinstance(value, Extension):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _find_extensions(part)


def _find_lines(text: str, raw: Any, last: int) -> list[int]:
    """The lines of the items up to the one at `last`: those of their first member, 1 where there is no list."""
    if not isinstance(raw, list):
        return [1]
    lines, line, counted, end = [], 1, 0, text.index("[") + 1
    for _ in range(last + 1):
        start = _GAP.match(text, end).end()  # type: ignore[union-attr]
        _, end = _SCAN(text, start)
        at = _FIRST.match(text, start).end()  # type: ignore[union-attr]
        line += text.count("\n", counted, at)
        counted = at
        lines.append(line)
    return lines
