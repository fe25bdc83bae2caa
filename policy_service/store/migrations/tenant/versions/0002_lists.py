"""What lists start from: columns of common properties, indexes to sort by, kinds of values, the layout of elements."""

import sqlalchemy as sa
from alembic import op

from policy_service.store.tables import Name

revision = "tenant_0002"
down_revision = "tenant_0001"

PROMOTED = {
    "active": "bool",
    "classification": "text",
    "criticality": "long",
    "environment": "text",
    "name": "text",
    "owner": "text",
    "public": "bool",
    "status": "text",
}
SORTED = ("name_start", "key", "created_on", "begin_on")
# a row of an index of PostgreSQL has no room for more
BYTES, CHARACTERS = 1_000, 200
# jsonb is cast only where it is of the kind: a cast that fails stops the statement, whatever else its condition says
POSTGRESQL = {
    "bool": "boolean GENERATED ALWAYS AS (CASE WHEN jsonb_typeof(properties -> '{0}') = 'boolean' "
    "THEN (properties ->> '{0}')::boolean END) STORED",
    "long": "bigint GENERATED ALWAYS AS (CASE WHEN jsonb_typeof(properties -> '{0}') = 'number' "
    "THEN (properties ->> '{0}')::bigint END) STORED",
    "text": "text COLLATE \"C\" GENERATED ALWAYS AS (CASE WHEN jsonb_typeof(properties -> '{0}') = 'string' "
    f"AND octet_length(properties ->> '{{0}}') <= {BYTES} THEN properties ->> '{{0}}' END) STORED",
}
SQLITE = {
    "bool": "BOOLEAN GENERATED ALWAYS AS (CASE json_type(properties, '$.{0}') WHEN 'true' THEN 1 WHEN 'false' THEN 0 "
    "END) VIRTUAL",
    "long": "BIGINT GENERATED ALWAYS AS (CASE WHEN json_type(properties, '$.{0}') = 'integer' "
    "THEN properties ->> '$.{0}' END) VIRTUAL",
    "text": "TEXT GENERATED ALWAYS AS (CASE WHEN json_type(properties, '$.{0}') = 'text' "
    f"AND length(CAST(properties ->> '$.{{0}}' AS BLOB)) <= {BYTES} THEN properties ->> '$.{{0}}' END) VIRTUAL",
}
START = {
    "postgresql": f'text COLLATE "C" GENERATED ALWAYS AS (left(display_name, {CHARACTERS})) STORED',
    "sqlite": f"TEXT GENERATED ALWAYS AS (substr(display_name, 1, {CHARACTERS})) VIRTUAL",
}

# how many rows a file of some size has, and how many of them have the same in the first column of an index, in the
# first two, and so on. By these SQLite chooses between indexes: nothing else looks at what a file has, and without
# them it takes each for as good as the other
ASSETS = {
    "sqlite_autoindex_{0}_1": "100000 100000 1",
    "sqlite_autoindex_{0}_2": "100000 100000 100000 100000 1",
    "ix_{0}_account_id_type_id": "100000 100000 2000 1",
    **{f"ix_{{0}}_account_id_{column}_id": "100000 100000 10 1" for column in SORTED},
}
STATISTICS = {
    "entity": ASSETS | {f"ix_{{0}}_account_id_p_{name}_id": "100000 100000 10000 1" for name in PROMOTED},
    "relationship": ASSETS | {f"ix_{{0}}_account_id_{side}_id_type": "100000 100000 10 2" for side in ("from", "to")},
    "element": {
        "sqlite_autoindex_{0}_1": "1000000 1000000 100000 100 1",
        "ix_{0}_account_id_id_name": "1000000 1000000 10 2",
    },
}


def upgrade() -> None:
    """Add them. What was stored before gets its rows and kinds when its layout is built."""
    dialect = op.get_bind().dialect.name
    kinds = POSTGRESQL if dialect == "postgresql" else SQLITE
    added = [f"p_{name} {kinds[kind].format(name)}" for name, kind in PROMOTED.items()]
    _add_columns("entity", [f"name_start {START[dialect]}", *added])
    _add_columns("relationship", [f"name_start {START[dialect]}"])
    op.add_column("element", sa.Column("whole", sa.Text))
    _create_indexes()
    _create_tables()
    for table in ("kinds", "layout"):
        if dialect == "postgresql":
            _secure(table)
        else:
            _pin(table, op.get_context().opts["account"])
    if dialect == "sqlite":
        _write_statistics()


def _write_statistics() -> None:
    # there is nothing in it yet: this makes the table of statistics
    op.execute("ANALYZE layout")
    for table, indexes in STATISTICS.items():
        for index, figures in indexes.items():
            row = f"('{table}', '{index.format(table)}', '{figures}')"
            op.execute(f"INSERT INTO sqlite_stat1 VALUES {row}")  # noqa: S608  our own words


def _add_columns(table: str, columns: list[str]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        # in one statement: the table is written anew for each
        columns = [", ADD COLUMN ".join(columns)]
    for column in columns:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _create_indexes() -> None:
    for table in ("entity", "relationship"):
        for column in SORTED:
            op.create_index(f"ix_{table}_account_id_{column}_id", table, ["account_id", column, "id"])
    for name in PROMOTED:
        there = sa.text(f"p_{name} IS NOT NULL")
        op.create_index(
            f"ix_entity_account_id_p_{name}_id",
            "entity",
            ["account_id", f"p_{name}", "id"],
            postgresql_where=there,
            sqlite_where=there,
        )
    op.create_index("ix_element_account_id_id_name", "element", ["account_id", "id", "name"])
    op.drop_index("ix_element_account_id_id", "element")


def _create_tables() -> None:
    op.create_table(
        "kinds",
        sa.Column("account_id", Name, nullable=False),
        *(sa.Column(name, Name, nullable=False) for name in ("kind", "root", "name")),
        sa.Column("bits", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "kind", "root", "name", name="pk_kinds"),
    )
    op.create_table(
        "layout",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_layout"),
    )


def _secure(table: str) -> None:
    condition = "(account_id = (SELECT policy_service.current_account()))"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY account ON {table} USING {condition} WITH CHECK {condition}")


def _pin(table: str, account: str) -> None:
    for moment in ("INSERT", "UPDATE"):
        op.execute(
            f"CREATE TRIGGER pin_{table}_{moment.lower()} BEFORE {moment} ON {table} "
            f"WHEN NEW.account_id IS NOT '{account}' "
            "BEGIN SELECT RAISE(ABORT, 'a row of another tenant'); END"
        )
