"""Whom a request acts for: the subject of its key, or the one that a key with the scope `act` names."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from policy_service.errors import Forbidden, Refused, RequestError
from policy_service.identity.key_files import read_subject
from policy_service.model import Caller, Thing

HEADER = "policy-subject"
ACT = "act"

# visible ASCII or percent-encoded UTF-8; no bare comma, which is what joins a header that was sent twice
_NAMED = re.compile(r"(?:[!-$&-+\--~]|%[0-9A-Fa-f]{2})+", re.ASCII)


def act_as(caller: Caller, named: str | None) -> Caller:
    """The caller as the subject whose rights it has; the id of its key and its scopes stay.

    `named` is the header `Policy-Subject` as it was sent (`user:alice`, `user:J%C3%BCrgen`), `None` where none
    was. It wins over the subject of a key with the scope `act`; for any other key it is `Forbidden`, as is a key
    that has no subject and names none. What names no entity, a group or a type that only the service makes is a
    `RequestError`.
    """
    if named is not None:
        if ACT not in caller.scopes:
            raise Forbidden(
                f"the key lacks the scope `{ACT}`, send no `Policy-Subject` or use a key that has the scope"
            )
        return replace(caller, subject=_read(named))
    if caller.subject is not None:
        return caller
    if ACT in caller.scopes:
        raise Forbidden("the key has no subject, send `Policy-Subject: user:alice` to name whom it acts for")
    raise Forbidden("the key has no subject, make one with `policy-service key new --subject user:alice`")


def require_scope(caller: Caller, scope: str) -> None:
    """See that the caller's key has a scope, `Forbidden` where it lacks it: no subject's rights add one."""
    if scope not in caller.scopes:
        raise Forbidden(f"the key lacks the scope `{scope}`, make one with `policy-service key new --scope {scope}`")


def _read(named: str) -> Thing:
    if not _NAMED.fullmatch(named):
        raise RequestError(
            "`Policy-Subject` is `type:id`, sent once: visible ASCII, all else and any comma as %XX of UTF-8"
        )
    try:
        return read_subject(unquote_to_bytes(named).decode())
    except UnicodeDecodeError:
        raise RequestError("`Policy-Subject` is percent-encoded, but not from UTF-8") from None
    except Refused as error:
        raise RequestError(f"`Policy-Subject` can't be used: {error}") from None
