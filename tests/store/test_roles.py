"""A start is refused where the run-time role could go around row level security, or where the tables are not ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from policy_service.errors import PolicyServiceError, Refused, StoreFailed
from policy_service.store.door import Store
from policy_service.store.opening import open_store
from policy_service.store.upgrading import upgrade
from tests.store.conftest import Town
from tests.store.rows import MINE, SECRETS, TABLES, see
from tests.stores import OWNER, RUNTIME, Cluster, Place, admin_url, make_place

HELPER = "policy_helper"


def start(place: Place) -> Store:
    """The store as a server opens it, closed at once."""
    store = open_store(place.settings)
    store.close()
    return store


@contextmanager
def changed(town: Town, change: str, back: str) -> Iterator[None]:
    """The database is another while the block runs. Roles belong to the cluster, so they are put back for certain."""
    town.own(change)
    try:
        yield
    finally:
        town.own(back)


def test_the_role_as_it_is_made_may_start(village: Town) -> None:
    start(village.place)


def test_the_role_owns_nothing_and_goes_around_nothing(village: Town) -> None:
    role = f"FROM pg_roles WHERE rolname = '{RUNTIME}'"
    assert village.own(f"SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication {role}") == [
        (False,) * 5
    ]
    for catalog, owner in (("pg_class", "relowner"), ("pg_proc", "proowner"), ("pg_namespace", "nspowner")):
        assert village.own(f"SELECT * FROM {catalog} WHERE {owner} = (SELECT oid {role})") == []
    assert village.own(f"SELECT * FROM pg_auth_members WHERE member = (SELECT oid {role})") == []
    assert village.own(f"SELECT * FROM pg_database WHERE datdba = (SELECT oid {role})") == []


def test_row_level_security_is_forced_with_one_policy_on_every_table(village: Town) -> None:
    found = village.own(
        "SELECT relname, relrowsecurity, relforcerowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid)"
        " FROM pg_class c WHERE relnamespace = 'policy_service'::regnamespace AND relkind IN ('r', 'p')"
        " AND relname NOT LIKE 'alembic_version%' ORDER BY relname"
    )
    assert found == [(name, True, True, 1) for name in sorted((*TABLES, "tenant", "data_key"))]


ATTRIBUTES = {
    "is a superuser": ("SUPERUSER", "NOSUPERUSER"),
    "bypasses row level security": ("BYPASSRLS", "NOBYPASSRLS"),
    "may make roles or copy the database": ("CREATEROLE", "NOCREATEROLE"),
    "may make roles or copy the database ": ("REPLICATION", "NOREPLICATION"),
}


@pytest.mark.parametrize("sentence", ATTRIBUTES)
def test_attributes_of_the_role_are_refused(village: Town, sentence: str) -> None:
    given, taken = ATTRIBUTES[sentence]
    refused = pytest.raises(Refused, match=f"role of DATABASE_URL {sentence.strip()}: name another, which owns nothing")
    with changed(village, f"ALTER ROLE {RUNTIME} {given}", f"ALTER ROLE {RUNTIME} {taken}"), refused:
        start(village.place)


POWERS = {
    "owner_member": (f"GRANT {OWNER} TO {RUNTIME}", f"REVOKE {OWNER} FROM {RUNTIME}", "a member of the role that does"),
    "owner_member_without_rights": (
        f"GRANT {OWNER} TO {RUNTIME} WITH INHERIT FALSE",
        f"REVOKE {OWNER} FROM {RUNTIME}",
        "a member of the role that does",
    ),
    "member_of_a_bypasser": (
        f"CREATE ROLE {HELPER} BYPASSRLS; GRANT {HELPER} TO {RUNTIME} WITH INHERIT FALSE",
        f"DROP ROLE {HELPER}",
        "bypasses row level security",
    ),
    "reads_everything": (
        f"GRANT pg_read_all_data TO {RUNTIME}",
        f"REVOKE pg_read_all_data FROM {RUNTIME}",
        "reads or writes everything",
    ),
    "reads_files": (
        f"GRANT pg_read_server_files TO {RUNTIME}",
        f"REVOKE pg_read_server_files FROM {RUNTIME}",
        "reads or writes everything",
    ),
    "owns_a_table": (
        f"ALTER TABLE policy_service.blind OWNER TO {RUNTIME}",
        f"ALTER TABLE policy_service.blind OWNER TO {OWNER}",
        "owns tables",
    ),
    "owns_the_function": (
        f"ALTER FUNCTION policy_service.current_account() OWNER TO {RUNTIME}",
        f"ALTER FUNCTION policy_service.current_account() OWNER TO {OWNER}",
        "owns tables",
    ),
    "owns_the_schema": (
        f"ALTER SCHEMA policy_service_private OWNER TO {RUNTIME}",
        f"ALTER SCHEMA policy_service_private OWNER TO {OWNER}",
        "owns tables",
    ),
    "makes_tables": (
        f"GRANT CREATE ON SCHEMA policy_service TO {RUNTIME}",
        f"REVOKE CREATE ON SCHEMA policy_service FROM {RUNTIME}",
        "may create tables",
    ),
    "reads_the_key_of_contexts": (
        f"GRANT USAGE ON SCHEMA policy_service_private TO {RUNTIME}",
        f"REVOKE USAGE ON SCHEMA policy_service_private FROM {RUNTIME}",
        "may read the keys of tenants' contexts",
    ),
    "may_not_use_the_tables": (
        f"REVOKE USAGE ON SCHEMA policy_service FROM {RUNTIME}",
        f"GRANT USAGE ON SCHEMA policy_service TO {RUNTIME}",
        "may not use the tables, run `policy-service db upgrade`",
    ),
    "was_another_role_before": (
        f"ALTER ROLE {HELPER} SET role = {RUNTIME}",
        f"ALTER ROLE {HELPER} RESET role",
        "is a superuser",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", POWERS)
def test_ways_to_more_power_are_refused(village: Town, name: str) -> None:
    change, back, sentence = POWERS[name]
    place = village.place
    if name == "was_another_role_before":
        assert place.cluster is not None
        place = replace(place, settings=_as_role(place, HELPER))
        change, back = f"CREATE ROLE {HELPER} SUPERUSER LOGIN; {change}", f"DROP ROLE {HELPER}"
    with changed(village, change, back), pytest.raises(Refused, match=sentence):
        start(place)


def _as_role(place: Place, role: str) -> object:
    assert place.cluster is not None
    return replace(place.settings, database_url=place.cluster.url(role, place.database))


PRIVILEGES = (
    ("TRUNCATE", "entity", RUNTIME),
    ("TRIGGER", "entity", RUNTIME),
    ("REFERENCES", "entity", "PUBLIC"),
    ("UPDATE", "trail_entry", RUNTIME),
    ("DELETE", "trail_link", "PUBLIC"),
    ("INSERT", "tenant", RUNTIME),
    ("UPDATE", "data_key", RUNTIME),
    ("UPDATE", "alembic_version_tenant", RUNTIME),
)


@pytest.mark.parametrize(("privilege", "table", "role"), PRIVILEGES)
def test_privileges_that_were_not_given_by_us_are_refused(village: Town, privilege: str, table: str, role: str) -> None:
    words = f"{privilege} ON policy_service.{table}"
    with changed(village, f"GRANT {words} TO {role}", f"REVOKE {words} FROM {role}"):
        with pytest.raises(Refused, match=rf"has the privilege {privilege} on `{table}`"):
            start(village.place)
        # the owner's command gives what is needed and takes the rest
        with admin_url(village.place.admin):
            upgrade(village.place.settings, lambda *_: None)
        start(village.place)


def test_a_privilege_on_one_column_is_one(village: Town) -> None:
    words = "UPDATE (body) ON policy_service.trail_entry"
    given, taken = f"GRANT {words} TO {RUNTIME}", f"REVOKE {words} FROM {RUNTIME}"
    with changed(village, given, taken), pytest.raises(Refused, match="privilege UPDATE on `trail_entry`"):
        start(village.place)


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_views_are_refused(village: Town, kind: str) -> None:
    make = f"CREATE {kind} policy_service.v AS SELECT * FROM policy_service.entity; GRANT SELECT ON policy_service.v TO"
    drop = f"DROP {kind} policy_service.v"
    with changed(village, f"{make} {RUNTIME}", drop), pytest.raises(Refused, match="privilege SELECT on `v`"):
        start(village.place)


UNPROTECTED = {
    "not_forced": ("ALTER TABLE entity NO FORCE ROW LEVEL SECURITY", "ALTER TABLE entity FORCE ROW LEVEL SECURITY"),
    "not_enabled": ("ALTER TABLE entity DISABLE ROW LEVEL SECURITY", "ALTER TABLE entity ENABLE ROW LEVEL SECURITY"),
    "another_policy": ("CREATE POLICY more ON entity USING (true)", "DROP POLICY more ON entity"),
    "another_policy_like_ours": (
        "CREATE POLICY more ON entity USING (current_account() <> '') WITH CHECK (current_account() <> '')",
        "DROP POLICY more ON entity",
    ),
    "an_unsigned_context": (
        "ALTER POLICY account ON entity USING (account_id = current_setting('policy_service.account', true))",
        "ALTER POLICY account ON entity USING (account_id = (SELECT current_account()))",
    ),
    "unchecked_writes": (
        "ALTER POLICY account ON entity WITH CHECK (true)",
        "ALTER POLICY account ON entity WITH CHECK (account_id = (SELECT current_account()))",
    ),
    "the_keys": ("ALTER TABLE data_key NO FORCE ROW LEVEL SECURITY", "ALTER TABLE data_key FORCE ROW LEVEL SECURITY"),
}


@pytest.mark.parametrize("name", UNPROTECTED)
def test_a_table_without_our_row_level_security_is_refused(village: Town, name: str) -> None:
    change, back = (f"SET search_path = policy_service; {text}" for text in UNPROTECTED[name])
    table = "data_key" if name == "the_keys" else "entity"
    with changed(village, change, back), pytest.raises(Refused, match=f"`{table}` has no row level security of ours"):
        start(village.place)


def test_a_database_without_our_tables_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    empty = "policy_empty"
    cluster.execute(f"CREATE DATABASE {empty} OWNER {OWNER}")
    try:
        place = _there(cluster, empty, tmp_path)
        with pytest.raises(Refused, match="run `policy-service db upgrade`"):
            start(place)
    finally:
        cluster.drop_database(empty)


def _there(cluster: Cluster, database: str, folder: Path) -> Place:
    from policy_service.config import Settings

    settings = Settings(data=folder, database_url=cluster.url(RUNTIME, database), keyring=str(cluster.keyring))
    return Place("postgresql", settings, cluster.url(OWNER, database), cluster, database)


def test_no_database_at_all_is_a_failure(village: Town) -> None:
    place = replace(village.place, settings=_as_role(village.place, "nobody"))
    with pytest.raises(StoreFailed):
        start(place)


VERSIONS = {
    "a newer tenant schema": (
        "alembic_version_tenant",
        "tenant_9999",
        r"a newer version of this program \(`tenant_9999`",
    ),
    "control": ("alembic_version_control", "x", "newer version of this program"),
}


@pytest.mark.parametrize("name", VERSIONS)
def test_a_newer_schema_in_postgresql_is_refused_and_not_touched(village: Town, name: str) -> None:
    table, revision, sentence = VERSIONS[name]
    kept = village.own(f"SELECT version_num FROM policy_service.{table}")[0][0]
    update = f"UPDATE policy_service.{table} SET version_num ="
    with changed(village, f"{update} '{revision}'", f"{update} '{kept}'"):
        for act in (start, _upgrade):
            with pytest.raises(Refused, match=sentence):
                act(village.place)
        assert village.own(f"SELECT version_num FROM policy_service.{table}") == [(revision,)]
    start(village.place)


def _upgrade(place: Place) -> None:
    with admin_url(place.admin):
        upgrade(place.settings, lambda *_: None)


def test_an_upgrade_that_was_not_made_is_asked_for(village: Town) -> None:
    kept = village.own("SELECT version_num FROM policy_service.alembic_version_tenant")[0][0]
    change = "DELETE FROM policy_service.alembic_version_tenant"
    back = f"INSERT INTO policy_service.alembic_version_tenant VALUES ('{kept}')"
    with changed(village, change, back), pytest.raises(Refused, match="run `policy-service db upgrade`"):
        start(village.place)


@pytest.mark.parametrize("history", ["tenant", "control"])
def test_a_newer_schema_in_a_file_is_refused_and_not_touched(
    history: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from policy_service.store.sqlcipher import connect

    with make_place("sqlite", tmp_path, request) as place:
        store = place.open()
        account = MINE if history == "tenant" else "@service"
        path, key = store.databases.path(account), store.keys.active(account)  # type: ignore[attr-defined]
        store.close()
        connection = connect(path, key)
        connection.execute(f"UPDATE alembic_version_{history} SET version_num = 'later'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(PolicyServiceError, match=r"newer version of this program \(`later`\), install that one"):
            see(open_store(place.settings), MINE)
        assert path.read_bytes() == before


def test_an_owner_can_be_kept_apart_from_the_run_time_role(village: Town) -> None:
    """The command of the owner sees a tenant's rows in that tenant's context alone: security is forced on it too."""
    with village.place.as_owner() as store:
        assert SECRETS[MINE] in repr(see(store, MINE))
        engine = store.databases._engine  # type: ignore[attr-defined]
        with engine.connect() as connection:
            for table in TABLES:
                assert connection.exec_driver_sql(f"SELECT * FROM {table}").all() == []
