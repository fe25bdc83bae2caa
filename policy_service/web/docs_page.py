"""The OpenAPI document and a page that shows it, from local files: nothing is fetched from elsewhere.

The page's Swagger UI reads OpenAPI 3.0, so it gets a rendition of the 3.1 document.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, request
from swagger_ui_bundle import swagger_ui_path

from policy_service.web.authzen import REQUEST_ID, request_id_of
from policy_service.web.errors import NotFound, WrongMethod

ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# all, so that a page answers another method itself: what takes any path would say that there is nothing
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>policy-service API</title>
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/assets/favicon-32x32.png">
</head>
<body>
<main id="swagger-ui"></main>
<noscript>This page needs scripts. The document itself is at <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""


def show(document: dict[str, Any]) -> Blueprint:
    """A blueprint with `/openapi.json` and the page `/docs`."""
    pages = Blueprint("docs", __name__)
    exact = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    # requests go where the page came from: its policy lets them go nowhere else, whatever the public URL is
    rendition = orjson.dumps(render({**document, "servers": [{"url": "..", "description": "this service"}]}))
    for name, path, body, kind in (
        ("openapi", "/openapi.json", exact, "application/json"),
        ("page", "/docs", _PAGE.encode(), "text/html; charset=utf-8"),
        ("rendition", "/docs/openapi.json", rendition, "application/json"),
        ("start", "/docs/assets/start.js", _START.encode(), "text/javascript; charset=utf-8"),
    ):
        pages.add_url_rule(path, name, _give(body, kind), methods=_METHODS)

    @pages.route("/docs/assets/<name>", methods=_METHODS)
    def asset(name: str) -> Response:
        kind = ASSETS.get(name)
        if kind is None:
            raise NotFound("the page has no such part, see /docs")
        return _serve((Path(swagger_ui_path) / name).read_bytes(), kind)

    return pages


def render(schema: Any) -> Any:
    """An OpenAPI 3.1 document as 3.0 says it: `null` among the types becomes `nullable`."""
    if isinstance(schema, list):
        return [render(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    said = {name: render(part) for name, part in schema.items()}
    if "openapi" in said:
        said["openapi"] = "3.0.3"
    kinds = said.get("type")
    if isinstance(kinds, list):
        said["type"] = next(kind for kind in kinds if kind != "null")
        said["nullable"] = "null" in kinds
    options = said.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        del said["anyOf"]
        said["allOf"] = [option for option in options if option != {"type": "null"}]
        said["nullable"] = True
    return said


def _give(body: bytes, kind: str) -> Callable[[], Response]:
    return lambda: _serve(body, kind)


def _serve(body: bytes, kind: str) -> Response:
    if request.method not in ("GET", "HEAD"):
        raise WrongMethod("GET, HEAD")
    headers = {
        REQUEST_ID: request_id_of(request.headers.get(REQUEST_ID)),
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "public, max-age=300",
    }
    return Response(body, content_type=kind, headers=headers)
