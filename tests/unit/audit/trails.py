"""Trails for tests: changes to note, and whoever writes the database by other means than the service."""

from __future__ import annotations

import contextlib
from typing import Any

from policy_service.audit.trail import Change, Origin, note
from policy_service.store import sqlcipher
from policy_service.store.data_keys import DataKey
from policy_service.store.door import Store
from policy_service.store.files import Files
from policy_service.store.postgres import SCHEMA
from tests.stores import Place

AT = 1_767_225_600.25
BY = Origin("user:alice", "k-1", "10.0.0.1", "r-1")


def change(name: str, **changes: Any) -> Change:
    """The creation of an entity, in which some of it is changed."""
    return Change("create", "entity", name, None, "ab", BY, "v1", ("may-create",), {"type": "host"})._replace(**changes)


def grow(store: Store, account: str, *names: str, at: float = AT) -> None:
    """Commit a change for each name."""
    with store.session(account, write=True) as session:
        note(session, [change(name) for name in names], at)


def tamper(place: Place, store: Store, *statements: str, account: str = "acme") -> None:
    """Run statements past the service: as who has the key of the file, or as the superuser of PostgreSQL."""
    if place.cluster is not None:
        script = [f"SET search_path = {SCHEMA}", "SET session_replication_role = replica", *statements]
        place.cluster.execute("; ".join(script), place.database)
        return
    assert isinstance(store.databases, Files)
    path = store.databases.path(account)
    with contextlib.closing(sqlcipher.connect(path, store.keys.active(account))) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (trigger,) in triggers:
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)


class Versions:
    """Data keys in versions, without a table of them; the newest seals."""

    def __init__(self, *versions: int) -> None:
        self.keys = {version: DataKey("acme", version, bytes([version]) * 32) for version in versions}

    def active(self, account: str) -> DataKey:
        return self.keys[max(self.keys)]

    def version(self, account: str, version: int) -> DataKey:
        return self.keys[version]

    def all(self, account: str) -> list[tuple[None, DataKey]]:
        return [(None, key) for key in self.keys.values()]
