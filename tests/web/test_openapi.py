"""The OpenAPI document is true: schemathesis asks the application what it says, right and wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode

from policy_service.web.application import mount
from policy_service.web.asset_requests import SEARCHES
from policy_service.web.docs_page import render
from tests.web.conftest import Client, Site


@pytest.fixture(scope="module")
def app(service: Any) -> Flask:
    return mount(service)


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    return app.test_client().get("/openapi.json").get_json()


@pytest.fixture(scope="module")
def described(app: Flask) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/access/v1/evaluation"),
        ("POST", "/access/v1/evaluations"),
        ("POST", "/access/v1/search/subject"),
        ("POST", "/access/v1/search/resource"),
        ("POST", "/access/v1/search/action"),
        ("POST", "/tenants/{tenant}/access/v1/evaluation"),
        ("POST", "/tenants/{tenant}/access/v1/evaluations"),
        ("GET", "/.well-known/authzen-configuration/{tenant}"),
        ("GET", "/.well-known/authzen-configuration/tenants/{tenant}"),
    ],
)
def test_the_application_does_what_the_document_says(
    described: Any, site: Site, method: str, path: str, mode: GenerationMode
) -> None:
    @given(described[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def ask(case: schemathesis.Case) -> None:
        if case.path_parameters and "access" in path and mode is GenerationMode.POSITIVE:
            case.path_parameters["tenant"] = "citadel"
        if "search" in path and mode is GenerationMode.POSITIVE and case.body.get("page"):
            # a token that nobody gave out is refused, whatever it looks like
            case.body["page"].pop("token", None)
        case.call_and_validate(headers={"Authorization": f"Bearer {site.keys['citadel']}"})

    ask()


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "policy-service"
    assert document["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}


def test_it_describes_each_endpoint(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {
        "/access/v1/evaluation",
        "/access/v1/evaluations",
        "/tenants/{tenant}/access/v1/evaluation",
        "/tenants/{tenant}/access/v1/evaluations",
        *(
            f"{of}/access/v1/search/{role}"
            for of in ("", "/tenants/{tenant}")
            for role in ("subject", "resource", "action")
        ),
        "/.well-known/authzen-configuration",
        "/.well-known/authzen-configuration/{tenant}",
        "/.well-known/authzen-configuration/tenants/{tenant}",
        "/healthz",
        "/api/v1/entities",
        "/api/v1/entities:batch",
        *(f"/api/v1/{noun}:{verb}" for noun in ("entities", "relationships") for verb in SEARCHES),
        "/api/v1/entities/{id}",
        "/api/v1/entities/{id}/neighbours",
        "/api/v1/entities/{id}/walk",
        "/api/v1/relationships",
        "/api/v1/relationships/{id}",
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if isinstance(operation, dict) and "/access/" in path:
                assert operation["security"] == [{"bearer": []}]
                assert {"200", "400", "401", "403", "413", "503"} <= set(operation["responses"])


def test_its_schemas_are_schemas(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_it_holds_what_it_refers_to_and_nothing_else(document: dict[str, Any]) -> None:
    """flask-smorest's own description of errors and pages is not true here."""
    refers = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert refers == set(document["components"]["schemas"])
    assert "responses" not in document["components"]
    for operations in document["paths"].values():
        for operation in operations.values():
            assert isinstance(operation, list) or "default" not in operation["responses"]


def test_its_examples_are_right_and_answered(document: dict[str, Any], client: Client) -> None:
    searches = [f"/access/v1/search/{role}" for role in ("subject", "resource", "action")]
    for path in ("/access/v1/evaluation", "/access/v1/evaluations", *searches):
        media = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        validator = Draft202012Validator({**media["schema"], "components": document["components"]})
        for example in media["examples"].values():
            validator.validate(example["value"])
            assert client.send("POST", path, example["value"]).status == 200
    examples = document["paths"]["/access/v1/evaluation"]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ]
    assert client.evaluate(examples["allow"]["value"]).json["decision"] is True
    assert client.evaluate(examples["deny"]["value"]).json["decision"] is False


def test_the_rendition_for_the_page_says_nothing_that_3_0_does_not_know(document: dict[str, Any]) -> None:
    text = json.dumps(render(document))
    assert '"openapi": "3.0.3"' in text
    assert '"null"' not in text
    assert '"nullable": true' in text
