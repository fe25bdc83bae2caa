"""The chain of a trail, without any store: what is hashed, what is signed, and how a signature is kept.

    entry   SHA-256(0x00 + id + line feed + body)            as they are stored, in UTF-8; `canonical` has no line feed
    link    SHA-256(0x01 + hash of the link before + hash of the entry)
    start   SHA-256(0x02 + account)                          stands for the link before the first

A head is an end of the chain, signed with Ed25519 by a key that is derived from a version of the account's data
key: `docs/verify_trail.py` is these lines once more, for who has nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_VERSION_BYTES = 4
_SIGNATURE_BYTES = 64
_SEALED_BYTES = 77  # a public key, as `trail_keys` seals it


class SigningKey(Protocol):
    """What is needed of a data key: its version, and 32 bytes for a use."""

    @property
    def version(self) -> int: ...

    def derive(self, use: str) -> bytes: ...


class Head(NamedTuple):
    """A signed end of a chain: `seq` counts links from 1, `at` is in microseconds, `key` the data key's version.

    `sealed` is the public half of that key where it is not here: the trail was imported, and this came with it.
    """

    seq: int
    hash: bytes
    at: int
    key: int
    signature: bytes
    sealed: bytes = b""


def canonical(value: Any) -> str:
    """The one JSON text of a value: members sorted, no spaces, ASCII only, so that any text survives any database.

    A value that JSON has no one text for (a fraction, a member whose name is no string) is a `TypeError`.
    """
    _check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def hash_entry(entry_id: str, body: str) -> bytes:
    """What a link covers of its entry; both texts exactly as they are stored."""
    return hashlib.sha256(b"\x00" + _bytes(entry_id) + b"\n" + _bytes(body)).digest()


def hash_link(before: bytes, entry: bytes) -> bytes:
    """The hash of a link from the hash of the one before and that of its entry."""
    return hashlib.sha256(b"\x01" + before + entry).digest()


def start(account: str) -> bytes:
    """What stands for the link before an account's first, so that no chain passes for another account's."""
    return hashlib.sha256(b"\x02" + _bytes(account)).digest()


def sign_head(key: SigningKey, account: str, seq: int, link: bytes, at: int) -> Head:
    """The head that ends a chain at the link `seq` with the hash `link`."""
    head = Head(seq, link, at, key.version, b"")
    return head._replace(signature=_private(key).sign(_message(account, head)))


def is_signed(public: bytes, account: str, head: Head) -> bool:
    """Whether the account's key with this public half signed the head."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(head.signature, _message(account, head))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key(key: SigningKey) -> bytes:
    """The public half of the key that signs heads: 32 bytes, no secret."""
    return _private(key).public_key().public_bytes_raw()


def pack(head: Head) -> bytes:
    """The signature as it is stored: the version of its key in four bytes, the signature, what is sealed."""
    return head.key.to_bytes(_VERSION_BYTES, "big") + head.signature + head.sealed


def unpack(seq: int, link: bytes, at: int, packed: bytes) -> Head:
    """A head as it was stored; what is no signature at all becomes one of key 0, which nobody ever had."""
    end = _VERSION_BYTES + _SIGNATURE_BYTES
    whole = len(packed) in (end, end + _SEALED_BYTES)
    key = int.from_bytes(packed[:_VERSION_BYTES], "big") if whole else 0
    return Head(seq, link, at, key, packed[_VERSION_BYTES:end], packed[end:])


def _private(key: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key.derive("trail-signature"))


def _message(account: str, head: Head) -> bytes:
    lines = ("policy-service trail head v1", account, head.seq, head.hash.hex(), head.at, head.key)
    return _bytes("".join(f"{line}\n" for line in lines))


def _bytes(text: str) -> bytes:
    # a text that someone put there by other means is hashed as it is, never a reason to stop looking
    return text.encode("utf-8", "surrogatepass")


def _check(value: Any) -> None:
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, Mapping):
        for name, part in value.items():
            if not isinstance(name, str):
                raise TypeError(f"a member's name is a string, not `{type(name).__name__}`")
            _check(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _check(part)
    else:
        raise TypeError(f"`{type(value).__name__}` has no one JSON text")
