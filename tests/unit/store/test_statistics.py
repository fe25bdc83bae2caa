"""By what SQLite chooses between indexes: figures that come with the tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policy_service.store import migrate
from policy_service.store.data_keys import DataKey
from policy_service.store.sqlcipher import File, begin, connect

KEY = DataKey("acme", 1, b"k" * 32)
TABLES = ("entity", "relationship", "element")
# a facet: what entities are of some folder have
FACET = """
SELECT value, count(*) FROM element WHERE account_id = 'acme' AND name = 'class' AND id IN
(SELECT id FROM element WHERE account_id = 'acme' AND name = '@1' AND value = 'folder') GROUP BY value
"""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Any]:
    file = File(tmp_path / "a.db", [KEY], create=True)
    with file.writer.begin() as made:
        begin(made, write=True)
        migrate.upgrade(made, "tenant", "acme", "acme")
    file.close()
    connection = connect(tmp_path / "a.db", KEY)
    yield connection
    connection.close()


def test_every_index_of_what_lists_look_at_has_figures(connection: Any) -> None:
    marks = ", ".join("?" * len(TABLES))
    found = f"SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND tbl_name IN ({marks})"
    indexes = set(connection.execute(found, TABLES))
    assert len(indexes) > 20
    assert set(connection.execute("SELECT tbl, idx FROM sqlite_stat1")) == indexes


def test_a_look_starts_from_what_is_rare_and_walks_through_all_where_nothing_is(connection: Any) -> None:
    def explain(statement: str) -> list[str]:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]

    (outer, *_) = explain(FACET)
    assert "ix_element_account_id_id_name (account_id=? AND id=? AND name=?)" in outer
    assert explain("SELECT count(*) FROM entity WHERE account_id = 'acme' AND NOT deleted") == ["SCAN entity"]
