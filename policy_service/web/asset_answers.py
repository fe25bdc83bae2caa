"""The asset API as one function from a request to an answer; Flask only mounts it.

Always the same beat: who asks and in whose name, what for, do it by `access`, answer. What may not be seen is not
there: 404 in the same words.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from time import time

from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker
from policy_service.access.facts import has_store
from policy_service.errors import Conflict, PolicyServiceError
from policy_service.identity.acting import HEADER as SUBJECT
from policy_service.identity.acting import act_as, require_scope
from policy_service.web.asset_endpoints import Endpoint
from policy_service.web.asset_queries import Queries
from policy_service.web.asset_requests import SEARCHES, Query, Target, find_target
from policy_service.web.authzen import REQUEST_ID, request_id_of
from policy_service.web.client import read_address
from policy_service.web.errors import INTERNAL, Headers, WrongMethod, problem, refuse

# what `answer` reads of a request's headers; a front need pass no others
HEADERS = ("authorization", "content-type", "x-request-id", "if-match", "if-none-match", SUBJECT)

_SERVED = {
    "all": ("GET", "HEAD", "POST"),
    "batch": ("POST",),
    "one": ("GET", "HEAD", "PUT", "PATCH", "DELETE"),
    "neighbours": ("GET", "HEAD"),
    "walk": ("GET", "HEAD"),
    **dict.fromkeys(SEARCHES, ("POST",)),
}
# the scopes that a key needs: who changes what is there is shown what is there; a search changes nothing
_SCOPES = {"GET": ("read",), "HEAD": ("read",), "POST": ("write",)}

_log = logging.getLogger(__name__)


def answer(
    service: Service, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, address: str = ""
) -> tuple[int, Headers, bytes | Iterator[bytes]]:
    """What the service answers: status, headers (with the request id) and body, which of an export comes in parts.

    Names in `headers` are lower case. `body` may be cut off one byte past the limit. `address` is the client's.
    Nothing that is sent raises: a refusal is problem details by the table in `web.errors`.
    """
    request_id = request_id_of(headers.get(REQUEST_ID))
    payload: bytes | Iterator[bytes]
    try:
        target = find_target(path)
        if method not in _SERVED[target.verb]:
            raise WrongMethod(", ".join(_SERVED[target.verb]))
        ask = partial(_authenticate, service, _find_scopes(target, method), headers, request_id, address)
        if target.verb in {"one", "batch"} or (target.verb, method) == ("all", "POST"):
            status, own, payload = Endpoint(service, ask(), target, Query(query), headers, body).answer(method)
        else:
            status, own, payload = Queries(service, ask, target, headers, body).answer(Query(query))
    except PolicyServiceError as error:
        status, own, payload = refuse(error)
    except Exception:
        _log.exception("request %s failed", request_id)
        status, own, payload = problem(500, INTERNAL)
    return status, [*own, (REQUEST_ID, request_id)], payload


def _find_scopes(target: Target, method: str) -> tuple[str, ...]:
    return ("read",) if target.verb in SEARCHES else _SCOPES.get(method, ("read", "write"))


def _authenticate(
    service: Service, scopes: tuple[str, ...], headers: Mapping[str, str], request_id: str, address: str
) -> Asker:
    """Who asks: the caller of the bearer key, as the subject in whose name it asks, in a tenant that has a store."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    caller = service.keys.find(key.strip() if scheme.lower() == "bearer" else "", now=time())
    for scope in scopes:
        require_scope(caller, scope)
    caller = act_as(caller, headers.get(SUBJECT))
    if not has_store(service.store, caller.tenant):
        raise Conflict("this tenant has no store, make one with `policy-service tenant create`")
    return Asker(caller, request_id, read_address(address))
