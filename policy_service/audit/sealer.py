"""Sealing: entries get their links and each batch a signed head, a moment after the changes they tell of.

One process at a time seals an account. What a process that was killed left unsealed is sealed by whoever seals next.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence

from sqlalchemy import Row, func, insert, select
from sqlalchemy.orm import Session

from policy_service.audit import chain
from policy_service.audit.chain import Head, SigningKey
from policy_service.audit.trail import first_id
from policy_service.audit.trail_keys import find_public
from policy_service.audit.trail_pages import read_last_head, read_last_link, without_link
from policy_service.errors import Conflict, NoStore
from policy_service.store.door import Store
from policy_service.store.tables import SERVICE, TrailHeadRow, TrailLinkRow

BATCH = 1_000
# an entry is committed this long after its time at most; what is later still is found where all are looked at
_SLACK_MICROS = 120 * 1_000_000
_LONGEST_PAUSE_SECONDS = 60.0
_DOUBLINGS = 16

_warn = logging.getLogger(__name__).warning
_sealers: weakref.WeakSet[Sealer] = weakref.WeakSet()


def seal(store: Store, account: str, *, everything: bool = False, clock: Callable[[], float] = time.time) -> int:
    """Link and sign the entries of an account that are not yet; how many there were.

    Looks at the entries since shortly before the last head, or with `everything` at all: after a transaction that
    took minutes. `Conflict` where the chain does not end as its last head says: signing on would make good what
    someone else wrote.
    """
    sealed, since = 0, ""
    while True:
        now = round(clock() * 1_000_000)
        with store.session(account) as session:
            head = read_last_head(session, account)
            if head and not since and not everything:
                since = first_id(min(head.at, now) - _SLACK_MICROS)
            entries = session.execute(without_link(account, since).limit(BATCH)).all()
        if not entries:
            return sealed
        key = store.keys.active(account)
        public = find_public(store.keys, account, head) if head else None
        with store.session(account, write=True) as session:
            if store.backend == "postgresql":
                session.execute(select(func.pg_advisory_xact_lock(_lock_number(account))))
            # where another process was faster, what was found may have links by now
            if read_last_head(session, account) == head:
                _check_end(session, account, head, public)
                _write_batch(session, account, head, key, entries, now)
                sealed, since = sealed + len(entries), entries[-1].id


def _check_end(session: Session, account: str, head: Head | None, public: bytes | None) -> None:
    end = (head.seq, head.hash) if head else (0, b"")
    if read_last_link(session, account) != end:
        raise Conflict(f"the trail of `{account}` does not end as its last head says, {_say_verify(account)}")
    if head and not (public and chain.is_signed(public, account, head)):
        raise Conflict(f"the last head of the trail of `{account}` has a wrong signature, {_say_verify(account)}")


def _say_verify(account: str) -> str:
    return f"see `policy-service trail verify {'--service' if account == SERVICE else account}`"


def _write_batch(
    session: Session, account: str, head: Head | None, key: SigningKey, entries: Sequence[Row[str, str]], now: int
) -> None:
    seq, link = (head.seq, head.hash) if head else (0, chain.start(account))
    links = []
    for entry_id, body in entries:
        seq, link = seq + 1, chain.hash_link(link, chain.hash_entry(entry_id, body))
        links.append({"account_id": account, "seq": seq, "entry_id": entry_id, "hash": link})
    session.execute(insert(TrailLinkRow), links)
    new = chain.sign_head(key, account, seq, link, now)
    session.add(TrailHeadRow(account_id=account, seq=seq, hash=link, at=now, signature=chain.pack(new)))


def _lock_number(account: str) -> int:
    return int.from_bytes(hashlib.sha256(f"trail {account}".encode()).digest()[:8], "big", signed=True)


class Sealer:
    """Seals what this process changed, about `delay` seconds later, in a thread of its own.

    `mark` names an account whose trail has grown, after the commit. A store that fails is tried again, at ever longer
    intervals; `report` takes a sentence when an account fails first. A child process starts with no marks.
    """

    def __init__(self, store: Store, *, delay: float = 1.0, report: Callable[[str], None] = _warn) -> None:
        self._store = store
        self._delay = delay
        self._report = report
        self._begin()
        _sealers.add(self)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._due: list[tuple[float, str]] = []
        self._marked: set[str] = set()
        self._failures: dict[str, int] = {}

    def mark(self, account: str) -> None:
        """The account has entries to seal; after `close` it is left to the next process."""
        with self._changed:
            if self._closed or account in self._marked:
                return
            self._plan(account, self._delay)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="trail-sealer", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Seal what is marked, once, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _plan(self, account: str, seconds: float) -> None:
        self._marked.add(account)
        heapq.heappush(self._due, (time.monotonic() + seconds, account))
        self._changed.notify_all()

    def _run(self) -> None:
        while (account := self._next()) is not None:
            try:
                seal(self._store, account)
                self._failures.pop(account, None)
            except NoStore:
                self._failures.pop(account, None)  # suspended or gone: there is nothing to write to
            except Exception as error:  # whatever it is, the other accounts' trails go on
                self._fail(account, error)

    def _next(self) -> str | None:
        with self._changed:
            while True:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and (wait <= 0 or self._closed):
                    account = heapq.heappop(self._due)[1]
                    self._marked.discard(account)
                    return account
                if self._closed:
                    return None
                self._changed.wait(wait)

    def _fail(self, account: str, error: Exception) -> None:
        failures = self._failures[account] = self._failures.get(account, 0) + 1
        if failures == 1:
            self._report(f"the trail of `{account}` could not be sealed, it is tried again: {error}")
        with self._changed:
            if not self._closed and account not in self._marked:
                self._plan(account, min(self._delay * 2 ** min(failures, _DOUBLINGS), _LONGEST_PAUSE_SECONDS))


def _leave_parents() -> None:
    for sealer in _sealers:
        # the thread, and whatever it held, is the parent's
        sealer._begin()


os.register_at_fork(after_in_child=_leave_parents)
