"""Entities, relationships and the trail of a tenant."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from policy_service.store.tables import Document, Name

revision = "tenant_0001"
down_revision = None

TABLES = ("entity", "element", "relationship", "blind", "trail_entry", "trail_link", "trail_head")
TRAIL = ("trail_entry", "trail_link", "trail_head")


def upgrade() -> None:
    """Create them; no row of another account may get in, and no row of the trail may change."""
    _create_assets()
    _create_parts()
    _create_trail()
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            _secure(table)
    else:
        account = op.get_context().opts["account"]
        for table in TABLES:
            _pin(table, account)
        for table in TRAIL:
            _freeze(table)


def _asset(*own: sa.Column[Any]) -> list[sa.Column[Any]]:
    return [
        sa.Column("account_id", Name, nullable=False),
        sa.Column("id", Name, nullable=False),
        sa.Column("type", Name, nullable=False),
        sa.Column("key", Name, nullable=False),
        sa.Column("source", Name, nullable=False),
        sa.Column("scope", Name, nullable=False),
        sa.Column("display_name", Name),
        sa.Column("properties", Document, nullable=False),
        sa.Column("tags", Document, nullable=False),
        sa.Column("sealed", Document),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_on", sa.BigInteger, nullable=False),
        sa.Column("begin_on", sa.BigInteger, nullable=False),
        sa.Column("end_on", sa.BigInteger),
        sa.Column("deleted", sa.Boolean, nullable=False),
        *own,
    ]


def _create_assets() -> None:
    op.create_table(
        "entity",
        *_asset(sa.Column("classes", Document, nullable=False)),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_entity"),
        sa.UniqueConstraint("account_id", "source", "scope", "key", name="uq_entity_account_id_source_scope_key"),
    )
    op.create_index("ix_entity_account_id_type_id", "entity", ["account_id", "type", "id"])
    ends = ("class", "from_type", "from_id", "to_type", "to_id")
    op.create_table(
        "relationship",
        *_asset(*(sa.Column(name, Name, nullable=False) for name in ends)),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_relationship"),
        sa.UniqueConstraint("account_id", "source", "scope", "key", name="uq_relationship_account_id_source_scope_key"),
    )
    for columns in (["type", "id"], ["from_id", "type"], ["to_id", "type"]):
        name = f"ix_relationship_account_id_{'_'.join(columns)}"
        op.create_index(name, "relationship", ["account_id", *columns])


def _create_parts() -> None:
    """Tables whose rows belong to an entity and go with it."""
    parts: dict[str, tuple[str, ...]] = {"element": ("name", "value", "id"), "blind": ("id", "name", "digest")}
    for table, order in parts.items():
        kinds: list[Any] = [sa.LargeBinary if part == "digest" else Name for part in order]
        op.create_table(
            table,
            sa.Column("account_id", Name, nullable=False),
            *(sa.Column(part, kind, nullable=False) for part, kind in zip(order, kinds, strict=True)),
            sa.PrimaryKeyConstraint("account_id", *order, name=f"pk_{table}"),
            sa.ForeignKeyConstraint(
                ["account_id", "id"],
                ["entity.account_id", "entity.id"],
                name=f"fk_{table}_entity",
                ondelete="CASCADE",
            ),
        )
    op.create_index("ix_element_account_id_id", "element", ["account_id", "id"])
    op.create_index("ix_blind_account_id_name_digest", "blind", ["account_id", "name", "digest"])


def _create_trail() -> None:
    # without row ids: by one, `REPLACE` takes the place of a row whose key it doesn't name, and no trigger sees it
    bare = {"sqlite_with_rowid": False}
    op.create_table(
        "trail_entry",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("id", Name, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "id", name="pk_trail_entry"),
        **bare,
    )
    op.create_table(
        "trail_link",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("entry_id", Name, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "seq", name="pk_trail_link"),
        sa.UniqueConstraint("account_id", "entry_id", name="uq_trail_link_account_id_entry_id"),
        sa.ForeignKeyConstraint(
            ["account_id", "entry_id"],
            ["trail_entry.account_id", "trail_entry.id"],
            name="fk_trail_link_trail_entry",
        ),
        **bare,
    )
    op.create_table(
        "trail_head",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "seq", name="pk_trail_head"),
        **bare,
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


def _freeze(table: str) -> None:
    unique = {"trail_entry": ("id",), "trail_link": ("seq", "entry_id"), "trail_head": ("seq",)}[table]
    same = " OR ".join(f"{column} = NEW.{column}" for column in unique)
    # `INSERT OR REPLACE` deletes without a word to the triggers of DELETE
    taken = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE account_id = NEW.account_id AND ({same}))"  # noqa: S608  names of our own
    for moment, condition in (("UPDATE", ""), ("DELETE", ""), ("INSERT", taken)):
        op.execute(
            f"CREATE TRIGGER freeze_{table}_{moment.lower()} BEFORE {moment} ON {table} {condition} "
            "BEGIN SELECT RAISE(ABORT, 'the trail is never changed'); END"
        )
