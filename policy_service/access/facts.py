"""Where stored entities come from: the one seam behind which a database can join.

Today a tenant's entities are those of its `entities.json`; what is pure about facts is in `policy.facts`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from policy_service.model import Entity, Uid
from policy_service.policy.bundle import Bundle


def fetch(bundle: Bundle, uids: Collection[Uid]) -> Mapping[Uid, Entity]:
    """Those of the entities that the tenant has stored, with their direct parents."""
    stored = bundle.entities
    return {uid: stored[uid] for uid in uids if uid in stored}
