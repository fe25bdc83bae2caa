"""A line of the decision log: whose it is and when stand in the clear, what was decided is sealed.

`{"tenant":"acme","key_version":1,"time":"2026-01-31T12:00:00.000000Z","body":"<base64>"}`: the body is JSON,
sealed with the tenant's data key of that version, and opens with this tenant and this time only. Lines from before
bodies were sealed have `"key_version":0` and the body itself, which holds the time.
"""

from __future__ import annotations

import binascii
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from policy_service.audit.records import Mask, dumps, instant, read_body
from policy_service.errors import NoKey
from policy_service.store.data_keys import DataKey, DataKeys
from policy_service.store.sealing import seal, unseal

ERASED = "they are sealed for a tenant that was erased"
OLDER = "they are older than its key: sealed for a tenant of this name that was erased, or changed since"

_USE = "log"
_CLEAR = 0
_VERSIONS = range(2**32)


class Line(NamedTuple):
    """A line as it stands in a file; `body` is sealed where it is a text."""

    tenant: str
    key_version: int
    time: str
    body: str | dict[str, Any]


def write_line(body: Mapping[str, Any], mask: Mask, key: DataKey) -> bytes:
    """The line of a record, masked and then sealed; `TypeError` where a value is none that JSON can hold."""
    tenant, time = body["tenant"], body["time"]
    sealed = seal(key, _USE, dumps(mask.apply(body) if mask else body), tenant, time)
    text = binascii.b2a_base64(sealed, newline=False).decode()
    line = {"tenant": tenant, "key_version": key.version, "time": time, "body": text}
    return orjson.dumps(line, None, orjson.OPT_APPEND_NEWLINE)


def read_line(text: bytes) -> Line:
    """What stands in a line, nothing opened; `ValueError` where it is none."""
    try:
        raw = orjson.loads(text)
        tenant, version, body = raw["tenant"], raw["key_version"], raw["body"]
        # both go into a look-up and into what is told of them
        if tenant.isprintable() and type(version) is int and version in _VERSIONS:
            if version == _CLEAR and isinstance(body, dict):
                return Line(tenant, version, body["time"] + "", read_body(text)["body"])
            if version != _CLEAR and isinstance(body, str):
                return Line(tenant, version, raw["time"] + "", body)
    except (TypeError, KeyError, AttributeError):
        pass
    raise ValueError("the line holds no record")


class Opener:
    """Opens the bodies of lines, and counts those that can't be opened or proved.

    gone   how many lines of each tenant nobody can open any more, by why
    clear  how many lines were not sealed
    """

    def __init__(self, keys: DataKeys) -> None:
        self._keys = keys
        self.gone: Counter[tuple[str, str]] = Counter()
        self.clear = 0

    def open(self, line: Line) -> dict[str, Any] | None:
        """The record; nothing where its key is gone, `ValueError` where it is not what was sealed.

        `NoKey` where the keyring can't open the key, `StoreFailed` where that can't be known now.
        """
        if not isinstance(line.body, str):
            if line.time >= self._sealed_since(line.tenant):
                raise ValueError("the record is not sealed, as all are since its tenant has a key: somebody wrote it")
            self.clear += 1
            return line.body
        sealed = binascii.a2b_base64(line.body, strict_mode=True)
        key = self._find(line)
        if key is None:
            self.gone[line.tenant, ERASED] += 1
            return None
        try:
            return read_body(unseal(key, _USE, sealed, line.tenant, line.time))
        except NoKey:
            # a tenant that was erased and created again starts with version 1 again
            if line.time >= self._made_on(line):
                raise ValueError("the record is not what was sealed for this tenant and time") from None
        self.gone[line.tenant, OLDER] += 1
        return None

    def _find(self, line: Line) -> DataKey | None:
        try:
            return self._keys.version(line.tenant, line.key_version)
        except NoKey:
            if self._made_on(line):
                raise
            return None

    def _sealed_since(self, tenant: str) -> str:
        """When the tenant's first key was made; after every time where it has none."""
        return min((instant(row.created_on / 1000) for row, _ in self._keys.all(tenant)), default="~")

    def _made_on(self, line: Line) -> str:
        """When the key was made that would open this line now; empty where there is none."""
        rows = (row for row, _ in self._keys.all(line.tenant))
        return next((instant(row.created_on / 1000) for row in rows if row.version == line.key_version), "")
