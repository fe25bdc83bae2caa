"""Which types a store holds entities or relationships of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from policy_service.store.tables import EntityRow, RelationshipRow

_AT_ONCE = 100


def find_types(session: Session, types: Sequence[str]) -> set[str]:
    """Those of the types, as they were sent, of which there is anything: a look or two at an index for each."""
    account = session.info["account"]
    found: set[str] = set()
    for start in range(0, len(types), _AT_ONCE):
        asked = types[start : start + _AT_ONCE]
        looks = [
            or_(
                *[
                    exists().where(table.account_id == account, table.type == kind, table.deleted.is_(False))
                    for table in (EntityRow, RelationshipRow)
                ]
            )
            for kind in asked
        ]
        row = session.execute(select(*looks)).one()
        found.update(kind for kind, there in zip(asked, row, strict=True) if there)
    return found
