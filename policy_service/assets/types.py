"""Which types a store holds entities of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from policy_service.store.tables import EntityRow

_AT_ONCE = 100


def find_types(session: Session, types: Sequence[str]) -> set[str]:
    """Those of the types, as they were sent, of which there are entities: one look at an index for each."""
    account = session.info["account"]
    found: set[str] = set()
    for start in range(0, len(types), _AT_ONCE):
        asked = types[start : start + _AT_ONCE]
        row = session.execute(
            select(
                *[
                    exists().where(
                        EntityRow.account_id == account, EntityRow.type == kind, EntityRow.deleted.is_(False)
                    )
                    for kind in asked
                ]
            )
        ).one()
        found.update(kind for kind, there in zip(asked, row, strict=True) if there)
    return found
