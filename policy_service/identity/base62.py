"""The alphabet of keys: digits and letters, so that a double click selects a whole part."""

from __future__ import annotations

import secrets
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM_LENGTH = 6


def draw(length: int) -> str:
    """Random characters from the system's generator, 5.95 bits each: 43 hold 256 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def encode(number: int, length: int) -> str:
    """A number of at least 0, most significant digit first, filled with zeros up to `length`."""
    digits = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)).rjust(length, ALPHABET[0])


def checksum(text: str) -> str:
    """The CRC32 of a text: tells a key from what looks like one, without a look into any file."""
    return encode(zlib.crc32(text.encode()), CHECKSUM_LENGTH)
