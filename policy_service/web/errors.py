"""One table from the error tree to HTTP, and problem details (RFC 9457) with AuthZEN's `error`.

A refusal is a JSON object in every case (AuthZEN 1.0 §10.1): `type`, `title`, `status`, `detail` and
`error`, which repeats the sentence for clients that look for an error message only.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple, TypeAlias

import orjson

from policy_service.errors import (
    Conflict,
    Forbidden,
    Missing,
    NoKey,
    PolicyServiceError,
    Refused,
    RequestError,
    Stale,
    Unauthenticated,
    Unavailable,
    UnknownTenant,
)

Headers: TypeAlias = list[tuple[str, str]]

PROBLEM = "application/problem+json"
CHALLENGE = ("www-authenticate", 'Bearer realm="policy-service"')
# the same words for every caller that could not be found, so that the answer tells nothing of keys or tenants
UNAUTHENTICATED = "no valid key was sent, send `authorization: Bearer <key>` with a key of this tenant"
INTERNAL = "the service failed, its log names the request id"


class Answer(NamedTuple):
    """What goes back to the client, without the request id."""

    status: int
    headers: Headers
    body: bytes


class TooLarge(RequestError):
    """The body holds more than the service reads (413)."""


class NotFound(PolicyServiceError):
    """Nothing is served at this path (404)."""


class WrongMethod(PolicyServiceError):
    """The path is served, by other methods (405)."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"this path is not served by that method, use {allowed}")
        self.allowed = allowed


# the first class that fits wins, so the narrower come first
STATUS: tuple[tuple[type[PolicyServiceError], int], ...] = (
    (TooLarge, 413),
    (RequestError, 400),
    (Unauthenticated, 401),
    # a key may outlive its tenant's folder: to its holder that is no different from a wrong key
    (UnknownTenant, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Missing, 404),
    (WrongMethod, 405),
    (Conflict, 409),
    (Stale, 412),
    (Unavailable, 503),
    (NoKey, 503),
    (Refused, 503),
)


def status_of(error: PolicyServiceError) -> int:
    """The HTTP status for an error of the tree; 500 for one the table does not know."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def problem(status: int, detail: str, headers: Headers | None = None) -> Answer:
    """A refusal as problem details; `headers` come on top of the content type."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    # a sentence may quote input, which may hold what UTF-8 can't
    sentence = detail.encode("utf-8", "replace").decode()
    body = {"type": "about:blank", "title": title, "status": status, "detail": sentence, "error": sentence}
    own = [("content-type", PROBLEM), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
    return Answer(status, own + (headers or []), orjson.dumps(body))


def refuse(error: PolicyServiceError) -> Answer:
    """The answer for an error of the tree."""
    status = status_of(error)
    if status == 401:
        return problem(401, UNAUTHENTICATED, [CHALLENGE])
    if isinstance(error, WrongMethod):
        return problem(405, str(error), [("allow", error.allowed)])
    if status == 503:
        return problem(503, str(error), [("retry-after", "1")])
    return problem(status, str(error) if status != 500 else INTERNAL)
