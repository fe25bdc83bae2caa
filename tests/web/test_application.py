"""What Flask adds to `answer`: routes for every path and method, the docs page, safe headers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from policy_service.model import Decision
from policy_service.web import authzen
from policy_service.web.application import mount
from tests.web.conftest import Client, Site
from tests.web.test_checklist import ALLOW


@pytest.fixture(scope="module")
def browser(service: Any) -> FlaskClient:
    return mount(service).test_client()


@pytest.fixture
def headers(site: Site) -> dict[str, str]:
    return {"authorization": f"Bearer {site.keys['citadel']}"}


def test_it_mounts_what_answers(browser: FlaskClient, headers: dict[str, str]) -> None:
    response = browser.post("/access/v1/evaluation", json=ALLOW, headers={**headers, "x-request-id": "mine"})
    assert response.data == b'{"decision":true}'
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "mine"
    assert response.headers.getlist("content-type") == ["application/json"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/access/v1/evaluation", "/tenants/citadel/access/v1/evaluations"])
def test_another_method_is_405_for_flask_too(browser: FlaskClient, path: str, method: str) -> None:
    response = browser.open(path, method=method)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "//docs",
        "/docs//assets",
        "/access//v1/evaluation",
        "//access/v1/evaluation",
        "/static/x",
        "/docs/",
        "/docs/assets/../x",
        "/é",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_path_is_404_for_flask_too(browser: FlaskClient, path: str, method: str) -> None:
    response = browser.open(path, method=method, headers={"x-request-id": "mine"})
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == "mine"


def test_a_head_has_no_body(browser: FlaskClient) -> None:
    response = browser.head("/.well-known/authzen-configuration")
    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "", "99999999999999999999"])
def test_a_length_that_is_none_is_no_failure(browser: FlaskClient, headers: dict[str, str], length: str) -> None:
    response = browser.post(
        "/access/v1/evaluation", data=b"{}", headers=headers, environ_overrides={"CONTENT_LENGTH": length}
    )
    assert response.status_code in (400, 413)


def test_a_failure_is_told_in_no_detail(browser: FlaskClient, headers: dict[str, str], monkeypatch: Any) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(authzen, "authorize", fail)
    response = browser.post("/access/v1/evaluation", json=ALLOW, headers=headers)
    assert response.status_code == 500
    assert b"secret" not in response.data
    assert response.headers["x-request-id"]


def test_a_failure_stays_inside_for_any_front(client: Client, monkeypatch: Any) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(authzen, "authorize", fail)
    reply = client.evaluate(ALLOW, x_request_id="mine")
    assert (reply.status, reply.headers["x-request-id"]) == (500, "mine")
    assert b"secret" not in reply.body


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("", ""),
        ("/run/x.sock", ""),
        ("1.2.3", ""),
        ("a b", ""),
    ],
)
def test_an_address_that_is_none_is_not_asserted(
    service: Any, site: Site, monkeypatch: Any, sent: str, known: str
) -> None:
    """A policy that reads `context.caller.ip` would fail on it, and a forbid that fails denies."""
    seen: list[str] = []

    def decide(_service: Any, _caller: Any, batch: Any) -> Any:
        seen.append(batch.address)
        return "v", [Decision(True, (), (), "v")]

    monkeypatch.setattr(authzen, "authorize", decide)
    headers = {"authorization": f"Bearer {site.keys['citadel']}", "content-type": "application/json"}
    body = json.dumps(ALLOW).encode()
    assert authzen.answer(service, "POST", "/access/v1/evaluation", headers, body, sent)[0] == 200
    assert seen == [known]


def test_the_docs_page_fetches_nothing_from_elsewhere(browser: FlaskClient) -> None:
    page = browser.get("/docs")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|//", page.text)
    assert "<script>" not in page.text
    for source in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        asset = browser.get(f"/{source}")
        assert asset.status_code == 200, source
        assert asset.headers["x-content-type-options"] == "nosniff"
    assert browser.get("/docs/openapi.json").get_json()["openapi"] == "3.0.3"


def test_what_is_tried_on_the_page_goes_where_the_page_came_from(browser: FlaskClient) -> None:
    """Its policy forbids any other place, and the public URL may name one: `localhost` for `127.0.0.1` does."""
    assert [server["url"] for server in browser.get("/docs/openapi.json").get_json()["servers"]] == [".."]
    assert [server["url"] for server in browser.get("/openapi.json").get_json()["servers"]] == [
        "https://pdp.example.com"
    ]


DOCS = ["/docs", "/openapi.json", "/docs/openapi.json", "/docs/assets/start.js", "/docs/assets/swagger-ui.css"]


@pytest.mark.parametrize("path", DOCS)
def test_the_docs_page_says_the_request_id(browser: FlaskClient, path: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        response = browser.open(path, method=method, headers={"x-request-id": "mine"})
        assert response.headers.getlist("x-request-id") == ["mine"]
    assert browser.get(path).headers["x-request-id"]


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", DOCS)
def test_the_docs_page_is_read_only(browser: FlaskClient, path: str, method: str) -> None:
    response = browser.open(path, method=method)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["index.html", "oauth2-redirect.html", "../__init__.py", "%2e%2e/__init__.py"])
def test_the_docs_page_gives_out_its_own_assets_only(browser: FlaskClient, name: str) -> None:
    assert browser.get(f"/docs/assets/{name}").status_code == 404


def test_there_is_no_session_and_no_cookie(browser: FlaskClient, headers: dict[str, str]) -> None:
    for path in ("/docs", "/healthz", "/openapi.json"):
        assert "set-cookie" not in browser.get(path, headers=headers).headers
