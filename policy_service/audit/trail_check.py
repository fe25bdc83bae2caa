"""Whether a trail is what was written: every link follows from the one before, every head is signed.

What was changed, removed, inserted or put elsewhere is found, with its place. A trail that was cut off at an earlier
head, with its entries, is sound as far as it goes: only a head that was kept elsewhere shows that there was more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from sqlalchemy import func, select

from policy_service.audit import chain
from policy_service.audit.chain import Head
from policy_service.audit.trail_keys import find_public
from policy_service.audit.trail_pages import (
    PAGE,
    Link,
    count_entries,
    read_hashes,
    read_heads,
    read_last_head,
    read_last_link,
    read_links,
    without_link,
)
from policy_service.store.door import Store

# a trail that was damaged from one end to the other is no longer list than this
PROBLEMS = 100


class Problem(NamedTuple):
    """What is wrong, and where: `link 5`, `head 5`."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


class Report(NamedTuple):
    """What was found. `unsealed` entries have no link yet; `head` is the newest; no `problems`: the trail is sound."""

    entries: int
    links: int
    heads: int
    unsealed: int
    head: Head | None
    problems: tuple[Problem, ...]


def verify(
    store: Store,
    account: str,
    *,
    published: Iterable[Head] = (),
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """Go through the trail of an account from its first link.

    published   heads that were kept elsewhere: each must be part of the trail still
    progress    takes how many links were looked at, of how many

    At most `PROBLEMS` problems are told, then it is not looked further.
    """
    with store.session(account) as session:
        # links first: one that is sealed meanwhile must not look like one without a head
        end, _ = read_last_link(session, account)
        head = read_last_head(session, account)
        entries = count_entries(session, account)
        unsealed = session.scalar(select(func.count()).select_from(without_link(account).subquery())) or 0
    sealed = head.seq if head else 0
    checker = _Checker(store, account)
    if end > sealed:
        checker.tell(f"link {sealed + 1}", "no head is signed for it and those that follow: a head was removed")
    _check_chain(checker, max(end, sealed), progress)
    _check_published(checker, published)
    return Report(entries, checker.links, checker.heads, unsealed, head, tuple(checker.problems[:PROBLEMS]))


class _Checker:
    """Where the walk along one chain is, and what it has found."""

    def __init__(self, store: Store, account: str) -> None:
        self.store = store
        self.account = account
        self.links = 0
        self.heads = 0
        self.problems: list[Problem] = []
        self._next = 1
        self._hash: bytes | None = chain.start(account)
        self._keys: dict[int, bytes | None] = {}

    @property
    def full(self) -> bool:
        return len(self.problems) >= PROBLEMS

    def tell(self, place: str, sentence: str) -> None:
        self.problems.append(Problem(place, sentence))

    def take(self, link: Link) -> None:
        """Look at the next link."""
        self.links += 1
        place = f"link {link.seq}"
        if link.seq < self._next:
            self.tell(place, "it was inserted, the first is link 1")
            return
        if link.seq > self._next:
            last = f" to {link.seq - 1}" if link.seq - 1 > self._next else ""
            self.tell(f"link {self._next}{last}", "removed")
            self._hash = None  # what it follows from is not known
        if link.body is None:
            self.tell(place, f"its entry `{link.entry_id}` was removed")
        elif self._hash is not None and link.hash != chain.hash_link(
            self._hash, chain.hash_entry(link.entry_id, link.body)
        ):
            self.tell(place, f"it or its entry `{link.entry_id}` was changed")
        self._next, self._hash = link.seq + 1, link.hash

    def end(self, head: Head) -> None:
        """Look at a head, when all links up to it were taken."""
        self.heads += 1
        place = f"head {head.seq}"
        if head.seq != self._next - 1:
            self.tell(place, f"there is no link {head.seq}: links were removed, or the head was inserted")
        elif head.hash != self._hash:
            self.tell(place, "it has another hash than its link: links were written again, or the head was")
        self.check_signature(place, head)

    def check_signature(self, place: str, head: Head) -> None:
        if head.key not in self._keys:
            self._keys[head.key] = find_public(self.store.keys, self.account, head)
        public = self._keys[head.key]
        if public is None:
            self.tell(place, f"it is said to be signed by version {head.key} of the data key, which is not there")
        elif not chain.is_signed(public, self.account, head):
            self.tell(place, "the signature is wrong")


def _check_chain(checker: _Checker, last: int, progress: Callable[[int, int], None]) -> None:
    heads = read_heads(checker.store, checker.account, last)
    head = next(heads, None)
    for link in read_links(checker.store, checker.account, last):
        while head and head.seq < link.seq:
            checker.end(head)
            head = next(heads, None)
        checker.take(link)
        if checker.links % PAGE == 0:
            progress(checker.links, last)
        if checker.full:
            checker.problems[PROBLEMS - 1] = Problem(f"link {link.seq}", "not looked further, there is too much wrong")
            return
    while head and not checker.full:
        checker.end(head)
        head = next(heads, None)
    progress(last, last)


def _check_published(checker: _Checker, published: Iterable[Head]) -> None:
    heads = iter(published)
    while not checker.full and (page := list(islice(heads, PAGE))):
        hashes = read_hashes(checker.store, checker.account, [head.seq for head in page])
        for head in page:
            place = f"published head {head.seq}"
            if head.seq not in hashes:
                checker.tell(place, f"there is no link {head.seq} any more: the trail was cut off")
            elif hashes[head.seq] != head.hash:
                checker.tell(place, f"link {head.seq} has another hash: the trail was written again")
            checker.check_signature(place, head)
