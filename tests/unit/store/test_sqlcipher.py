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

# of many steps, and of few long ones
LONG = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {}) SELECT count(*) FROM c"
MANY, FEW = LONG.format(1_000_000), LONG.format(1_000) + " WHERE instr(hex(zeroblob(30000)), 'a' || n) = 0"


def count(engine: Engine, statement: str) -> object:
    with translated("the store"), engine.connect() as connection:
        return connection.exec_driver_sql(statement).scalar()


@pytest.mark.parametrize(("statement", "counted"), [(MANY, 1_000_000), (FEW, 1_000)])
def test_a_statement_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, counted: int
) -> None:
    file = File(tmp_path / "a.db", [DataKey("acme", 1, b"k" * 32)], create=True)
    try:
        for _ in range(2):
            monkeypatch.setattr(sqlcipher, "STATEMENT_SECONDS", 0)
            with pytest.raises(StoreFailed, match="too long"):
                count(file.reader, statement)
            assert count(file.reader, "SELECT 1") == 1
            monkeypatch.setattr(sqlcipher, "STATEMENT_SECONDS", 30)
            assert count(file.reader, statement) == counted
        # what is written is not given up half way
        monkeypatch.setattr(sqlcipher, "STATEMENT_SECONDS", 0)
        assert count(file.writer, statement) == counted
    finally:
        file.close()
