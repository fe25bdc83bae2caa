"""The Flask application: it wires the rooms together and mounts what answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from policy_service import __version__, config
from policy_service.access.authorize import Service
from policy_service.access.facts import is_shut
from policy_service.assets.upkeep import Upkeep
from policy_service.audit.decision_log import open_log
from policy_service.audit.sealer import Sealer
from policy_service.bundles.current import Bundles
from policy_service.config import Settings
from policy_service.errors import PolicyServiceError
from policy_service.identity.keys import KeyRing
from policy_service.store.opening import open_store
from policy_service.web import asset_answers, asset_requests, authzen, docs_page, openapi
from policy_service.web.bodies import BODY_BYTES
from policy_service.web.client import guard
from policy_service.web.errors import Headers, problem, refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ENVIRONMENT = tuple(
    (name, {"content-type": "CONTENT_TYPE"}.get(name, f"HTTP_{name.upper().replace('-', '_')}"))
    for name in dict.fromkeys((*authzen.HEADERS, *asset_answers.HEADERS))
)
# of a body that is too large: what is read and thrown away before the refusal, and how much at once
_DRAINED, _DRAINED_AT_ONCE = 32 * 1024 * 1024, 64 * 1024


class Ready(Response):
    """An answer whose headers are complete: they are sent as they are, without werkzeug's second look at each.

    A body that is an iterator is sent part by part as it comes, and has no length.
    """

    def __init__(self, status: int, headers: Headers, body: bytes | Iterator[bytes]) -> None:
        super().__init__([body] if isinstance(body, bytes) else body, status, headers)
        if not isinstance(body, bytes):
            return
        if status in (204, 304):
            # what has no body by its status has no length either (RFC 9110 §8.6), nor the type that werkzeug adds
            self.headers.pop("content-type", None)
        else:
            self.headers.add("content-length", str(len(body)))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Send it."""
        start_response(self.status, list(self.headers))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else self.response  # type: ignore[return-value]


def create_app(settings: Settings | None = None) -> Flask:
    """The service as a WSGI application; without `settings` they are read from the environment.

    A platform layer that is missing, empty or refused is `Refused`.
    """
    settings = config.read() if settings is None else settings
    config.check_public_url(settings.public_url)
    return mount(open_service(settings))


def open_service(settings: Settings) -> Service:
    """What answers in this process: the platform's layer is loaded, tenants load on first use."""
    store = open_store(settings)
    log = open_log(settings, store.keys)
    bundles = Bundles(settings)
    bundles.start()
    Upkeep(store, bundles).start()
    keys = KeyRing(settings.tenants, is_shut=lambda tenant: is_shut(store, tenant))
    return Service(settings, bundles, keys, log, store, Sealer(store))


def mount(service: Service) -> Flask:
    """A Flask application in which `authzen.answer` and `asset_answers.answer` answer for `service`."""
    app = Flask("policy_service", static_folder=None)
    app.config.update(
        PROVIDE_AUTOMATIC_OPTIONS=False,
        API_TITLE="policy-service",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS=openapi.describe(service.settings.public_url),
    )
    app.extensions["policy_service"] = service
    guard(app, service.settings)

    def view(**_: Any) -> Response:
        environ = request.environ
        headers = {name: environ[key] for name, key in _ENVIRONMENT if key in environ}
        method = environ["REQUEST_METHOD"]
        path, address = environ["PATH_INFO"], request.remote_addr or ""
        if path.startswith(asset_requests.PREFIX):
            body = _read_body(environ, asset_requests.body_limit(path))
            query = environ.get("QUERY_STRING", "")
            return Ready(*asset_answers.answer(service, method, path, query, headers, body, address))
        return Ready(*authzen.answer(service, method, path, headers, _read_body(environ, BODY_BYTES), address))

    app.register_blueprint(docs_page.show(openapi.publish(app, view)))
    # what describes an endpoint wraps its view, which has nothing to do once it is described
    app.view_functions.update({name: view for name in app.view_functions if name.startswith(("authzen.", "assets."))})
    # whatever no other rule takes, by any method: `answer` says what is wrong with it
    app.view_functions["other"] = view
    app.url_map.add(Rule("/", endpoint="other", strict_slashes=False))
    app.url_map.add(Rule("/<path:path>", endpoint="other", strict_slashes=False))
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(PolicyServiceError, _refuse)
    return app


def _read_body(environ: dict[str, Any], allowed: int) -> bytes:
    """The body, at most one byte more than is allowed."""
    limit = allowed + 1
    length = environ.get("CONTENT_LENGTH")
    if length and length.isascii() and length.isdigit():
        limit = min(int(length), limit)
    elif not environ.get("wsgi.input_terminated"):
        return b""
    stream = environ["wsgi.input"]
    body: bytes = stream.read(limit)
    if len(body) > allowed:
        _drain(stream)
    return body


def _drain(stream: Any) -> None:
    """Read on for a while: a connection that is closed with bytes unread takes the refusal with it."""
    left = _DRAINED
    while left > 0 and (part := stream.read(min(left, _DRAINED_AT_ONCE))):
        left -= len(part)


def _refuse(error: HTTPException | PolicyServiceError) -> Response:
    """Flask's own refusals, and those of the docs page, in the service's words."""
    if isinstance(error, PolicyServiceError):
        answer = refuse(error)
    else:
        headers = [(name, value) for name, value in error.get_headers() if name.lower() == "allow"]
        answer = problem(error.code or 500, (error.name or "error").lower(), headers)
    request_id = authzen.request_id_of(request.headers.get("X-Request-ID"))
    return Response(answer.body, answer.status, [*answer.headers, (authzen.REQUEST_ID, request_id)])
