"""A SQLCipher file: statements of readers have an end."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from policy_service.errors import StoreFailed
from policy_service.store import sqlcipher
from policy_service.store.data_keys import DataKey
from policy_service.store.failures import translated
from policy_service.store.sqlcipher import File

LONG = """
WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000) SELECT count(*) FROM c
"""


def count(engine: Engine, statement: str) -> object:
    with translated("the store"), engine.connect() as connection:
        return connection.exec_driver_sql(statement).scalar()


def test_a_statement_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = File(tmp_path / "a.db", [DataKey("acme", 1, b"k" * 32)], create=True)
    try:
        for _ in range(2):
            monkeypatch.setattr(sqlcipher, "STATEMENT_SECONDS", 0)
            with pytest.raises(StoreFailed, match="too long"):
                count(file.reader, LONG)
            assert count(file.reader, "SELECT 1") == 1
            monkeypatch.setattr(sqlcipher, "STATEMENT_SECONDS", 30)
            assert count(file.reader, LONG) == 1_000_000
        # what is written is not given up half way
        monkeypatch.setattr(sqlcipher, "STATEMENT_SECONDS", 0)
        assert count(file.writer, LONG) == 1_000_000
    finally:
        file.close()
