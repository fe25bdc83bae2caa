"""What one transaction leaves behind for the next on the same connection, and what a session does with several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from policy_service.errors import StoreFailed
from policy_service.store import context
from policy_service.store.tables import SERVICE, EntityRow
from tests.store.conftest import Town
from tests.store.rows import MINE, SECRETS, THEIRS, entity, see, unharmed
from tests.store.test_attacks_postgresql import SETTING, attack, run, set_context


@pytest.fixture
def engine(village: Town) -> Iterator[Engine]:
    """The pool of the store; the test begins and ends with no connection in it, so that there is one to meet again."""
    engine: Engine = village.store.databases._engine  # type: ignore[attr-defined]
    engine.dispose()
    yield engine
    engine.dispose()


def backend(session: Session) -> Any:
    return session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()


def names(session: Session) -> set[str]:
    return set(session.scalars(text("SELECT display_name FROM entity")))


def test_tenants_share_connections_and_nothing_else(village: Town, engine: Engine) -> None:
    pids = set()
    for tenant in (MINE, THEIRS, MINE):
        with village.store.session(tenant) as session:
            assert names(session) == {SECRETS[tenant]}
            pids.add(backend(session))
    assert len(pids) == 1
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() in pids
        assert connection.exec_driver_sql(f"SELECT current_setting('{SETTING}', true)").scalar() == ""
        assert connection.exec_driver_sql("SELECT * FROM entity").all() == []


def test_settings_for_the_whole_session_reach_nobody_else(village: Town, engine: Engine) -> None:
    attack(village.store, f"SELECT set_config('{SETTING}', current_setting('{SETTING}'), false)", commit=True)
    with village.store.session(THEIRS) as session:
        assert names(session) == {SECRETS[THEIRS]}
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"SELECT current_setting('{SETTING}')").scalar().startswith(MINE)
    # nor does a bad one keep the service from its own key, which it reads without a context
    attack(village.store, f"SELECT set_config('{SETTING}', 'bad', false)", commit=True)
    assert [row.account for row in village.store.key_table.read(SERVICE)] == [SERVICE]
    for tenant in (THEIRS, MINE):
        with village.store.session(tenant) as session:
            assert names(session) == {SECRETS[tenant]}


SHADOW = "CREATE TEMP TABLE entity (LIKE policy_service.entity); SET search_path = pg_temp, policy_service"


def catch_in_shadow(village: Town) -> str:
    """What we catch of another tenant's writes with a table of the same name that we left on the connection."""
    attack(village.store, SHADOW, commit=True)
    with village.store.session(THEIRS, write=True) as session:
        session.add(EntityRow(**entity("caught", display_name=SECRETS[THEIRS])))
    return repr(attack(village.store, "SELECT display_name FROM pg_temp.entity"))


def test_a_temporary_table_takes_the_place_of_none(village: Town, engine: Engine) -> None:
    assert SECRETS[THEIRS] not in catch_in_shadow(village)
    assert "caught" in repr(see(village.store, THEIRS))
    with village.store.session(THEIRS, write=True) as session:
        session.delete(session.get_one(EntityRow, (THEIRS, "caught")))


def test_a_temporary_table_would_catch_writes(village: Town, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "BEGIN", f"{context.SET}, %s")
    with unharmed(village.store, MINE):
        assert SECRETS[THEIRS] in catch_in_shadow(village)
        engine.dispose()


def test_a_second_transaction_of_a_session_has_its_context(town: Town) -> None:
    with town.store.session(MINE, write=True) as session:
        for _ in range(3):
            assert names(session) == {SECRETS[MINE]}
            session.commit()
        session.rollback()
        assert set(session.scalars(select(EntityRow.display_name))) == {SECRETS[MINE]}


def run_insert(session: Session) -> None:
    session.add(EntityRow(**entity("undone")))
    session.flush()


def test_savepoints_keep_the_context(town: Town) -> None:
    with unharmed(town.store, MINE), town.store.session(MINE, write=True) as session:
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            raise ZeroDivisionError(run_insert(session))
        assert names(session) == {SECRETS[MINE]}
        with session.begin_nested() as inner:
            run_insert(session)
            inner.rollback()
        with session.begin_nested():
            assert names(session) == {SECRETS[MINE]}
        assert names(session) == {SECRETS[MINE]}


def test_a_context_that_was_broken_in_a_savepoint_is_whole_after_it(village: Town) -> None:
    with village.store.session(MINE) as session:
        with session.begin_nested() as inner:
            run(session, f"SELECT set_config('{SETTING}', '', true)")
            assert names(session) == set()
            inner.rollback()
        assert names(session) == {SECRETS[MINE]}
        # one that is released keeps it: the rest of the transaction sees nothing
        with session.begin_nested():
            run(session, f"SELECT set_config('{SETTING}', '', true)")
        assert names(session) == set()


def test_without_a_transaction_there_is_no_context(village: Town) -> None:
    for act in (
        "SELECT display_name FROM entity",
        f"DELETE FROM entity WHERE account_id = '{THEIRS}' RETURNING display_name",
    ):
        with village.store.session(MINE) as session:
            session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            assert session.connection().exec_driver_sql(act).all() == []


ENDS: dict[str, Callable[[Session], Any]] = {
    "committed": lambda s: run(s, "COMMIT; SELECT display_name FROM policy_service.entity"),
    "rolled_back": lambda s: run(s, "ROLLBACK; SELECT display_name FROM policy_service.entity"),
    "chained": lambda s: run(s, "COMMIT AND CHAIN; SELECT display_name FROM policy_service.entity"),
    "reset": lambda s: run(s, f"RESET {SETTING}; SELECT display_name FROM entity"),
    "discarded": lambda s: run(s, "COMMIT; DISCARD TEMP; SELECT display_name FROM policy_service.entity"),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_context_ends_with_its_transaction(village: Town, engine: Engine, name: str) -> None:
    with village.store.session(MINE) as session:
        assert ENDS[name](session) == []
    with village.store.session(THEIRS) as session:
        assert names(session) == {SECRETS[THEIRS]}


def test_a_failed_transaction_leaves_nothing(village: Town, engine: Engine) -> None:
    with pytest.raises(StoreFailed):
        attack(village.store, set_context(f"'{THEIRS}'"))
    for tenant in (THEIRS, MINE):
        with village.store.session(tenant) as session:
            assert names(session) == {SECRETS[tenant]}
