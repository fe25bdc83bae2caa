"""A service's folders with a store beside them, on each database, and a tenant that has something of everything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from policy_service.assets import entities
from policy_service.assets.inventory import open_inventory
from policy_service.audit.trail import Change, Origin, note
from policy_service.audit.trail_pages import read_entries
from policy_service.bundles.load import load
from policy_service.config import Settings
from policy_service.policy.bundle import Bundle
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.tables import SERVICE, EntityRow
from policy_service.tenancy.creating import create
from policy_service.tenancy.exporting import export
from policy_service.tenancy.importing import Imported, import_file
from tests.stores import Place

SCHEMA = Path(__file__).resolve().parents[3] / "policies" / "schema.cedarschema"
# the platform's layer is large and nothing is asked of it here
POLICY = '@id("all")\npermit (principal, action == PolicyService::Action::"read", resource);\n'

SETTINGS = "name: T\nrestricted: [ssn]\n"

LINES: tuple[Mapping[str, Any], ...] = (
    # relationships may come first
    {
        "_key": "team-owns-1",
        "_type": "team_owns_host",
        "_class": "OWNS",
        "_source": "cmdb",
        "_fromEntityKey": "team-1",
        "_toEntityKey": "host-1",
        "since": "2020",
        "ssn": "078-05-1120",
    },
    {
        "_key": "host-1",
        "_type": "host",
        "_class": ["Host", "Device"],
        "_source": "cmdb",
        "displayName": "Host 1",
        "cores": 4,
        "price": 1.5,
        "serial": 123456789012345678901234567890,
        "names": ["b", "a"],
        "ssn": "078-05-1120",
        "tag.env": "production",
        "odd name é": True,
    },
    {"_key": "host-2", "_type": "host", "_class": ["Host"], "_source": "cmdb", "ssn": "219-09-9999"},
    {"_key": "team-1", "_type": "team", "_class": ["UserGroup"], "_source": "cmdb"},
)


@dataclass(frozen=True)
class Estate:
    """Folders of a service, with a place for a store."""

    place: Place
    settings: Settings
    root: Path

    @contextmanager
    def owner(self) -> Iterator[Store]:
        """The store as a command of the owner opens it."""
        with self.place.as_owner() as store:
            yield store

    def write(self, tenant: str, name: str, text: str) -> None:
        """Write a file of a tenant."""
        path = self.settings.tenants / tenant / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write_lines(self, *lines: Mapping[str, Any] | str, name: str = "lines.ndjson") -> Path:
        """A file of lines."""
        path = self.root / name
        path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
        return path

    def bundle(self, tenant: str) -> Bundle:
        """A tenant's bundle."""
        bundle, findings = load(self.settings.policies, self.settings.tenants, tenant)
        assert bundle is not None, findings
        return bundle

    def import_(self, store: Store, tenant: str, path: Path) -> Imported:
        """Import a file."""
        return import_file(self.settings, store, tenant, path, lambda *_: None)

    def export(self, store: Store, tenant: str, path: Path) -> dict[str, Any]:
        """Export to a file; the manifest."""
        with open(path, "wb") as file:
            return export(self.settings, store, tenant, file.write, lambda *_: None)

    def furnish(self, store: Store, tenant: str) -> None:
        """Make a tenant that has entities, a relationship, versions, a tombstone, restricted properties and a trail."""
        self.write(tenant, "tenant.yaml", SETTINGS)
        create(self.settings, store, tenant)
        self.import_(store, tenant, self.write_lines(*LINES))
        self.import_(store, tenant, self.write_lines({**LINES[3], "displayName": "One"}))
        with store.session(tenant, write=True) as session:
            inventory = open_inventory(store, session, self.bundle(tenant))
            (gone,) = session.scalars(select(EntityRow.id).where(EntityRow.key == "host-2"))
            entities.remove(inventory, entities.find(inventory, [gone], lock=True)[gone], 1_800_000_000_000)
            note(session, [Change("delete", "entity", gone, "ab", None, Origin("user:alice", "k", "::1", "r"))], 1.8e9)


def make_estate(place: Place, root: Path) -> Estate:
    """An estate without tenants."""
    (root / "tenants").mkdir()
    policies = root / "policies"
    policies.mkdir()
    (policies / "all.cedar").write_text(POLICY)
    shutil.copy(SCHEMA, policies)
    return Estate(place, replace(place.settings, policies=policies, tenants=root / "tenants"), root)


def acts(store: Store, account: str = SERVICE) -> list[tuple[str, dict[str, Any]]]:
    """What a trail tells of tenants: actions and details."""
    with_state = store.look(account) if account != SERVICE else State.ACTIVE
    assert with_state is State.ACTIVE
    bodies = [json.loads(entry.body) for entry in read_entries(store, account, 0, None)]
    return [(body["action"], body["detail"]) for body in bodies if body["kind"] == "tenant"]
