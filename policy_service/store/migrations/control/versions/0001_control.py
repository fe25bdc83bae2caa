"""Tenants, their wrapped data keys, and in PostgreSQL what every context is checked with."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from policy_service.store.context import FUNCTION
from policy_service.store.tables import Name

revision = "control_0001"
down_revision = None

_ACCOUNTS = "(account_id IN ((SELECT policy_service.current_account()), '@service') OR {service})"
_SERVICE = "(SELECT policy_service.current_account()) = '@service'"


def upgrade() -> None:
    """Create them."""
    on_postgresql = isinstance(op.get_bind().dialect, postgresql.dialect)
    if on_postgresql:
        op.execute("CREATE SCHEMA policy_service_private")
        op.execute("REVOKE ALL ON SCHEMA policy_service_private FROM PUBLIC")
        op.execute(
            "CREATE TABLE policy_service_private.context_key (inner_pad bytea NOT NULL, outer_pad bytea NOT NULL)"
        )
        op.execute(FUNCTION)
    op.create_table(
        "tenant",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("created_on", sa.BigInteger, nullable=False),
        sa.Column("changed_on", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_tenant"),
    )
    op.create_table(
        "data_key",
        sa.Column("account_id", Name, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("kek", Name, nullable=False),
        sa.Column("state", Name, nullable=False),
        sa.Column("created_on", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "version", name="pk_data_key"),
    )
    if on_postgresql:
        # a context sees its own account; that of the service sees all, and its wrapped key opens every context
        using = _ACCOUNTS.format(service=_SERVICE)
        for table in ("tenant", "data_key"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(
                f"CREATE POLICY account ON {table} USING {using} "
                f"WITH CHECK (account_id = (SELECT policy_service.current_account()) OR {_SERVICE})"
            )
