"""Inventories for tests: bundles from texts, sessions on either database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from policy_service.assets import entities, relationships
from policy_service.assets.asset import Asset
from policy_service.assets.drafts import read_entity, read_relationship
from policy_service.assets.find import find
from policy_service.assets.inventory import Inventory, open_inventory
from policy_service.model import Version
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.files import parse_layer
from policy_service.policy.residual.filter import Field, constant
from policy_service.policy.residual.filter import Test as Compare
from policy_service.policy.stored_values import write_json
from policy_service.policy.values import read_json
from policy_service.store.door import Store

POLICY = b'@id("p") permit(principal, action, resource);'
RELATIONSHIPS = """
relationships:
  team_owns_host: {parent: from, attribute: {on: to, name: team}}
  host_in_zone: {parent: to}
"""
ENTITIES = """[
  {"uid": {"type": "Team", "id": "red"}, "attrs": {"key": "red", "source": "hr"},
   "parents": [{"type": "Org", "id": "acme"}]},
  {"uid": {"type": "Org", "id": "acme"}}
]"""


def make_bundle(
    tenant: str = "acme",
    *,
    restricted: str = "",
    indexed: str = "",
    drawn: str = RELATIONSHIPS,
    filed: str = ENTITIES,
    groups: str = "",
) -> Bundle:
    """A tenant's bundle."""
    files = {
        "tenant.yaml": f"name: {tenant}\nrestricted: [{restricted}]\nindexed: [{indexed}]\n".encode(),
        "relationships.yaml": drawn.encode(),
        "entities.json": filed.encode(),
        "groups.csv": groups.encode(),
    }
    bundle, findings = join(
        parse_layer("policies", {"a.cedar": POLICY}, tenant=None),
        parse_layer(f"tenants/{tenant}", files, tenant=tenant),
        Version("0" * 64),
    )
    assert bundle is not None, findings
    return bundle


@contextmanager
def opened(store: Store, bundle: Bundle | None = None, *, write: bool = True) -> Iterator[Inventory]:
    """An inventory in a session of its own, which is committed where it is to write."""
    bundle = bundle or make_bundle()
    with store.session(bundle.tenant, write=write) as session:
        yield open_inventory(store, session, bundle)


def parse(**members: Any) -> Any:
    """What the API reads of these members: `tag__x` is `tag.x`."""
    return read_json(write_json({name.replace("__", "."): value for name, value in members.items()}))


def entity(inventory: Inventory, key: str, now: int = 1_000, /, **members: Any) -> Asset:
    """An entity, stored."""
    named: Mapping[str, Any] = {"_key": key, "_type": "host", "_class": "Host", **members}
    after = entities.store(inventory, entities.propose(inventory, read_entity(parse(**named)), now)).after
    assert after is not None
    return after


def relationship(inventory: Inventory, type_: str, from_: Any, to: Any, now: int = 1_000, /, **members: Any) -> Asset:
    """A relationship between assets, or (type, id) of the file's, stored."""
    named: dict[str, Any] = {"_key": f"{_id(from_)}|{type_}|{_id(to)}", "_type": type_, "_class": "OWNS"}
    for side, end in (("from", from_), ("to", to)):
        if not isinstance(end, Asset):
            named[f"_{side}EntityType"] = end[0]
        named[f"_{side}EntityId"] = _id(end)
    draft = read_relationship(parse(**{**named, **members}))
    after = relationships.store(inventory, relationships.propose(inventory, draft, now)).after
    assert after is not None
    return after


def find_equal(inventory: Inventory, name: str, text: str) -> list[str]:
    """The ids of the entities that have this text as a property."""
    same = Compare("eq", Field(("attribute", name), "text"), constant(text))
    return [found.asset.id for found in find(inventory, "entity", same, limit=100) if found.certain]


def _id(end: Any) -> str:
    return str(end.id if isinstance(end, Asset) else end[1])
