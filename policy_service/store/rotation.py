"""Rotation: every data key wrapped by a newer KEK. No data is rewritten, and no row is ever without a key to it.

A new KEK is on the disk before the first row uses it and old ones stay, so a rotation that was killed leaves rows of
both kinds, all of which open; running it again does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from policy_service.config import Settings
from policy_service.errors import StoreFailed
from policy_service.store.control import KeyRow
from policy_service.store.data_keys import KeyTable
from policy_service.store.keyring import Keyring, Wrapped, open_keyring, rotate_file
from policy_service.store.tables import SERVICE

Report = Callable[[int, int], None]  # how many are done, of how many
# rows that were added or changed meanwhile take another turn
_TURNS = 5


class Rotation(NamedTuple):
    """What was done: the KEK that wraps now, whether an earlier rotation was finished, how many rows were changed."""

    kek: str
    resumed: bool
    rewrapped: int


def rotate(settings: Settings, table: KeyTable, report: Report) -> Rotation:
    """Rotate the KEK and wrap every data key by it; a rotation that was not finished is finished instead.

    A key of AWS KMS gets new material from AWS: here each data key is wrapped anew by the newest there is.
    """
    keyring = open_keyring(settings)
    before = keyring.current()
    stale = any(row.kek != before for row in table.all())
    resumed = stale and not keyring.health().overdue
    added = None if resumed else rotate_file(settings)
    current = keyring.current()
    count = 0
    if added is None and not stale:
        rows = _order(table.all())
        for done, row in enumerate(rows, 1):
            count += table.rewrap(row, keyring.rewrap(_wrapped(row), row.account, row.version))
            report(done, len(rows))
    else:
        count = _rewrap(table, current, keyring.rewrap, report)
    return Rotation(current, resumed, count)


def move(table: KeyTable, old: Keyring, new: Keyring, report: Report) -> Rotation:
    """Wrap every data key by another keyring. Until all are, the old one is the one to start the service with."""

    def change(wrapped: Wrapped, account: str, version: int) -> Wrapped:
        return new.wrap(old.unwrap(wrapped, account, version), account, version)

    current = new.current()
    return Rotation(current, False, _rewrap(table, current, change, report))


def _rewrap(table: KeyTable, current: str, change: Callable[[Wrapped, str, int], Wrapped], report: Report) -> int:
    count = 0
    for _ in range(_TURNS):
        rows = _order(row for row in table.all() if row.kek != current)
        if not rows:
            return count
        for done, row in enumerate(rows, 1):
            count += table.rewrap(row, change(_wrapped(row), row.account, row.version))
            report(done, len(rows))
    raise StoreFailed("data keys are being changed by another process, run this again when it is done")


def _order(rows: Iterable[KeyRow]) -> list[KeyRow]:
    # the service's own key opens the control tables: while rows are left to move, the old keyring has to open it
    return sorted(rows, key=lambda row: row.account == SERVICE)


def _wrapped(row: KeyRow) -> Wrapped:
    return Wrapped(row.kek, row.wrapped)
