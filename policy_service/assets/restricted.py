"""Restricted properties: sealed where the database is shared, with a keyed digest for equality."""

from __future__ import annotations

from dataclasses import dataclass

from policy_service.store.data_keys import DataKeys


@dataclass(frozen=True, slots=True)
class Sealing:
    """Which properties of `account` are sealed, and by whose keys; without `keys` none is (the file is encrypted)."""

    account: str
    restricted: frozenset[str] = frozenset()
    keys: DataKeys | None = None
