"""A keyring in a file: `{"keys": [{"id", "created", "secret"}]}`; the last one wraps, the others still open.

Who can read the file can open every data key, so it protects copies of databases and backups, not the machine it
lies on.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from policy_service.errors import NoKey
from policy_service.store.aead import KEY_BYTES, bind, decrypt, encrypt
from policy_service.store.private_files import lock_folder, read_private, replace_private, sign
from policy_service.store.wrapping import KeyringHealth, Wrapped, judge

_FORMAT = b"\x01"
_ROTATE = "run `policy-service keyring rotate`"
_MEMBERS = {"id", "created", "secret"}


@dataclass(frozen=True, slots=True, eq=False)
class _Kek:
    id: str
    created: datetime
    secret: bytes = field(repr=False)


class _Read(NamedTuple):
    signature: tuple[int, ...]
    keks: dict[str, _Kek]

    @property
    def current(self) -> _Kek:
        return next(reversed(self.keks.values()))


class FileKeyring:
    """The keys of a file, read again when it changes: a rotation by another process is seen at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = _read(path)

    def wrap(self, key: bytes, account: str, version: int) -> Wrapped:
        """The key, wrapped by the last KEK."""
        kek = self._read().current
        return Wrapped(kek.id, _FORMAT + encrypt(kek.secret, key, _place(kek.id, account, version)))

    def unwrap(self, wrapped: Wrapped, account: str, version: int) -> bytes:
        """The key again; `NoKey` where its KEK is not in the file, or it was wrapped as another account's."""
        kek = self._read().keks.get(wrapped.kek)
        if kek is None:
            raise NoKey(
                f"{self._path} doesn't hold the key `{wrapped.kek}` that wraps the data key of `{account}`, "
                "put the keyring back that does"
            )
        key = None
        if wrapped.blob[:1] == _FORMAT:
            key = decrypt(kek.secret, wrapped.blob[1:], _place(kek.id, account, version))
        if key is None:
            raise NoKey(
                f"version {version} of the data key of `{account}` doesn't open with the key `{kek.id}` of "
                f"{self._path}: one of the two was changed, put it back from a backup"
            )
        return key

    def rewrap(self, wrapped: Wrapped, account: str, version: int) -> Wrapped:
        """The same key, wrapped by the last KEK."""
        return self.wrap(self.unwrap(wrapped, account, version), account, version)

    def current(self) -> str:
        """The id of the last KEK."""
        return self._read().current.id

    def health(self) -> KeyringHealth:
        """Where the file is, and how old its last KEK."""
        kek = self._read().current
        created_on = int(kek.created.timestamp() * 1000)
        return judge(str(self._path), kek.id, created_on, time.time_ns() // 1_000_000, advice=_ROTATE)

    def _read(self) -> _Read:
        try:
            same = sign(os.stat(self._path)) == self._held.signature
        except OSError:
            same = False
        if not same:
            self._held = _read(self._path)
        return self._held


def create_file(path: Path) -> None:
    """Make the file with a first KEK, unless it is there already: of two processes that try, one makes it."""
    if os.path.exists(path):
        return
    with lock_folder(Path(os.path.realpath(path)).parent):
        if not os.path.exists(path):
            _replace(path, [_make()])


def rotate(path: Path) -> str:
    """Add a KEK to the file, to wrap from now on, and return its id. The others stay: they still open."""
    with lock_folder(Path(os.path.realpath(path)).parent):
        kek = _make()
        _replace(path, [*_read(path).keks.values(), kek])
    return kek.id


def _make() -> _Kek:
    return _Kek(secrets.token_hex(8), datetime.now(UTC).replace(microsecond=0), secrets.token_bytes(KEY_BYTES))


def _replace(path: Path, keks: list[_Kek]) -> None:
    keys = [
        {
            "id": kek.id,
            "created": kek.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "secret": base64.b64encode(kek.secret).decode(),
        }
        for kek in keks
    ]
    replace_private(path, json.dumps({"keys": keys}, indent=1).encode() + b"\n")


def _read(path: Path) -> _Read:
    signature, text = read_private(path)
    keks: dict[str, _Kek] = {}
    try:
        value = json.loads(text)
        for entry in value["keys"]:
            kek = _parse(entry)
            if kek.id in keks:
                raise ValueError
            keks[kek.id] = kek
        valid = value.keys() == {"keys"} and bool(keks)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        valid = False  # what exactly is wrong may quote a secret
    if not valid:
        raise NoKey(f"{path} is no keyring that can be read, put it back from a backup")
    return _Read(signature, keks)


def _parse(entry: dict[str, Any]) -> _Kek:
    secret = base64.b64decode(entry["secret"], validate=True)
    if entry.keys() != _MEMBERS or len(secret) != KEY_BYTES or not isinstance(entry["id"], str) or not entry["id"]:
        raise ValueError
    return _Kek(entry["id"], datetime.strptime(entry["created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC), secret)


def _place(kek: str, account: str, version: int) -> bytes:
    return _FORMAT + bind("data key", account, str(version), kek)
