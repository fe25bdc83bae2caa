"""What the run-time role of PostgreSQL may do: what it is granted, and what it is refused to start with."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from policy_service.errors import Refused

SCHEMA = "policy_service"
_NAMES = {"schema": SCHEMA, "private": f"{SCHEMA}_private"}

_GRANTS = {
    ("entity", "element", "relationship", "blind", "kinds", "layout"): ("SELECT", "INSERT", "UPDATE", "DELETE"),
    ("trail_entry", "trail_link", "trail_head", "data_key"): ("SELECT", "INSERT"),
    ("tenant", "alembic_version_control", "alembic_version_tenant"): ("SELECT",),
}
_GRANTED = {(table, privilege) for tables, given in _GRANTS.items() for table in tables for privilege in given}

# every role that one statement could make of us: a membership that is not inherited is one `SET ROLE` away
_ROLES = """
WITH mine AS (
  SELECT * FROM pg_roles
  WHERE pg_has_role(current_user, oid, 'MEMBER') OR pg_has_role(session_user, oid, 'MEMBER')
), ours AS (
  SELECT oid, nspowner FROM pg_namespace WHERE nspname IN (%(schema)s, %(private)s)
)
"""
_POWERS = f"""{_ROLES}
SELECT
  coalesce(has_schema_privilege(current_user, to_regnamespace(%(schema)s), 'USAGE'), false) AS usable,
  bool_or(rolsuper) AS "is a superuser",
  bool_or(rolbypassrls) AS "bypasses row level security",
  bool_or(rolcreaterole OR rolreplication) AS "may make roles or copy the database",
  bool_or(rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_execute_server_program', 'pg_read_server_files',
    'pg_write_server_files')) AS "reads or writes everything",
  bool_or(oid IN (
    SELECT datdba FROM pg_database WHERE datname = current_database() UNION SELECT nspowner FROM ours
    UNION SELECT relowner FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours)
    UNION SELECT proowner FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)
  )) AS "owns tables, or is a member of the role that does",
  bool_or(coalesce(has_schema_privilege(oid, to_regnamespace(%(schema)s), 'CREATE'), false)) AS "may create tables",
  bool_or(coalesce(has_schema_privilege(oid, to_regnamespace(%(private)s), 'USAGE'), false))
    AS "may read the keys of tenants' contexts"
FROM mine
"""  # noqa: S608  of our own words alone
_PRIVILEGES = f"""{_ROLES}
SELECT DISTINCT relname, privilege FROM pg_class, mine,
  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
WHERE relnamespace = to_regnamespace(%(schema)s) AND relkind IN ('r', 'p', 'v', 'm', 'f')
  AND CASE WHEN privilege IN ('DELETE', 'TRUNCATE', 'TRIGGER')
    THEN has_table_privilege(mine.oid, pg_class.oid, privilege)
    ELSE has_any_column_privilege(mine.oid, pg_class.oid, privilege) END
"""  # noqa: S608
# a second policy would let in what the first keeps out
_UNPROTECTED = """
SELECT relname FROM pg_class
WHERE relnamespace = to_regnamespace(%(schema)s) AND relkind IN ('r', 'p') AND relname NOT LIKE 'alembic_version%%'
  AND NOT (relrowsecurity AND relforcerowsecurity AND (
    SELECT count(*) = 1 AND bool_and(pg_get_expr(polqual, polrelid) LIKE '%%current_account()%%'
      AND pg_get_expr(polwithcheck, polrelid) LIKE '%%current_account()%%')
    FROM pg_policy WHERE polrelid = pg_class.oid))
ORDER BY relname
"""


def refuse_power(engine: Engine) -> None:
    """See that the role of `DATABASE_URL` can't go around row level security; else `Refused`."""
    with engine.connect() as connection:
        powers = dict(connection.exec_driver_sql(_POWERS, _NAMES).mappings().one())
        privileges = {(table, privilege) for table, privilege in connection.exec_driver_sql(_PRIVILEGES, _NAMES)}
        unprotected = connection.exec_driver_sql(_UNPROTECTED, _NAMES).scalars().all()
    usable = powers.pop("usable")
    for power, held in powers.items():
        if held:
            raise Refused(f"the role of DATABASE_URL {power}: name another, which owns nothing")
    if not usable:
        raise Refused("the role of DATABASE_URL may not use the tables, run `policy-service db upgrade`")
    for table, privilege in sorted(privileges - _GRANTED):
        what = f"the role of DATABASE_URL has the privilege {privilege} on `{table}`"
        raise Refused(f"{what}, revoke it or run `policy-service db upgrade`")
    if unprotected:
        raise Refused(f"the table `{unprotected[0]}` has no row level security of ours, restore its policy `account`")


def grant(connection: Connection, role: str) -> None:
    """What the run-time role may do, and nothing else; for the owner, after each upgrade."""
    name = connection.dialect.identifier_preparer.quote(role)
    for statement in (
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {name}, PUBLIC",
        f"REVOKE ALL ON SCHEMA {SCHEMA} FROM {name}, PUBLIC",
        f"REVOKE ALL ON FUNCTION {SCHEMA}.current_account() FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {name}",
        f"GRANT EXECUTE ON FUNCTION {SCHEMA}.current_account() TO {name}",
        *(f"GRANT {', '.join(given)} ON {', '.join(tables)} TO {name}" for tables, given in _GRANTS.items()),
    ):
        connection.exec_driver_sql(statement)
