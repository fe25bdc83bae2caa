"""A session that belongs to one tenant: what is read through it is filtered, what is written is checked.

This is the second layer. The first is below it: a tenant's own file, or row level security. It also gives the
planner of PostgreSQL the predicate that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import CompoundSelect, Connection, Engine, Executable, Select, bindparam, event
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption

from policy_service.store.tables import Base, Name

_PARAMETER = "policy_service_account"
_ACCOUNT = bindparam(_PARAMETER, required=True, type_=Name)
# one option for every tenant and statement: made anew each time it would cost a read as much as the read. A statement
# that was not given the parameter does not run
_SELECT = with_loader_criteria(Base, lambda table: table.account_id == _ACCOUNT, include_aliases=True)


_Read = TypeVar("_Read", bound=Executable)


def prepare(statement: _Read) -> _Read:
    """The statement with the filter of every session in it: what runs often is made ready once, not by each."""
    return statement.options(_SELECT)


class ForeignRowError(Exception):
    """Code of this service tried to reach another tenant's row: a defect, never an answer."""


class TenantSession(Session):
    """A session pinned to the tenant `account`; rows without an account get it, rows of another are refused.

    `begin` is called with the connection at the start of each transaction. `info["write"]` says whether it is to be
    committed.
    """

    def __init__(
        self, bind: Engine | Connection, account: str, begin: Callable[[Connection, str], None] | None = None
    ) -> None:
        super().__init__(bind, expire_on_commit=False, info={"account": account, "write": False})
        self._account = account
        self.begin_transaction = begin

    @property
    def account(self) -> str:
        """The tenant; a session whose `info` was turned to another one is of no use any more."""
        if self.info.get("account") != self._account:
            raise ForeignRowError(f"a session of `{self._account}` was turned to another tenant")
        return self._account


@event.listens_for(TenantSession, "after_begin")
def _start(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    assert isinstance(session, TenantSession)  # noqa: S101
    if session.begin_transaction is not None and not transaction.nested:
        session.begin_transaction(connection, session.account)


@event.listens_for(TenantSession, "do_orm_execute")
def _filter(state: ORMExecuteState) -> None:
    account = _account_of(state.session)
    if state.is_insert or state.is_update:
        _check_parameters(state, account)
    if state.is_update or state.is_delete:
        state.statement = state.statement.options(_changed_by(account))
    elif isinstance(state.statement, Select | CompoundSelect):
        if all(option is not _SELECT for option in state.statement._with_options):
            state.statement = prepare(state.statement)
        given = state.parameters if isinstance(state.parameters, Mapping) else {}
        state.parameters = {**given, _PARAMETER: account}


@lru_cache(4_096)
def _changed_by(account: str) -> LoaderCriteriaOption:
    # the parameters of an update name columns, so this one has its account inside
    return with_loader_criteria(Base, lambda table: table.account_id == account, include_aliases=True)


def _check_parameters(state: ORMExecuteState, account: str) -> None:
    given: Any = state.parameters
    for row in (given,) if isinstance(given, Mapping) else given or ():
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
