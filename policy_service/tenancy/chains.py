"""The trail of an import before it counts: each link follows from the one before, each head is signed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from policy_service.audit import chain
from policy_service.errors import Refused
from policy_service.store.door import Store
from policy_service.store.snapshots import renew
from policy_service.store.tables import TrailEntryRow, TrailHeadRow, TrailLinkRow
from policy_service.tenancy.copies import PAGE
from policy_service.tenancy.lines import Export


def check_chain(store: Store, session: Session, export: Export, name: str) -> None:
    """Go through the trail that a session has written, by the keys that the export names; else `Refused`."""
    account = export.tenant
    seq, link, heads = 0, chain.start(account), 0
    while True:
        renew(store, session)
        rows = session.execute(_page(account).where(TrailLinkRow.seq > seq)).all()
        for row in rows:
            seq, link = seq + 1, chain.hash_link(link, chain.hash_entry(row.id, row.body))
            if (row.seq, row.hash) != (seq, link):
                raise Refused(f"{name}: link {seq} of the trail does not follow from the one before it")
            if row.head is not None:
                heads += 1
                head = chain.unpack(seq, row.head, row.at, row.signature)
                public = export.keys.get(head.key)
                if head.hash != link or not (public and chain.is_signed(public, account, head)):
                    raise Refused(f"{name}: head {seq} of the trail has a wrong signature")
        if len(rows) < PAGE:
            break
    if heads != export.manifest["counts"]["head"]:
        raise Refused(f"{name}: the trail has a head without its link")


def _page(account: str) -> Any:
    return (
        select(
            TrailLinkRow.seq,
            TrailLinkRow.hash,
            TrailEntryRow.id,
            TrailEntryRow.body,
            TrailHeadRow.hash.label("head"),
            TrailHeadRow.at,
            TrailHeadRow.signature,
        )
        .join_from(
            TrailLinkRow,
            TrailEntryRow,
            (TrailEntryRow.account_id == account) & (TrailEntryRow.id == TrailLinkRow.entry_id),
        )
        .outerjoin(TrailHeadRow, (TrailHeadRow.account_id == account) & (TrailHeadRow.seq == TrailLinkRow.seq))
        .where(TrailLinkRow.account_id == account)
        .order_by(TrailLinkRow.seq)
        .limit(PAGE)
    )
