"""The error tree. `web` maps each class to a status in one table; the command line prints the message.

    PolicyServiceError            whatever this service refuses, in one sentence
    ├── RequestError              the caller sent something that can't be read or is not allowed (400)
    ├── Unauthenticated           no caller could be found for the request (401)
    ├── Forbidden                 the caller is known and may not do this (403)
    ├── Unavailable               the service can't answer safely now (503)
    │   ├── NoBundle              the tenant never had a bundle that loads
    │   └── NotRecorded           the decision could not be written to the log
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


class Unavailable(PolicyServiceError):
    """The service can't answer safely now."""


class NoBundle(Unavailable):
    """The tenant never had a bundle that loads."""


class NotRecorded(Unavailable):
    """The decision could not be written to the log, so it is not given."""


class UnknownTenant(PolicyServiceError):
    """There is no folder for this tenant."""


class Refused(PolicyServiceError):
    """Files or settings were refused; `findings` says which and why."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)
