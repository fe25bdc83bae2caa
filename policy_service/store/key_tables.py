"""Where wrapped data keys are kept: those of tenants in the control tables, the service's own beside them.

In the embedded store the service's key opens the control database, so it stands in a file of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from policy_service.errors import NoKey, NoStore
from policy_service.store import context
from policy_service.store.control import DataKeyRow, KeyRow, KeyState, State, TenantRow
from policy_service.store.failures import translated
from policy_service.store.private_files import lock_folder, read_private, replace_private
from policy_service.store.tables import SERVICE
from policy_service.store.wrapping import Wrapped

_COLUMNS = (
    DataKeyRow.account_id,
    DataKeyRow.version,
    DataKeyRow.wrapped,
    DataKeyRow.kek,
    DataKeyRow.state,
    DataKeyRow.created_on,
)


class Open(Protocol):
    """Opens a session on the control tables in the context of an account."""

    def __call__(self, account: str, *, write: bool = False) -> AbstractContextManager[Session]: ...


class KeyFile:
    """The service's own data key in a file of mode 0600: wrapped, so that it opens nothing by itself."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, account: str) -> list[KeyRow]:
        """Its rows, none where there is no file; `NoKey` where the file can't be read."""
        if account != SERVICE or not self._path.exists():
            return []
        try:
            stored = json.loads(read_private(self._path)[1])
            wrapped = base64.b64decode(stored["wrapped"], validate=True)
            state, created_on = KeyState(stored["state"]), int(stored["created_on"])
            return [KeyRow(SERVICE, int(stored["version"]), wrapped, str(stored["kek"]), state, created_on)]
        except (ValueError, KeyError, TypeError) as error:
            raise NoKey(f"{self._path} can't be read ({type(error).__name__}), restore it") from None

    def add(self, row: KeyRow) -> bool:
        """Write it where there is none; false where another process was first."""
        with lock_folder(self._path.parent):
            if self._path.exists():
                return False
            self._write(row)
        return True

    def all(self) -> Iterator[KeyRow]:
        """Its rows."""
        yield from self.read(SERVICE)

    def rewrap(self, row: KeyRow, wrapped: Wrapped) -> bool:
        """The same key, wrapped anew; false where it is no longer this one."""
        with lock_folder(self._path.parent):
            if row not in self.read(SERVICE):
                return False
            self._write(row._replace(wrapped=wrapped.blob, kek=wrapped.kek))
        return True

    def _write(self, row: KeyRow) -> None:
        stored = {**row._asdict(), "wrapped": base64.b64encode(row.wrapped).decode()}
        replace_private(self._path, json.dumps(stored).encode())


class KeyTables:
    """The wrapped data keys of all accounts: `own` holds the service's, the control tables the tenants'."""

    def __init__(self, own: KeyFile | ServiceKeyTable, open_: Open) -> None:
        self._own = own
        self._open = open_

    def read(self, account: str) -> list[KeyRow]:
        """The rows of an account, the oldest first."""
        if account == SERVICE:
            return self._own.read(account)
        with self._open(account) as session:
            found = select(*_COLUMNS).where(DataKeyRow.account_id == account).order_by(DataKeyRow.version)
            return [_read(row) for row in session.execute(found)]

    def add(self, row: KeyRow) -> bool:
        """Store a row; false where the account has that version already, `NoStore` where it is erased."""
        if row.account == SERVICE:
            return self._own.add(row)
        try:
            with self._open(row.account, write=True) as session:
                state = session.scalar(select(TenantRow.state).where(TenantRow.account_id == row.account))
                if state in (State.ERASING, State.ERASED):
                    raise NoStore(f"the tenant `{row.account}` was erased, `policy-service tenant create` begins anew")
                session.execute(insert(DataKeyRow).values(**_values(row)))
        except IntegrityError:
            return False
        return True

    def all(self) -> Iterator[KeyRow]:
        """Every row, the service's first; for the owner. Read in pages, so that other writers get their turn."""
        yield from self._own.all()
        last = ("", 0)
        while True:
            with self._open(SERVICE) as session:
                after = (DataKeyRow.account_id > last[0]) | (
                    (DataKeyRow.account_id == last[0]) & (DataKeyRow.version > last[1])
                )
                page = select(*_COLUMNS).where(after, DataKeyRow.account_id != SERVICE)
                ordered = page.order_by(DataKeyRow.account_id, DataKeyRow.version).limit(500)
                rows = [_read(row) for row in session.execute(ordered)]
            if not rows:
                return
            yield from rows
            last = (rows[-1].account, rows[-1].version)

    def rewrap(self, row: KeyRow, wrapped: Wrapped) -> bool:
        """The same key, wrapped anew; for the owner. False where the row is no longer this."""
        if row.account == SERVICE and isinstance(self._own, KeyFile):
            return self._own.rewrap(row, wrapped)
        same = (DataKeyRow.account_id == row.account) & (DataKeyRow.version == row.version)
        with self._open(SERVICE, write=True) as session:
            changed = update(DataKeyRow).where(same, DataKeyRow.wrapped == row.wrapped)
            found = session.execute(changed.values(wrapped=wrapped.blob, kek=wrapped.kek))
            return bool(getattr(found, "rowcount", 0))


class ServiceKeyTable:
    """The service's own data key in PostgreSQL: the one row that is seen without a context, for it makes them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, account: str) -> list[KeyRow]:
        """Its rows."""
        with translated("the database"), self._engine.connect() as connection:
            connection.exec_driver_sql(context.BEGIN, ("", "on"))
            found = select(*_COLUMNS).where(DataKeyRow.account_id == SERVICE).order_by(DataKeyRow.version)
            return [_read(row) for row in connection.execute(found)] if account == SERVICE else []

    def add(self, row: KeyRow) -> bool:
        """Store the first one; for the owner, since there can be no context before it."""
        try:
            with translated("the database"), self._engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE data_key NO FORCE ROW LEVEL SECURITY")
                connection.execute(insert(DataKeyRow).values(**_values(row)))
                connection.exec_driver_sql("ALTER TABLE data_key FORCE ROW LEVEL SECURITY")
        except IntegrityError:
            return False
        return True

    def all(self) -> Iterator[KeyRow]:
        """Its rows."""
        yield from self.read(SERVICE)


def _values(row: KeyRow) -> dict[str, object]:
    return {"account_id": row.account, **{name: value for name, value in row._asdict().items() if name != "account"}}


def _read(row: Row[str, int, bytes, str, str, int]) -> KeyRow:
    account, version, wrapped, kek, state, created_on = row
    return KeyRow(account, version, bytes(wrapped), kek, KeyState(state), created_on)
