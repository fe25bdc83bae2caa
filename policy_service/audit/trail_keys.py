"""The public keys of a trail: of the account's own data keys, and of those that signed it before it was imported.

A trail that comes from elsewhere was signed by keys that stay there. Each of its heads brings the public half,
sealed with the data key of the account here: nobody without that can put another in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_service.audit import chain
from policy_service.audit.chain import Head
from policy_service.errors import NoKey
from policy_service.store.sealing import seal, sealed_version, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_service.store.data_keys import DataKey, DataKeys

USE = "trail-key"


def find_public(keys: DataKeys, account: str, head: Head) -> bytes | None:
    """The public key that a head is to be verified with; none where it is not there, or not what was imported."""
    try:
        if not head.sealed:
            return chain.public_key(keys.version(account, head.key))
        key = keys.version(account, sealed_version(head.sealed))
        return unseal(key, USE, head.sealed, str(head.key))
    except NoKey:
        return None


def seal_public(key: DataKey, version: int, public: bytes) -> bytes:
    """What an imported head brings: the public half of the key `version` that signed it."""
    return seal(key, USE, public, str(version))


def collect_public_keys(keys: DataKeys, account: str, heads: Iterable[Head]) -> dict[int, bytes]:
    """The public keys by version: of all data keys, and before them of those that signed what was imported.

    `heads` are those of the trail, in order; no more of them are taken than were imported, and one.
    """
    found = {key.version: chain.public_key(key) for _, key in keys.all(account)}
    imported: dict[int, bytes] = {}
    for head in heads:
        # what was imported comes first
        if not head.sealed:
            break
        public = None if head.key in imported else find_public(keys, account, head)
        if public:
            imported[head.key] = public
    return {**found, **imported}
