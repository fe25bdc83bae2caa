"""What a caller sends as an entity or a relationship, read: flat metadata, within limits, nothing nested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from policy_service.assets.members import (
    DISPLAY_NAME,
    LIMITS,
    TAG,
    Members,
    check_class,
    check_key,
    check_name,
    check_text,
    check_type,
    read_members,
)
from policy_service.errors import RequestError
from policy_service.model import Value

# what a read shows beside properties, and a write may send back: it is not the caller's to say
SHOWN = frozenset({"_id", "_accountId", "_version", "_createdOn", "_beginOn", "_endOn", "_deleted"})
_NAMED = frozenset({"_key", "_type", "_class", "_source", "_scope"})
_ENDS = frozenset(
    f"_{side}Entity{part}" for side in ("from", "to") for part in ("Id", "Type", "Key", "Source", "Scope")
)


@dataclass(frozen=True, slots=True)
class End:
    """The end of a relationship as it is named: by `id` (and `type`, for one of `entities.json`), or by `key`."""

    id: str | None = None
    type: str | None = None
    key: str | None = None
    source: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An entity or relationship as it was sent. `source` and `scope` are none where they were not.

    `dropped` counts what is never stored, the entries of `_rawData`; `nulls` are names that were sent with nothing.
    """

    key: str
    type: str
    classes: tuple[str, ...]
    display_name: str | None = None
    source: str | None = None
    scope: str | None = None
    properties: Mapping[str, Value] = field(default_factory=dict)
    tags: Mapping[str, Value] = field(default_factory=dict)
    from_: End | None = None
    to: End | None = None
    dropped: int = 0
    nulls: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every property that is named, by the name that the API has for it.

        A `displayName` of `null` is not: a read shows one where there is none, or where it is hidden.
        """
        named = (DISPLAY_NAME,) if self.display_name is not None else ()
        return (*self.properties, *(TAG + name for name in self.tags), *self.nulls, *named)


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of an asset as it was sent: what is named is set, and removed where it is none."""

    properties: Mapping[str, Value | None] = field(default_factory=dict)
    tags: Mapping[str, Value | None] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    display_name: str | None = None
    sets_display_name: bool = False
    dropped: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Every property that is named, by the name that the API has for it."""
        named = (DISPLAY_NAME,) if self.sets_display_name else ()
        return (*self.properties, *(TAG + name for name in self.tags), *named)


def read_entity(raw: object) -> Draft:
    """The entity of parsed JSON (`policy.values.read_json`); `RequestError` says what can't be read."""
    members = _read(raw, SHOWN | _NAMED, "an entity")
    return _make_draft(members, _read_classes(members.system.get("_class")))


def read_relationship(raw: object) -> Draft:
    """The relationship of parsed JSON; `RequestError` says what can't be read."""
    members = _read(raw, SHOWN | _NAMED | _ENDS, "a relationship")
    classes = _read_classes(members.system.get("_class"))
    if len(classes) != 1:
        raise RequestError("a relationship has one `_class`, such as `OWNS`")
    return _make_draft(members, classes, _read_end(members.system, "from"), _read_end(members.system, "to"))


def read_patch(raw: object) -> Patch:
    """The changes of parsed JSON to an asset; `null` removes; `RequestError` says what can't be read."""
    members = _read(raw, frozenset({"_class"}), "a patch")
    return Patch(
        members.properties,
        members.tags,
        _read_classes(members.system["_class"]) if "_class" in members.system else None,
        members.display_name,
        members.sets_display_name,
        members.dropped,
    )


def _read(raw: object, known: frozenset[str], what: str) -> Members:
    if not isinstance(raw, dict):
        raise RequestError(f'{what} is a JSON object, such as `{{"_key": …, "_type": …, "_class": …}}`')
    return read_members(raw, known)


def _make_draft(members: Members, classes: tuple[str, ...], from_: End | None = None, to: End | None = None) -> Draft:
    system = members.system
    return Draft(
        check_key(_read_text(system, "_key"), "_key"),
        check_type(_read_text(system, "_type"), "_type"),
        classes,
        members.display_name,
        _read_optional(system, "_source"),
        _read_optional(system, "_scope"),
        {name: value for name, value in members.properties.items() if value is not None},
        {name: value for name, value in members.tags.items() if value is not None},
        from_,
        to,
        members.dropped,
        tuple(_find_nulls(members)),
    )


def _find_nulls(members: Members) -> Iterator[str]:
    yield from (name for name, value in members.properties.items() if value is None)
    yield from (TAG + name for name, value in members.tags.items() if value is None)


def _read_classes(raw: Any) -> tuple[str, ...]:
    """`_class` as it is stored: one text or a list of them, sorted, each once."""
    names = raw if isinstance(raw, list) else [raw]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise RequestError('`_class` is missing or no text, write `"_class": "Host"` or a list of such names')
    if len(names) > LIMITS.classes:
        raise RequestError(f"`_class` is a list of {len(names)}, at most {LIMITS.classes}")
    return tuple(sorted({check_class(name, "_class") for name in names}))


def _read_text(system: Mapping[str, Any], name: str) -> str:
    value = system.get(name)
    if not isinstance(value, str) or not value:
        raise RequestError(f"`{name}` is missing or no text, write it in quotes")
    return value


def _read_optional(system: Mapping[str, Any], name: str) -> str | None:
    value = system.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RequestError(f"`{name}` is no text, write it in quotes")
    return check_name(value, name)


def _read_end(system: Mapping[str, Any], side: str) -> End:
    prefix = f"_{side}Entity"
    id_, kind, key, source, scope = (system.get(f"{prefix}{part}") for part in ("Id", "Type", "Key", "Source", "Scope"))
    for part, value in (("Id", id_), ("Type", kind), ("Key", key)):
        if value is not None and not (isinstance(value, str) and value):
            raise RequestError(f"`{prefix}{part}` is no text, write it in quotes")
    if id_ is None and key is None:
        raise RequestError(f"`{prefix}Key` is missing, name the entity at this end by it or by `{prefix}Id`")
    return End(
        check_text(id_, f"{prefix}Id") if id_ is not None else None,
        check_text(kind, f"{prefix}Type") if kind is not None else None,
        check_key(key, f"{prefix}Key") if key is not None else None,
        _read_optional(system, f"{prefix}Source") if source is not None else None,
        _read_optional(system, f"{prefix}Scope") if scope is not None else None,
    )
