"""Values sealed by a tenant's data key: they open with the same key, for the same use, in the same place.

    1 byte format │ 4 bytes version of the key │ 24 bytes nonce │ ciphertext │ 16 bytes tag

All before the nonce is authenticated, and with it the account, the use and whatever names the place (table,
column, row), so that a sealed value can't be moved to another row, column, tenant or version.
"""

from __future__ import annotations

import hmac

from policy_service.errors import NoKey
from policy_service.store.aead import bind, decrypt, encrypt
from policy_service.store.data_keys import DataKey

_FORMAT = b"\x01"
_HEADER = 5
_BLIND = 16


def seal(key: DataKey, use: str, plain: bytes, *aad: str) -> bytes:
    """The value sealed for a use, bound to the texts in `aad`."""
    header = _FORMAT + key.version.to_bytes(4)
    return header + encrypt(key.derive(use), plain, _place(header, key, use, aad))


def sealed_version(blob: bytes) -> int:
    """The version of the data key that sealed this; `NoKey` where it is nothing sealed."""
    if len(blob) < _HEADER or blob[:1] != _FORMAT:
        raise NoKey("this is no sealed value of a format that this version knows, restore it or upgrade the service")
    return int.from_bytes(blob[1:_HEADER])


def unseal(key: DataKey, use: str, blob: bytes, *aad: str) -> bytes:
    """What was sealed; `NoKey` where the key is another, or value, use or place are not what they were."""
    if (version := sealed_version(blob)) != key.version:
        raise NoKey(f"version {version} of the data key of `{key.account}` sealed this, not version {key.version}")
    plain = decrypt(key.derive(use), blob[_HEADER:], _place(blob[:_HEADER], key, use, aad))
    if plain is None:
        raise NoKey(
            f"a sealed value of `{key.account}` doesn't open: its key is another one, or it was changed or moved, "
            "restore it from a backup"
        )
    return plain


def blind(key: DataKey, use: str, value: bytes, *names: str) -> bytes:
    """A keyed digest of 16 bytes: equal for equal values under the same names, and says nothing else without the key.

    Equality and frequency do show, to whoever sees the digests.
    """
    return hmac.digest(key.derive(use), bind(*names) + value, "sha256")[:_BLIND]


def _place(header: bytes, key: DataKey, use: str, aad: tuple[str, ...]) -> bytes:
    return header + bind(key.account, use, *aad)
