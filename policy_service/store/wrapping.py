"""What wraps data keys: the interface that a file and a key service share."""

from __future__ import annotations

from typing import NamedTuple, Protocol

OVERDUE_MS = 365 * 24 * 3600 * 1000


class Wrapped(NamedTuple):
    """A data key, readable only with the key encryption key (KEK) whose id is `kek`."""

    kek: str
    blob: bytes


class KeyringHealth(NamedTuple):
    """How a keyring is: `created_on` (milliseconds) is when its current KEK was made or last rotated."""

    provider: str
    current: str
    created_on: int
    overdue: bool
    sentence: str


class Keyring(Protocol):
    """Wraps data keys. A wrapped key opens as the account and version that it was wrapped as, and as no other.

    `NoKey` where a KEK is missing, wrong or refused to us; `StoreFailed` where it can't be reached now.
    """

    def wrap(self, key: bytes, account: str, version: int) -> Wrapped:
        """The key, wrapped by the current KEK."""

    def unwrap(self, wrapped: Wrapped, account: str, version: int) -> bytes:
        """The key again."""

    def rewrap(self, wrapped: Wrapped, account: str, version: int) -> Wrapped:
        """The same key, wrapped by the current KEK."""

    def current(self) -> str:
        """The id of the KEK that wraps now."""

    def health(self) -> KeyringHealth:
        """How it is, and whether its yearly rotation is overdue."""


def judge(provider: str, current: str, created_on: int, now_ms: int, *, advice: str | None) -> KeyringHealth:
    """The health of a keyring whose current KEK is of `created_on`; `advice` says how to rotate it, `None`: it is."""
    days = max(0, now_ms - created_on) // (24 * 3600 * 1000)
    overdue = now_ms - created_on > OVERDUE_MS and advice is not None
    sentence = f"the key `{current}` is {days} days old"
    if overdue:
        sentence += f", its yearly rotation is overdue: {advice}"
    return KeyringHealth(provider, current, created_on, overdue, sentence)
