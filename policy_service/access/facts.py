"""Where stored entities come from: the one seam behind which a database can join.

Today a tenant's entities are those of its `entities.json`; what is pure about facts is in `policy.facts`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from policy_service.model import Entity, Extension, Uid
from policy_service.policy.bundle import Bundle


def fetch(bundle: Bundle, uids: Collection[Uid]) -> Mapping[Uid, Entity]:
    """Those of the entities that the tenant has stored, with their direct parents."""
    stored = bundle.entities
    return {uid: stored[uid] for uid in uids if uid in stored}


def now() -> Extension:
    """What `context.now` says: the time as Cedar reads it, in UTC with milliseconds."""
    return Extension("datetime", datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
