"""AES-256-GCM with a fresh key for each message, and texts bound together so that no two lists look alike.

A message's key is derived from the long-lived key and 12 random bytes, its nonce is 12 more: with random nonces
alone, 2³² messages would be the most that one key may seal, and a busy decision log gets there within a year.
"""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_HALF = 12
_NONCE = 2 * _HALF
_TAG = 16


def bind(*texts: str) -> bytes:
    """The texts as bytes, injectively: each with its length in front, after their number."""
    parts = [len(texts).to_bytes(4)]
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        parts += (len(encoded).to_bytes(4), encoded)
    return b"".join(parts)


def encrypt(key: bytes, plain: bytes, aad: bytes) -> bytes:
    """Nonce (24 bytes), ciphertext and tag (16 bytes) under a key of 32 bytes; `aad` is to be the same again."""
    nonce = os.urandom(_NONCE)
    return nonce + _cipher(key, nonce).encrypt(nonce[_HALF:], plain, aad)


def decrypt(key: bytes, sealed: bytes, aad: bytes) -> bytes | None:
    """What was encrypted; `None` where key, `aad` or anything in `sealed` is not what it was."""
    if len(sealed) < _NONCE + _TAG:
        return None
    try:
        return _cipher(key, sealed).decrypt(sealed[_HALF:_NONCE], sealed[_NONCE:], aad)
    except InvalidTag:
        return None


def _cipher(key: bytes, nonce: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    return AESGCM(hmac.digest(key, nonce[:_HALF], "sha256"))
