"""Data keys of tenants: one for each account, in versions; each use has a key of its own, derived from it.

The rows that hold them wrapped are the store's (`KeyTable`); here they are opened, made on first use and kept for
a short while.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from policy_service.errors import NoKey
from policy_service.store.aead import KEY_BYTES
from policy_service.store.control import KeyRow, KeyState
from policy_service.store.wrapping import Keyring, Wrapped

ROWS_SECONDS = 1.0  # another process's rotation, rekey or erasure is seen after this
OPENED_SECONDS = 300.0  # and a KEK that was revoked after this
HELD = 4_096  # accounts whose keys are kept; the least recently used go


@dataclass(frozen=True, slots=True, eq=False)
class DataKey:
    """A version of an account's data key, opened. Its secret is shown nowhere; what is used is derived from it."""

    account: str
    version: int
    secret: bytes = field(repr=False)
    _derived: dict[tuple[str, int], bytes] = field(default_factory=dict, init=False, repr=False)

    def derive(self, use: str, length: int = 32) -> bytes:
        """The key of `length` bytes for one use (HKDF-SHA256); the same at every call, unlike any other use's."""
        held = self._derived.get((use, length))
        if held is None:
            salt, info = self.account.encode("utf-8", "surrogatepass"), f"policy_service/{use}".encode()
            held = HKDF(SHA256(), length, salt=salt, info=info).derive(self.secret)
            self._derived[use, length] = held
        return held


class KeyTable(Protocol):
    """Where wrapped data keys are kept: for most accounts the control tables, for the service's own a file."""

    def read(self, account: str) -> list[KeyRow]:
        """The account's rows, none where it has no key; as they are now, never from a cache."""

    def add(self, row: KeyRow) -> bool:
        """Keep a new row for good; `False`, and nothing changed, where this account has this version already.

        An account that is being erased or was erased gets none: `NoStore`.
        """

    def all(self) -> Iterator[KeyRow]:
        """Every row of every account, the service's own included."""

    def rewrap(self, row: KeyRow, wrapped: Wrapped) -> bool:
        """Put the key wrapped anew in the place of the row's, for good; `False` where the row is no longer this."""


class _Held(NamedTuple):
    """What is known of an account: rows as of `read_at`, and opened keys with the time at which they were opened."""

    rows: tuple[KeyRow, ...]
    read_at: float
    opened: dict[int, tuple[float, DataKey]]


class DataKeys:
    """The data keys of all accounts, opened on demand. Safe to share between threads.

    `NoKey` where a key is missing, wrong or its KEK is refused to us; `StoreFailed` where that can't be known now.
    """

    def __init__(self, table: KeyTable, keyring: Keyring, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._table = table
        self._keyring = keyring
        self._clock = clock
        self._lock = threading.Lock()  # never held while the table or the keyring is asked
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def active(self, account: str) -> DataKey:
        """The key that seals now; made, as version 1, where the account has none."""
        held = self._look(account)
        if not held.rows:
            self._make(account, 1, KeyState.ACTIVE)
            held = self._look(account, fresh=True)
        versions = [row.version for row in held.rows if row.state == KeyState.ACTIVE]
        if not versions:
            raise NoKey(f"no data key of `{account}` is active, run `policy-service keyring rekey {account}`")
        return self._open(account, held, max(versions))

    def version(self, account: str, version: int) -> DataKey:
        """The key of this version, whatever its state, to open what it sealed."""
        held = self._look(account)
        if all(row.version != version for row in held.rows):
            raise NoKey(f"version {version} of the data key of `{account}` is gone, and with it what it sealed")
        return self._open(account, held, version)

    def all(self, account: str) -> list[tuple[KeyRow, DataKey]]:
        """Every version with its row, the newest first."""
        held = self._look(account)
        rows = sorted(held.rows, key=lambda row: row.version, reverse=True)
        return [(row, self._open(account, held, row.version)) for row in rows]

    def pending(self, account: str, *, above: int = 0) -> DataKey:
        """The version that a rekey is to make active: the one that is pending already, or a new one.

        A new one is higher than every other of the account, and than `above`.
        """
        held = self._look(account, fresh=True)
        if not any(row.state == KeyState.PENDING for row in held.rows):
            self._make(account, 1 + max([above, *(row.version for row in held.rows)]), KeyState.PENDING)
            held = self._look(account, fresh=True)
        versions = [row.version for row in held.rows if row.state == KeyState.PENDING]
        if not versions:
            raise NoKey(f"another process is changing the data key of `{account}`, try again when it is done")
        return self._open(account, held, max(versions))

    def forget(self, account: str | None = None) -> None:
        """Let go of an account's opened keys, or of all."""
        with self._lock:
            if account is None:
                self._held.clear()
            else:
                self._held.pop(account, None)

    def _make(self, account: str, version: int, state: KeyState) -> None:
        """Add a new key. Where another process was first, its key is the key: ours was used for nothing."""
        wrapped = self._keyring.wrap(secrets.token_bytes(KEY_BYTES), account, version)
        self._table.add(KeyRow(account, version, wrapped.blob, wrapped.kek, state, time.time_ns() // 1_000_000))

    def _look(self, account: str, *, fresh: bool = False) -> _Held:
        with self._lock:
            held = self._held.get(account)
            if held is not None:
                self._held.move_to_end(account)
        now = self._clock()
        if held is not None and not fresh and now - held.read_at < ROWS_SECONDS:
            return held
        rows = tuple(self._table.read(account))
        # a key is the same as long as its row is: one of an account that was erased and made anew is another
        opened = {}
        if held is not None:
            same = {row.version for row in set(held.rows).intersection(rows)}
            opened = {version: entry for version, entry in list(held.opened.items()) if version in same}
        held = _Held(rows, now, opened)
        with self._lock:
            newer = self._held.get(account)
            if newer is None or newer.read_at <= now:
                self._held[account] = held
                self._held.move_to_end(account)
            # the first is the one that was not used for longest
            while len(self._held) > HELD or now - next(iter(self._held.values())).read_at > OPENED_SECONDS:
                self._held.popitem(last=False)
        return held

    def _open(self, account: str, held: _Held, version: int) -> DataKey:
        entry = held.opened.get(version)
        now = self._clock()
        if entry is not None and now - entry[0] < OPENED_SECONDS:
            return entry[1]
        row = next(row for row in held.rows if row.version == version)
        secret = self._keyring.unwrap(Wrapped(row.kek, row.wrapped), account, version)
        key = DataKey(account, version, secret)
        held.opened[version] = now, key
        return key
