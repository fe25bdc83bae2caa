"""The management trail: who changed what, by which right, written in the transaction of the change.

`note` adds the entries; they are linked and signed a moment later (`sealer`), so that a change waits for nobody.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import insert
from sqlalchemy.orm import Session

from policy_service.audit.chain import canonical
from policy_service.store.data_keys import DataKey
from policy_service.store.tables import TrailEntryRow

# ids sort by time: 16 hexadecimal digits of microseconds, then as many that nobody can guess
_RANDOM_BYTES = 8


class Origin(NamedTuple):
    """Who made a change, and from where.

    subject   `user:alice`; empty for the command line
    key       the id of the API key, empty where there was none
    address   of the client, as the service believes it
    request   the id of the request
    """

    subject: str = ""
    key: str = ""
    address: str = ""
    request: str = ""


class Change(NamedTuple):
    """One change: what was done to which thing, and which policies allowed it.

    action          `create`, `update`, `delete`, `rotate`…
    kind            `entity`, `relationship`, `tenant`, `keyring`…
    before, after   `digest` of the thing, `None` where there was none
    policy_version  of the bundle that decided, empty where nothing was decided
    reasons         ids of the policies that allowed it
    detail          whatever else tells the change; never a value of the thing, never a fraction
    """

    action: str
    kind: str
    id: str
    before: str | None
    after: str | None
    by: Origin
    policy_version: str = ""
    reasons: tuple[str, ...] = ()
    detail: Mapping[str, Any] = {}


def note(session: Session, changes: Sequence[Change], at: float) -> None:
    """Write the changes to the trail of the session's account, in its transaction; `at` is in seconds.

    The entries of one call keep their order. Whoever commits tells the process's `Sealer`.
    """
    account = session.info["account"]
    micros = max(0, round(at * 1_000_000))
    rows = [
        {"account_id": account, "id": _new_id(micros + place), "body": _write(change, micros)}
        for place, change in enumerate(changes)
    ]
    if rows:
        session.execute(insert(TrailEntryRow), rows)


def digest(key: DataKey, body: bytes) -> str:
    """What a trail shows of a thing: equal for equal bodies, and telling nobody without the key what they are."""
    return hmac.digest(key.derive("digest"), body, "sha256").hex()


def first_id(micros: int) -> str:
    """What no id made at this time or later sorts before."""
    return f"{max(0, micros):016x}"


def _new_id(micros: int) -> str:
    return first_id(micros) + secrets.token_hex(_RANDOM_BYTES)


def _write(change: Change, micros: int) -> str:
    return canonical({**change._asdict(), "by": change.by._asdict(), "detail": dict(change.detail), "at": micros})
