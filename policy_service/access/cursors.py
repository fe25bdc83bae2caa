"""Where a list goes on: sealed, because it names the last row that was examined, which may be nobody's to see.

A cursor is bound to the key, the subject and the question it was given for; any other is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

import orjson

from policy_service.errors import NoKey, RequestError
from policy_service.model import Caller
from policy_service.store.data_keys import DataKeys
from policy_service.store.sealing import seal, sealed_version, unseal

USE = "cursor"
# a place is as long as the id in it, and of those in files nobody says how long: what is sent is as long as a body
_TEXT = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
# bytes: what a row is sorted by is as long as it is, and how long must not show in its cursor
PADDED = 256
_REFUSED = "not one of what is asked here, begin again without it"


class Cursor(NamedTuple):
    """The id of the last row that was examined, and the version of the files that answered the first page."""

    after: str
    version: str


def write_cursor(keys: DataKeys, caller: Caller, question: str, cursor: Cursor, padded: int = PADDED) -> str:
    """The cursor as the caller gets it: ASCII that can stand in a URL, as long as one of `padded` bytes where it fits
    into that."""
    plain = orjson.dumps([*cursor])
    plain = plain.ljust(-(-len(plain) // padded) * padded)
    sealed = seal(keys.active(caller.tenant), USE, plain, *_bind(caller, question))
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_cursor(keys: DataKeys, caller: Caller, question: str, text: str, member: str = "cursor") -> Cursor:
    """What a cursor says; `RequestError`, which names the member, for one of another caller or question."""
    active = keys.active(caller.tenant)
    try:
        if not _TEXT.fullmatch(text):
            raise NoKey(_REFUSED)
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        version = sealed_version(sealed)
        key = active if version == active.version else keys.version(caller.tenant, version)
        after, began = orjson.loads(unseal(key, USE, sealed, *_bind(caller, question)))
    except (NoKey, binascii.Error):
        raise RequestError(f"`{member}` is {_REFUSED}") from None
    return Cursor(after, began)


def _bind(caller: Caller, question: str) -> tuple[str, ...]:
    subject = caller.subject
    return caller.key_id, subject.type if subject else "", subject.id if subject else "", question
