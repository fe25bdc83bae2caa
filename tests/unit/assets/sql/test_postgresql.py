"""What PostgreSQL is told that no database of these tests would show: theirs sort by bytes already."""

from __future__ import annotations

from sqlalchemy import column
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from policy_service.assets.sql.postgresql import Postgresql


def test_a_text_of_a_document_is_in_the_order_of_its_bytes_whatever_the_locale():
    text = Postgresql().read(column("properties", JSONB()), ["env"], "text")
    assert 'COLLATE "C"' in str((text < "Zoe").compile(dialect=postgresql.dialect()))
