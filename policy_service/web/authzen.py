"""The decision API as one function from a request to an answer; Flask only mounts it.

Always the same beat: who asks, what is asked, decide and record, answer. A deny is an answer (200).
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from tempfile import TemporaryFile
from time import time

from policy_service.access.authorize import Batch, Service, authorize
from policy_service.access.candidates import Search
from policy_service.access.search import search
from policy_service.access.search_filters import Wanted, find_filter
from policy_service.errors import NotRecorded, PolicyServiceError, RequestError
from policy_service.identity.acting import require_scope
from policy_service.model import Caller
from policy_service.web import searching
from policy_service.web.bodies import read_body
from policy_service.web.client import read_address
from policy_service.web.errors import INTERNAL, Answer, Headers, NotFound, WrongMethod, problem, refuse
from policy_service.web.evaluation import Body, read_batch, read_single, write_batch, write_single
from policy_service.web.metadata import WELL_KNOWN, find_metadata
from policy_service.web.searching import ROLES, read_search, write_filter, write_results

SCOPE = "decide"
EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
SEARCHES = {f"/access/v1/search/{role}": role for role in ROLES}
# what `answer` reads of a request's headers; a front need pass no others
HEADERS = ("authorization", "content-type", "x-request-id")
REQUEST_ID = "x-request-id"
VERSION = "policy-version"

_JSON = ("content-type", "application/json")
_NOSNIFF = ("x-content-type-options", "nosniff")
_DECISION = [_JSON, ("cache-control", "no-store"), _NOSNIFF]
_METADATA = [_JSON, ("cache-control", "public, max-age=3600"), _NOSNIFF]
_TENANT_PATH = re.compile(r"/tenants/([^/]+)(/access/v1/(?:evaluations?|search/[a-z]+))", re.ASCII)
# a request id goes into a header and into the log: what could end a header is dropped, and it has an end
_UNSAFE = re.compile(r"[^\x20-\x7e]")
_REQUEST_ID_LENGTH = 1_024

_log = logging.getLogger(__name__)


def answer(
    service: Service, method: str, path: str, headers: Mapping[str, str], body: bytes, address: str = ""
) -> tuple[int, Headers, bytes]:
    """What the service answers: status, headers (with the request id) and body.

    Names in `headers` are lower case. `body` may be cut off one byte past `bodies.BODY_BYTES`. `address` is
    the client's, for `context.caller.ip`. Nothing that is sent
    raises: a refusal is problem details by the table in `web.errors`.
    """
    request_id = request_id_of(headers.get(REQUEST_ID))
    try:
        status, own, payload = _route(service, method, path, headers, body, address, request_id)
    except PolicyServiceError as error:
        status, own, payload = refuse(error)
    except Exception:
        _log.exception("request %s failed", request_id)
        status, own, payload = problem(500, INTERNAL)
    return status, [*own, (REQUEST_ID, request_id)], payload


def request_id_of(sent: str | None) -> str:
    """The request id to answer with: what was sent, without what can't stand in a header; else a new one."""
    if sent:
        if len(sent) > _REQUEST_ID_LENGTH or not (sent.isascii() and sent.isprintable()):
            sent = _UNSAFE.sub("", sent)[:_REQUEST_ID_LENGTH]
        if sent.strip():
            return sent
    return secrets.token_hex(16)


def _route(
    service: Service, method: str, path: str, headers: Mapping[str, str], body: bytes, address: str, request_id: str
) -> Answer:
    tenant = None
    if path.startswith("/tenants/"):
        match = _TENANT_PATH.fullmatch(path)
        if match:
            tenant, path = match[1], match[2]
    if path in (EVALUATION, EVALUATIONS):
        if method != "POST":
            raise WrongMethod("POST")
        caller = _authenticate(service, headers, tenant)
        read = read_single if path == EVALUATION else read_batch
        return _decide(service, caller, read(read_body(headers, body)), request_id, address)
    if path in SEARCHES:
        if method != "POST":
            raise WrongMethod("POST")
        caller = _authenticate(service, headers, tenant)
        return _search(service, caller, read_search(SEARCHES[path], read_body(headers, body)), request_id, address)
    if path == "/healthz":
        _require_get(method)
        return _report_health(service)
    if path == WELL_KNOWN or path.startswith(f"{WELL_KNOWN}/"):
        document = find_metadata(service.settings.public_url, path)
        if document is not None:
            _require_get(method)
            return Answer(200, _METADATA, document)
    raise NotFound("nothing is served at this path, see /docs")


def _require_get(method: str) -> None:
    if method not in ("GET", "HEAD"):
        raise WrongMethod("GET, HEAD")


def _authenticate(service: Service, headers: Mapping[str, str], tenant: str | None) -> Caller:
    """The caller of the bearer key; a key of another tenant than the path names is no better than a wrong one."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    caller = service.keys.find(key.strip() if scheme.lower() == "bearer" else "", tenant=tenant, now=time())
    require_scope(caller, SCOPE)
    return caller


def _decide(service: Service, caller: Caller, body: Body, request_id: str, address: str) -> Answer:
    version, decisions = authorize(service, caller, Batch(body.items, request_id, read_address(address), body.until))
    if not body.single:
        payload = write_batch(decisions, body.explain)
    elif isinstance(decisions[0], RequestError):
        status, headers, payload = refuse(decisions[0])
        return Answer(status, [*headers, (VERSION, version)], payload)
    else:
        payload = write_single(decisions[0], body.explain)
    return Answer(200, [*_DECISION, (VERSION, version)], payload)


def _search(service: Service, caller: Caller, body: searching.Body, request_id: str, address: str) -> Answer:
    if body.filter:
        wanted = Wanted(body.request, body.filter, request_id, read_address(address), body.dialect)
        condition, version = find_filter(service, caller, wanted)
        return Answer(200, [*_DECISION, (VERSION, version)], write_filter(condition))
    limit = body.limit or searching.LIMIT
    asked = Search(body.role, body.request, limit, request_id, read_address(address), body.token)
    found = search(service, caller, asked)
    return Answer(200, [*_DECISION, (VERSION, found.version)], write_results(body, found.results, found.token))


def _report_health(service: Service) -> Answer:
    """200 where a decision could be made and recorded now: platform layer and store are there, the log takes a line."""
    service.bundles.platform()
    service.store.shut()
    try:
        with TemporaryFile(dir=service.settings.data / "log") as probe:
            probe.write(b"x" * 4096)
            probe.flush()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NotRecorded(f"the decision log can't be written: {reason}, see to its folder") from None
    return Answer(200, [_JSON, ("cache-control", "no-store"), _NOSNIFF], b'{"status":"ok"}')
