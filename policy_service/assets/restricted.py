"""Restricted properties: sealed where the database is shared, with a keyed digest for equality."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from policy_service.policy.stored_values import decode_name, encode_name, write_json
from policy_service.store.data_keys import DataKeys
from policy_service.store.sealing import blind, seal, sealed_version, unseal

SEALED, BLIND = "restricted", "blind"


@dataclass(frozen=True, slots=True)
class Sealing:
    """Which properties of `account` are sealed, and by whose keys; without `keys` none is (the file is encrypted)."""

    account: str
    restricted: frozenset[str] = frozenset()
    keys: DataKeys | None = None

    def split(self, table: str, row: str, stored: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str] | None]:
        """Stored properties as they are kept in a row: those that anyone with the database may see, and those sealed.

        A sealed one opens in its own table, row and property only.
        """
        hidden = {name for name in stored if decode_name(name) in self.restricted} if self.keys else set()
        if not hidden or not self.keys:
            return dict(stored), None
        key = self.keys.active(self.account)
        sealed = {
            name: base64.b64encode(seal(key, SEALED, write_json(stored[name]).encode(), table, name, row)).decode()
            for name in sorted(hidden)
        }
        return {name: value for name, value in stored.items() if name not in hidden}, sealed

    def open(self, table: str, row: str, sealed: Mapping[str, str]) -> dict[str, Any]:
        """Sealed properties in their stored form; `NoKey` where one does not open."""
        opened = {}
        for name, text in sealed.items():
            blob = base64.b64decode(text)
            assert self.keys is not None, "nothing is sealed in an encrypted file"  # noqa: S101
            key = self.keys.version(self.account, sealed_version(blob))
            opened[name] = orjson.loads(unseal(key, SEALED, blob, table, name, row))
        return opened

    def blinds(self, stored: Mapping[str, Any]) -> dict[str, bytes]:
        """The digests of those stored properties that are sealed and are no lists."""
        if not self.keys:
            return {}
        names = [name for name in stored if decode_name(name) in self.restricted and type(stored[name]) is not list]
        if not names:
            return {}
        key = self.keys.active(self.account)
        return {name: blind(key, BLIND, write_json(stored[name]).encode(), name) for name in names}

    def digests(self, name: str, text: str) -> list[bytes]:
        """The digests that a property has where it is sealed and its stored form is `text`: one for each version of
        the key."""
        if not self.keys:
            return []
        stored = encode_name(name)
        return [blind(key, BLIND, text.encode(), stored) for _, key in self.keys.all(self.account)]
