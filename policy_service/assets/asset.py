"""An asset: an entity or a relationship of a tenant, as it is stored, shown, and seen by policies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from policy_service.audit.trail import digest
from policy_service.model import Entity, Uid, Value
from policy_service.policy.entities import RESERVED_ATTRIBUTES
from policy_service.policy.names import cedar_type, request_type
from policy_service.policy.relationships import ASSET_ATTRIBUTES, PROPERTY
from policy_service.policy.stored_values import show, write_json
from policy_service.policy.values import read_set
from policy_service.store.data_keys import DataKey

Kind: TypeAlias = Literal["entity", "relationship"]

_TAKEN = ASSET_ATTRIBUTES | RESERVED_ATTRIBUTES

# what is other after any change, of something hidden too
_COUNTS = frozenset({"_version", "_beginOn"})

_NAMESPACES: Mapping[Kind, uuid.UUID] = {
    "entity": uuid.UUID("6b1f6d0e-3a52-5d43-9b0c-6f5d0f0f2a11"),
    "relationship": uuid.UUID("0f8e4c1a-94c6-5b0e-8a3d-2d1f9c7b5e42"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One entity or relationship.

    `classes` is sorted and unique, for a relationship it is the one class. Times are in milliseconds. `from_` and
    `to` are the ends of a relationship, by their Cedar types; an entity has none.
    """

    kind: Kind
    id: str
    key: str
    type: str
    classes: tuple[str, ...]
    display_name: str | None
    source: str
    scope: str
    properties: Mapping[str, Value]
    tags: Mapping[str, Value]
    version: int
    created_on: int
    begin_on: int
    end_on: int | None = None
    deleted: bool = False
    from_: Uid | None = None
    to: Uid | None = None

    @property
    def uid(self) -> Uid:
        """The entity that it is to policies."""
        return Uid(cedar_type(self.type), self.id)


class Edit(NamedTuple):
    """A change of one asset, proposed or made: `before` is none where it is created, `after` where it is deleted."""

    before: Asset | None
    after: Asset | None

    @property
    def changes(self) -> bool:
        """Whether anything is other after it; what changes nothing is not written and makes no version."""
        return self.before is None or self.after is None or self.before.version != self.after.version


@dataclass(frozen=True, slots=True)
class Edges:
    """What relationships make of an entity.

    `attributes` has every name that `relationships.yaml` draws, with an empty set where the entity has no such
    relationship: a property of that name never stands in for it.
    """

    parents: frozenset[Uid] = frozenset()
    attributes: Mapping[str, frozenset[Uid]] = field(default_factory=dict)


NO_EDGES = Edges()


def derive_id(kind: Kind, account: str, source: str, scope: str, key: str) -> str:
    """The id of an asset, a UUIDv5: the same for the same key of the same scope and source, whoever writes it."""
    return str(uuid.uuid5(_NAMESPACES[kind], json.dumps([account, source, scope, key])))


def name_attribute(name: str, drawn: Collection[str]) -> str:
    """The attribute that a property is to policies, beside those that relationships draw.

    Properties keep their names, but for those that are the asset's own, the service's or a relationship's: they are
    `property.<name>`, and so is any that starts with `property.`, so that no two can be meant by one name.
    """
    taken = name in _TAKEN or name in drawn or name.startswith(PROPERTY)
    return PROPERTY + name if taken else name


def to_entity(asset: Asset, edges: Edges = NO_EDGES) -> Entity:
    """The asset as policies see it: properties by the names of `name_attribute`, beside its own."""
    drawn = edges.attributes.keys()
    attributes: dict[str, Value] = {name_attribute(name, drawn): value for name, value in asset.properties.items()}
    attributes |= {"key": asset.key, "type": asset.type, "class": list(asset.classes)}
    attributes |= {"source": asset.source, "scope": asset.scope}
    if asset.display_name is not None:
        attributes["displayName"] = asset.display_name
    attributes |= {name: read_set(list(uids)) for name, uids in edges.attributes.items() if uids}
    return Entity(asset.uid, attributes, edges.parents, asset.tags)


def render(asset: Asset, account: str) -> dict[str, Any]:
    """The asset as the API shows it; numbers that 64 bits don't hold are `Decimal`, for `write_json`."""
    shown: dict[str, Any] = {
        "_id": asset.id,
        "_key": asset.key,
        "_type": asset.type,
        "_class": list(asset.classes) if asset.kind == "entity" else asset.classes[0],
        "_accountId": account,
        "_source": asset.source,
        "_scope": asset.scope,
        "_version": asset.version,
        "_createdOn": asset.created_on,
        "_beginOn": asset.begin_on,
        "_endOn": asset.end_on,
        "_deleted": asset.deleted,
        "displayName": asset.display_name,
    }
    if asset.from_ and asset.to:
        shown |= {"_fromEntityId": asset.from_.id, "_fromEntityType": request_type(asset.from_.type)}
        shown |= {"_toEntityId": asset.to.id, "_toEntityType": request_type(asset.to.type)}
    shown |= {name: show(value) for name, value in asset.properties.items()}
    shown |= {f"tag.{name}": show(value) for name, value in asset.tags.items()}
    return shown


def body(asset: Asset, account: str) -> bytes:
    """The canonical JSON of what is shown: what the trail digests."""
    return write_json(render(asset, account)).encode()


def etag(shown: Asset, account: str, key: DataKey) -> str:
    """The `ETag` of what somebody is shown of an asset, in quotes; keyed, so that nobody can guess anything by it.

    What counts changes is left out: it counts those of what is hidden, too.
    """
    content = {name: value for name, value in render(shown, account).items() if name not in _COUNTS}
    return f'"{digest(key, write_json(content).encode())[:32]}"'
