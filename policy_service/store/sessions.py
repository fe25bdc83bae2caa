"""A session that belongs to one tenant: what is read through it is filtered, what is written is checked.

This is the second layer. The first is below it: a tenant's own file, or row level security. It also gives the
planner of PostgreSQL the predicate that it needs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, Select, event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria

from policy_service.store.tables import Base


class ForeignRowError(Exception):
    """Code of this service tried to reach another tenant's row: a defect, never an answer."""


class TenantSession(Session):
    """A session pinned to the tenant `account`; rows without an account get it, rows of another are refused."""

    def __init__(self, bind: Engine | Connection, account: str) -> None:
        super().__init__(bind, expire_on_commit=False, info={"account": account})
        self._account = account

    @property
    def account(self) -> str:
        """The tenant; a session whose `info` was turned to another one is of no use any more."""
        if self.info.get("account") != self._account:
            raise ForeignRowError(f"a session of `{self._account}` was turned to another tenant")
        return self._account


@event.listens_for(TenantSession, "do_orm_execute")
def _filter(state: ORMExecuteState) -> None:
    account = _account_of(state.session)
    if state.is_insert:
        _check_parameters(state, account)
    elif isinstance(state.statement, Select) or state.is_update or state.is_delete:
        criteria = with_loader_criteria(Base, lambda table: table.account_id == account, include_aliases=True)
        state.statement = state.statement.options(criteria)


def _check_parameters(state: ORMExecuteState, account: str) -> None:
    given: Any = state.parameters
    for row in (given,) if isinstance(given, dict) else given or ():
        if row.get("account_id", account) != account:
            raise ForeignRowError(f"a row of another tenant in a session of `{account}`")


@event.listens_for(TenantSession, "before_flush")
def _check(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    account = _account_of(session)
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, Base):
            if row.account_id is None:
                row.account_id = account
            elif row.account_id != account:
                raise ForeignRowError(f"a row of another tenant in a session of `{account}`")


def _account_of(session: Session) -> str:
    assert isinstance(session, TenantSession)  # noqa: S101
    return session.account
