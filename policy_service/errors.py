"""The error tree. `web` maps each class to a status in one table; the command line prints the message.

    PolicyServiceError            whatever this service refuses, in one sentence
    ├── RequestError              the caller sent something that can't be read or is not allowed (400)
    ├── Unauthenticated           no caller could be found for the request (401)
    ├── Forbidden                 the caller is known and may not do this (403)
    ├── Missing                   what was asked for is not there, or not the caller's to see (404)
    ├── Conflict                  what is stored does not let this be done (409)
    ├── Stale                     what is stored has changed since the caller looked (412)
    ├── Unavailable               the service can't answer safely now (503)
    │   ├── NoBundle              the tenant never had a bundle that loads
    │   ├── NotRecorded           the decision could not be written to the log
    │   ├── NoStore               the tenant has no store
    │   └── StoreFailed           the store can't be reached, is locked, full or damaged
    ├── NoKey                     the key that opens this is missing or wrong
    ├── UnknownTenant             there is no folder for this tenant
    └── Refused                   a file or a setting was refused: carries findings

Messages are lower case, without a full stop, with the input in backticks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy_service.model import Finding


class PolicyServiceError(Exception):
    """Whatever this service refuses; `str(error)` is one sentence that says what to do next."""


class RequestError(PolicyServiceError):
    """The request is malformed or sends what only the service may assert."""


class Unauthenticated(PolicyServiceError):
    """No caller could be found for the request."""


class Forbidden(PolicyServiceError):
    """The caller is known and its key lacks the scope."""


class Missing(PolicyServiceError):
    """What was asked for is not there, or not the caller's to see: nobody can tell which."""


class Conflict(PolicyServiceError):
    """What is stored does not let this be done."""


class Stale(PolicyServiceError):
    """What is stored has changed since the caller looked at it."""


class Unavailable(PolicyServiceError):
    """The service can't answer safely now."""


class NoBundle(Unavailable):
    """The tenant never had a bundle that loads."""


class NotRecorded(Unavailable):
    """The decision could not be written to the log, so it is not given."""


class NoStore(Unavailable):
    """The tenant has no store."""


class StoreFailed(Unavailable):
    """The store can't be reached, is locked, full or damaged: nothing was changed."""


class NoKey(PolicyServiceError):
    """The key that opens what is stored is missing or wrong."""


class UnknownTenant(PolicyServiceError):
    """There is no folder for this tenant."""


class Refused(PolicyServiceError):
    """Files or settings were refused; `findings` says which and why."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)
