"""The OpenAPI document of the whole service, and the endpoints that it describes."""

from __future__ import annotations

from typing import Any

import flask_smorest
from flask import Flask

from policy_service.web import assets_api, authzen_api
from policy_service.web.asset_schemas import ASSET_SCHEMAS
from policy_service.web.authzen_api import View
from policy_service.web.query_schemas import QUERY_SCHEMAS
from policy_service.web.schemas import SCHEMAS
from policy_service.web.search_schemas import SEARCH_SCHEMAS

_smorest: Any = flask_smorest  # it has no types


def describe(public_url: str) -> dict[str, Any]:
    """What the OpenAPI document says of the whole service."""
    return {
        "info": {
            "description": "Access decisions from versioned policy files, by the OpenID AuthZEN Authorization API 1.0,"
            " and an inventory of assets that the same files guard.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
    }


def publish(app: Flask, mount: View) -> dict[str, Any]:
    """Serve every API by `mount`, and give the OpenAPI document that describes them."""
    api = _smorest.Api(app)
    api.DEFAULT_ERROR_RESPONSE_NAME = None  # what is refused stands at each operation
    schemas = {**SCHEMAS, **SEARCH_SCHEMAS, **ASSET_SCHEMAS, **QUERY_SCHEMAS}
    for name, schema in schemas.items():
        api.spec.components.schema(name, schema)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    authzen_api.publish(api, mount)
    assets_api.publish(api, mount)
    document: dict[str, Any] = api.spec.to_dict()
    # flask-smorest adds schemas of its own, of errors and pages that nothing here sends
    held = document["components"]["schemas"]
    document["components"]["schemas"] = {name: schema for name, schema in held.items() if name in schemas}
    return document
