"""Attacks by whoever can run any SQL as the run-time role, in a session of another tenant, as an injection would.

Each holds with the defences in place; where it is cheap, the one that stops it is taken out to see that it does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from policy_service.errors import StoreFailed
from policy_service.store import context
from policy_service.store.door import Store
from tests.store.conftest import Town
from tests.store.rows import MINE, SECRETS, TABLES, THEIRS, entity, unharmed
from tests.stores import OWNER, RUNTIME

SETTING = context.SETTING
TOKEN = f"current_setting('{SETTING}')"
THERE = "9999999999"


def run(session: Session, statements: str) -> list[tuple[Any, ...]]:
    """Statements as they are, many at once, which the driver sends without parameters."""
    driver: Any = session.connection().connection.driver_connection
    cursor = driver.execute(statements)
    while cursor.nextset():
        pass
    return list(cursor.fetchall()) if cursor.description else []


def attack(store: Store, statements: str, *, commit: bool = False) -> list[tuple[Any, ...]]:
    """What an injection finds in a session of ours."""
    with store.session(MINE, write=True) as session:
        found = run(session, statements)
        if not commit:
            session.rollback()
    return found


def set_context(token: str) -> str:
    """A statement that sets the context and reads with it at once."""
    return f"SELECT e.display_name FROM (SELECT set_config('{SETTING}', {token}, true) OFFSET 0) x, entity e"


FORGED = {
    "unsigned": f"'{THEIRS}'",
    "signed_by_nobody": f"'{THEIRS}.{THERE}.' || repeat('0', 64)",
    "ours_with_their_name": f"replace({TOKEN}, '{MINE}', '{THEIRS}')",
    "theirs_before_ours": f"'{THEIRS}.' || {TOKEN}",
    "ours_for_longer": f"regexp_replace({TOKEN}, '[.][0-9]+[.]', '.{THERE}.')",
    "ours_without_end": f"regexp_replace({TOKEN}, '[.][0-9]+[.]', '..')",
    "ours_and_more": f"{TOKEN} || '.x'",
    "upper_case": f"upper({TOKEN})",
    "a_space": f"{TOKEN} || ' '",
    "two_parts": f"'{THEIRS}.{THERE}'",
    "no_number": f"'{THEIRS}.never.' || repeat('0', 64)",
    "service": f"replace({TOKEN}, '{MINE}', '@service')",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_context_is_refused(village: Town, name: str) -> None:
    with pytest.raises(StoreFailed, match="context was refused, see that the clocks"):
        attack(village.store, set_context(FORGED[name]))


def test_no_context_sees_nothing(village: Town) -> None:
    for token in ("''", "NULL"):
        for table in TABLES:
            taken = f"SELECT e FROM (SELECT set_config('{SETTING}', {token}, true) OFFSET 0) x, {table} e"
            assert attack(village.store, taken) == []
    engine = village.store.databases._engine  # type: ignore[attr-defined]
    with engine.connect() as connection:
        for table in TABLES:
            assert connection.exec_driver_sql(f"SELECT * FROM {table}").all() == []
        assert connection.exec_driver_sql("SELECT account_id FROM data_key").scalars().all() == ["@service"]
        assert connection.exec_driver_sql("SELECT account_id FROM tenant").all() == []


@contextmanager
def taken_out(town: Town, without: str, again: str) -> Iterator[None]:
    """A defence is gone while the block runs."""
    town.own(without)
    try:
        yield
    finally:
        town.own(again)


def policy(condition: str, table: str = "entity") -> str:
    return f"ALTER POLICY account ON policy_service.{table} USING ({condition}) WITH CHECK ({condition})"


OURS = "account_id = (SELECT policy_service.current_account())"
PLAIN = f"account_id = current_setting('{SETTING}', true)"


def test_an_unsigned_context_would_be_no_defence(village: Town) -> None:
    with taken_out(village, policy(PLAIN), policy(OURS)):
        assert (SECRETS[THEIRS],) in attack(village.store, set_context(f"'{THEIRS}'"))


def test_whoever_read_the_key_would_sign_anything(village: Town) -> None:
    forge = f"""SELECT '{THEIRS}.' || at || '.' || encode(sha256(outer_pad || sha256(inner_pad ||
      convert_to('{THEIRS}.' || at, 'UTF8'))), 'hex')
      FROM policy_service_private.context_key,
      (SELECT extract(epoch FROM now() + interval '1 minute')::bigint AS at) t"""
    with pytest.raises(StoreFailed, match="the role may not do this"):
        attack(village.store, forge)
    given, revoked = (
        f"{act} USAGE ON SCHEMA policy_service_private {way} {RUNTIME}; "
        f"{act} SELECT ON policy_service_private.context_key {way} {RUNTIME}"
        for act, way in (("GRANT", "TO"), ("REVOKE", "FROM"))
    )
    with taken_out(village, given, revoked):
        assert (SECRETS[THEIRS],) in attack(village.store, set_context(f"({forge})"))


def test_a_context_ends(village: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    key = village.store.keys.active("@service").derive(context.USE)
    with monkeypatch.context() as patch:
        patch.setattr(context, "time", lambda: time.time() - context.SECONDS - 5)
        seen = context.mint(key, THEIRS)
        patch.setattr(context, "time", lambda: time.time() + context.SKEW_SECONDS + 5)
        ahead = context.mint(key, THEIRS)
    for token in (seen, ahead):
        with pytest.raises(StoreFailed, match="see that the clocks of service and database agree"):
            attack(village.store, set_context(f"'{token}'"))
    # one that is still good opens what it says: it must never be seen by another
    assert (SECRETS[THEIRS],) in attack(village.store, set_context(f"'{context.mint(key, THEIRS)}'"))


def test_others_statements_show_neither_their_context_nor_their_values(village: Town) -> None:
    with village.store.session(THEIRS) as theirs:
        theirs.execute(text("SELECT id FROM entity WHERE display_name = :name"), {"name": SECRETS[THEIRS]}).all()
        mine = attack(village.store, "SELECT query FROM pg_stat_activity")
        token = theirs.scalar(text(f"SELECT {TOKEN}"))
        spied = attack(village.store, "SELECT query FROM pg_stat_activity")
    seen = repr(mine) + repr(spied)
    assert "display_name = $1" in seen
    assert SECRETS[THEIRS] not in seen
    assert token.rsplit(".")[-1] not in seen


READS = (
    "SELECT display_name FROM entity",
    f"SELECT display_name FROM entity WHERE account_id = '{THEIRS}' OR true",
    f"SELECT value FROM element WHERE account_id = '{THEIRS}'",
    "SELECT body FROM ONLY trail_entry",
    "SELECT display_name FROM entity TABLESAMPLE SYSTEM (100)",
    "SELECT display_name FROM entity FOR UPDATE",
    "TABLE relationship",
    "SELECT to_json(e)::text FROM entity e",
    "SELECT most_common_vals::text FROM pg_stats WHERE schemaname = 'policy_service'",
    "SELECT count(*) FROM pg_stats WHERE schemaname = 'policy_service' AND tablename = 'entity'",
    "SELECT account_id FROM tenant",
    "SELECT account_id, wrapped FROM data_key",
    "SELECT prosrc FROM pg_proc WHERE proname = 'current_account'",
    "SELECT setting FROM pg_settings",
    "WITH RECURSIVE r AS (SELECT display_name FROM entity UNION SELECT e.display_name FROM r, entity e) TABLE r",
    "BEGIN; SELECT display_name FROM entity",
    "SAVEPOINT a; ROLLBACK TO a; SELECT display_name FROM entity",
    "SET LOCAL enable_indexscan = off; SET LOCAL enable_seqscan = off; SELECT display_name FROM entity",
    "DEALLOCATE ALL; PREPARE a AS SELECT display_name FROM entity; EXECUTE a",
    "DECLARE a CURSOR FOR SELECT display_name FROM entity; FETCH ALL a",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*there is already a transaction in progress")
@pytest.mark.parametrize("statements", READS)
def test_reads_show_our_rows_alone(village: Town, statements: str) -> None:
    village.own("ANALYZE")
    found = repr(attack(village.store, statements))
    assert SECRETS[THEIRS] not in found
    assert f"'{THEIRS}'" not in found


def test_without_its_policy_every_read_would_show_theirs(village: Town) -> None:
    with taken_out(
        village,
        "ALTER TABLE policy_service.entity DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE policy_service.entity ENABLE ROW LEVEL SECURITY",
    ):
        shown = [SECRETS[THEIRS] in repr(attack(village.store, statements)) for statements in READS]
    assert shown.count(True) > 10


def test_a_function_sees_no_row_before_the_policy_did(village: Town) -> None:
    """Of one that costs nothing, the planner would like to make the first condition."""
    leak = """CREATE FUNCTION pg_temp.leak(said text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
      $$ BEGIN IF said = '{0}' THEN RAISE 'seen'; END IF; RETURN true; END $$;
      SELECT count(*) FROM entity WHERE pg_temp.leak(display_name)"""
    assert attack(village.store, leak.format(SECRETS[THEIRS])) == [(2,)]
    with pytest.raises(StoreFailed) as caught:
        attack(village.store, leak.format(SECRETS[MINE]))
    assert "seen" in str(caught.value.__cause__)


def test_errors_tell_nothing_of_rows_that_are_not_ours(village: Town) -> None:
    divide = "SELECT 1 / (length(display_name) - {1}) FROM entity WHERE account_id = '{0}'"
    assert attack(village.store, divide.format(THEIRS, len(SECRETS[THEIRS]))) == []
    with pytest.raises(StoreFailed):
        attack(village.store, divide.format(MINE, len(SECRETS[MINE])))


REFUSED = (
    "TABLE policy_service_private.context_key",
    "TRUNCATE entity",
    "TRUNCATE entity CASCADE",
    "DROP TABLE entity CASCADE",
    "ALTER TABLE entity DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE entity NO FORCE ROW LEVEL SECURITY",
    f"ALTER TABLE entity OWNER TO {RUNTIME}",
    "DROP POLICY account ON entity",
    "CREATE POLICY more ON entity USING (true)",
    "ALTER POLICY account ON entity USING (true)",
    "CREATE TRIGGER t BEFORE INSERT ON entity EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE r AS ON SELECT TO entity DO ALSO SELECT 1",
    "CREATE INDEX ON entity (id)",
    "CREATE VIEW policy_service.v AS SELECT 1",
    "CREATE TABLE policy_service.t (i int)",
    "CREATE TABLE public.t (a text, i text, FOREIGN KEY (a, i) REFERENCES entity)",
    "CREATE TEMP TABLE t (a text, i text, FOREIGN KEY (a, i) REFERENCES entity)",
    "CREATE OR REPLACE FUNCTION policy_service.current_account() RETURNS text LANGUAGE sql AS $$ SELECT 'globex' $$",
    "ALTER FUNCTION policy_service.current_account() SECURITY INVOKER",
    "CREATE FUNCTION policy_service.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
    "ALTER FUNCTION jsonb_contains LEAKPROOF",
    "CREATE EXTENSION pgcrypto",
    "CREATE ROLE helper SUPERUSER",
    f"ALTER ROLE {RUNTIME} BYPASSRLS",
    f"GRANT {OWNER} TO {RUNTIME}",
    f"SET ROLE {OWNER}",
    f"SET SESSION AUTHORIZATION {OWNER}",
    "RESET ROLE; SET ROLE postgres",
    "SET session_replication_role = replica",
    "SET row_security = off; SELECT * FROM entity",
    "SELECT starelid FROM pg_statistic",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "COPY entity FROM STDIN",
    "COPY entity TO '/tmp/stolen'",
    "COPY entity TO PROGRAM 'cat'",
    "LOCK TABLE entity IN ACCESS EXCLUSIVE MODE; DROP TABLE entity",
    "UPDATE trail_entry SET body = 'x'",
    "DELETE FROM trail_entry",
    "TRUNCATE trail_link",
    "UPDATE trail_link SET hash = ''",
    "DELETE FROM trail_head",
    "INSERT INTO trail_entry TABLE trail_entry ON CONFLICT (account_id, id) DO UPDATE SET body = 'x'",
    "UPDATE data_key SET state = 'old'",
    "DELETE FROM data_key",
    "INSERT INTO tenant VALUES ('acme2', 'active', 1, 1)",
    "UPDATE tenant SET state = 'active'",
    "DELETE FROM tenant",
    "DELETE FROM alembic_version_tenant",
)


@pytest.mark.parametrize("statements", REFUSED)
def test_what_the_role_may_not_do(village: Town, statements: str) -> None:
    with unharmed(village.store), unharmed(village.store, MINE), pytest.raises(StoreFailed):
        attack(village.store, statements)


WRITES = (
    f"INSERT INTO element VALUES ('{THEIRS}', 'a', 'b', '1')",
    f"INSERT INTO blind VALUES ('{THEIRS}', '1', 'a', '\\x00')",
    f"INSERT INTO trail_entry VALUES ('{THEIRS}', 'x', 'forged')",
    f"INSERT INTO trail_head VALUES ('{THEIRS}', 9, '', 1, '')",
    f"INSERT INTO data_key VALUES ('{THEIRS}', 9, '', '', 'active', 1)",
    "INSERT INTO data_key VALUES ('@service', 9, '', '', 'active', 1)",
    f"INSERT INTO trail_entry VALUES ('{THEIRS}', 't', 'x') ON CONFLICT DO NOTHING",
    f"INSERT INTO element VALUES ('{THEIRS}','note','{SECRETS[THEIRS]}','1') ON CONFLICT (account_id, name, value, id)"
    " DO UPDATE SET value = 'x'",
    f"UPDATE entity SET account_id = '{THEIRS}', id = 'moved' WHERE id = '2'",
    f"UPDATE entity SET account_id = '{THEIRS}'",
    f"WITH gone AS (DELETE FROM element RETURNING *) INSERT INTO element SELECT '{THEIRS}', name, value, id FROM gone",
    f"MERGE INTO element e USING (SELECT 1) x ON false WHEN NOT MATCHED THEN INSERT VALUES ('{THEIRS}','a','b','1')",
)


@pytest.mark.parametrize("statements", WRITES)
def test_no_row_gets_into_another_account(village: Town, statements: str) -> None:
    with unharmed(village.store), pytest.raises(StoreFailed, match="the role may not do this"):
        attack(village.store, statements, commit=True)
    # the database says which rule it was, to whoever reads the service's own log
    with pytest.raises(StoreFailed) as caught:
        attack(village.store, statements)
    assert "row-level security" in str(caught.value.__cause__)


@pytest.mark.parametrize("table", [name for name in TABLES if not name.startswith("trail")])
def test_changes_meet_our_rows_alone(village: Town, table: str) -> None:
    with unharmed(village.store):
        for statement in (f"UPDATE {table} SET account_id = account_id", f"DELETE FROM {table}"):
            assert attack(village.store, f"{statement} WHERE account_id = '{THEIRS}' RETURNING *") == []
            found = attack(village.store, f"{statement} RETURNING account_id")
            assert set(found) == {(MINE,)}


def test_copying_out_shows_our_rows_alone(village: Town) -> None:
    with village.store.session(MINE) as session:
        driver: Any = session.connection().connection.driver_connection
        for source in ("entity", "(SELECT * FROM entity)"):
            with driver.cursor().copy(f"COPY {source} TO STDOUT") as copied:
                found = b"".join(bytes(part) for part in copied)
            assert SECRETS[MINE].encode() in found
            assert SECRETS[THEIRS].encode() not in found


def test_a_view_of_the_owner_is_filtered_and_one_of_a_superuser_is_not(village: Town) -> None:
    """Why a start is refused where the role may read any view (see the tests of roles)."""
    view = "CREATE VIEW policy_service.v AS SELECT * FROM policy_service.entity"
    given = f"GRANT SELECT ON policy_service.v TO {RUNTIME}"
    for owner, leaks in ((OWNER, False), ("postgres", True)):
        village.own(view, f"ALTER VIEW policy_service.v OWNER TO {owner}", given)
        try:
            assert (SECRETS[THEIRS] in repr(attack(village.store, "SELECT * FROM v"))) is leaks
        finally:
            village.own("DROP VIEW policy_service.v")


def copied(id_: str, **given: str) -> str:
    """A statement that adds an entity like the first one of the session's account."""
    changed = json.dumps({"id": id_, "key": id_} | given)
    columns = ", ".join(["account_id", *entity(id_)])
    held = ", ".join(f"(jsonb_populate_record(e, '{changed}')).{name}" for name in ["account_id", *entity(id_)])
    return f"INSERT INTO entity ({columns}) SELECT {held} FROM entity e WHERE id = '1'"


def test_a_unique_key_is_no_oracle(village: Town) -> None:
    with village.store.session(THEIRS, write=True) as session:
        run(session, "UPDATE entity SET key = 'only-theirs', scope = 's' WHERE id = '2'")
    insert = copied("only-ours", key="only-theirs", scope="s")
    attack(village.store, insert)
    with (
        taken_out(
            village,
            "CREATE UNIQUE INDEX oracle ON policy_service.entity (source, scope, key) WHERE key = 'only-theirs'",
            "DROP INDEX policy_service.oracle",
        ),
        pytest.raises(StoreFailed) as caught,
    ):
        attack(village.store, insert)
    assert "oracle" in str(caught.value.__cause__)


def test_the_same_ids_are_told_apart_in_references(village: Town) -> None:
    with village.store.session(THEIRS, write=True) as session:
        run(session, copied("gone"))
    with pytest.raises(StoreFailed):
        attack(village.store, f"INSERT INTO element VALUES ('{MINE}', 'a', 'b', 'gone')")
    # what is deleted with an entity is of its account
    with unharmed(village.store):
        attack(village.store, "DELETE FROM entity", commit=False)


def test_an_injected_value_reads_our_rows_alone(village: Town) -> None:
    evil = f"x' UNION SELECT display_name FROM entity WHERE account_id = '{THEIRS}' OR '1' = '1"
    with village.store.session(MINE) as session:
        found = session.scalars(text(f"SELECT display_name FROM entity WHERE id = '{evil}'")).all()
    assert set(found) == {SECRETS[MINE]}


def test_a_reading_session_writes_nothing(village: Town) -> None:
    for statements in ("DELETE FROM entity", "SET LOCAL transaction_read_only = off; DELETE FROM entity"):
        with pytest.raises(StoreFailed), village.store.session(MINE) as session:
            run(session, statements)
    with pytest.raises(StoreFailed), village.store.session(MINE) as session:
        session.execute(text("DELETE FROM entity"))
