"""A trail in pages, each in a session of its own: however long it is, little is held and nothing is kept open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from policy_service.audit.chain import Head, unpack
from policy_service.audit.trail import first_id
from policy_service.store.door import Store
from policy_service.store.tables import TrailEntryRow, TrailHeadRow, TrailLinkRow

PAGE = 1_000


class Link(NamedTuple):
    """A link with its entry; `body` is `None` where the entry is not there."""

    seq: int
    entry_id: str
    hash: bytes
    body: str | None


class Entry(NamedTuple):
    """An entry with its place in the chain; `seq` is `None` where it has none yet."""

    id: str
    body: str
    seq: int | None


def read_last_head(session: Session, account: str) -> Head | None:
    """The newest head of the session's account."""
    row = session.execute(_heads(account).order_by(TrailHeadRow.seq.desc()).limit(1)).first()
    return unpack(row.seq, row.hash, row.at, row.signature) if row else None


def read_last_link(session: Session, account: str) -> tuple[int, bytes]:
    """Place and hash of the last link; 0 and nothing where there is none."""
    newest = select(TrailLinkRow.seq, TrailLinkRow.hash).where(TrailLinkRow.account_id == account)
    row = session.execute(newest.order_by(TrailLinkRow.seq.desc()).limit(1)).first()
    return (row[0], row[1]) if row else (0, b"")


def read_heads(store: Store, account: str, last: int) -> Iterator[Head]:
    """The heads up to the link `last`, in order."""
    seq = -1
    while True:
        query = _heads(account).where(TrailHeadRow.seq > seq, TrailHeadRow.seq <= last)
        with store.session(account) as session:
            rows = session.execute(query.order_by(TrailHeadRow.seq).limit(PAGE)).all()
        yield from (unpack(row.seq, row.hash, row.at, row.signature) for row in rows)
        if len(rows) < PAGE:
            return
        seq = rows[-1].seq


def read_links(store: Store, account: str, last: int) -> Iterator[Link]:
    """The links up to `last` with their entries, in order, whatever their numbers are."""
    same = (TrailEntryRow.account_id == account) & (TrailEntryRow.id == TrailLinkRow.entry_id)
    links = (
        select(TrailLinkRow.seq, TrailLinkRow.entry_id, TrailLinkRow.hash, TrailEntryRow.body)
        .outerjoin_from(TrailLinkRow, TrailEntryRow, same)
        .where(TrailLinkRow.account_id == account, TrailLinkRow.seq <= last)
        .order_by(TrailLinkRow.seq)
        .limit(PAGE)
    )
    query = links
    while True:
        with store.session(account) as session:
            rows = session.execute(query).all()
        yield from (Link(row.seq, row.entry_id, row.hash, row.body) for row in rows)
        if len(rows) < PAGE:
            return
        query = links.where(TrailLinkRow.seq > rows[-1].seq)


def read_hashes(store: Store, account: str, places: Sequence[int]) -> dict[int, bytes]:
    """The hashes of the links at these places, of those that are there."""
    query = select(TrailLinkRow.seq, TrailLinkRow.hash).where(
        TrailLinkRow.account_id == account, TrailLinkRow.seq.in_(places)
    )
    with store.session(account) as session:
        return {row.seq: row.hash for row in session.execute(query)}


def read_entries(store: Store, account: str, since: int = 0, until: int | None = None) -> Iterator[Entry]:
    """The entries made from `since` on and before `until` (microseconds), in order of time, sealed or not."""
    same = (TrailLinkRow.account_id == account) & (TrailLinkRow.entry_id == TrailEntryRow.id)
    entries = (
        select(TrailEntryRow.id, TrailEntryRow.body, TrailLinkRow.seq)
        .outerjoin_from(TrailEntryRow, TrailLinkRow, same)
        .where(TrailEntryRow.account_id == account, TrailEntryRow.id >= first_id(since))
        .order_by(TrailEntryRow.id)
        .limit(PAGE)
    )
    if until is not None:
        entries = entries.where(TrailEntryRow.id < first_id(until))
    query = entries
    while True:
        with store.session(account) as session:
            rows = session.execute(query).all()
        yield from (Entry(row.id, row.body, row.seq) for row in rows)
        if len(rows) < PAGE:
            return
        query = entries.where(TrailEntryRow.id > rows[-1].id)


def count_entries(session: Session, account: str) -> int:
    """How many entries there are."""
    return session.scalar(select(func.count()).where(TrailEntryRow.account_id == account)) or 0


def without_link(account: str, since: str = "") -> Select[str, str]:
    """The query for entries that have no link yet, id and body, in order; from the id `since` on."""
    # the bound is told of both tables, so that neither is gone through from its beginning
    link = select(TrailLinkRow.seq).where(
        TrailLinkRow.account_id == account,
        TrailLinkRow.entry_id == TrailEntryRow.id,
        TrailLinkRow.entry_id >= since,
    )
    return (
        select(TrailEntryRow.id, TrailEntryRow.body)
        .where(TrailEntryRow.account_id == account, TrailEntryRow.id >= since, ~link.exists())
        .order_by(TrailEntryRow.id)
    )


def _heads(account: str) -> Select[int, bytes, int, bytes]:
    return select(TrailHeadRow.seq, TrailHeadRow.hash, TrailHeadRow.at, TrailHeadRow.signature).where(
        TrailHeadRow.account_id == account
    )
