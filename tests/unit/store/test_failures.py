"""What databases complain about, as sentences that say what to do next."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import create_engine

from policy_service.errors import StoreFailed
from policy_service.store.failures import explain, translated


def test_a_database_that_nobody_answers_for_is_told_without_its_password() -> None:
    engine = create_engine("postgresql+psycopg://runtime:hunter2@127.0.0.1:1/policies")
    sentence = "no connection to it, see that it runs and that its URL has the right host"
    with pytest.raises(StoreFailed, match=sentence) as caught, translated("the database"), engine.connect():
        pass
    assert "hunter2" not in str(caught.value)


def test_what_no_sentence_is_known_for_says_that_it_was_refused() -> None:
    error = psycopg.errors.UndefinedTable("no table")
    assert str(explain("the database", error)) == "the database: the database refused"
