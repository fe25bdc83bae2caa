"""What a caller sends as an entity or a relationship, read: flat metadata, within limits, nothing nested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policy_service.model import Value


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

    `dropped` counts what is never stored, the entries of `_rawData`.
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


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of an asset as it was sent: what is named is set, and removed where it is none."""

    properties: Mapping[str, Value | None] = field(default_factory=dict)
    tags: Mapping[str, Value | None] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    display_name: str | None = None
    sets_display_name: bool = False
    dropped: int = 0


def read_entity(raw: object) -> Draft:
    """The entity of parsed JSON (`policy.values.read_json`); `RequestError` says what can't be read."""
    raise NotImplementedError


def read_relationship(raw: object) -> Draft:
    """The relationship of parsed JSON; `RequestError` says what can't be read."""
    raise NotImplementedError


def read_patch(raw: object) -> Patch:
    """The changes of parsed JSON to an asset; `null` removes; `RequestError` says what can't be read."""
    raise NotImplementedError
