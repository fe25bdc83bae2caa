"""The asset API as it is mounted, on both databases: real files, real keys, the platform's policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from werkzeug.test import TestResponse

from policy_service.web.application import mount, open_service
from tests.stores import KINDS, make_place
from tests.web.conftest import Site, make_site

TEAM = """
@id("team-updates-its-hosts")
@message("a team may update its hosts, outside production")
permit (principal is user, action == PolicyService::Action::"update", resource is host)
when { resource has team && principal in resource.team && resource.hasTag("env") && resource.getTag("env") != "prod" };
"""
FILES = {
    "tenant.yaml": "name: Initech\n",
    "groups.csv": "g, user:ada, group:Administrators, initech\ng, user:uma, group:Users, initech\n"
    "g, user:tim, group:Users, initech\n",
    "entities.json": json.dumps(
        [
            {"uid": {"type": "team", "id": "red"}},
            {"uid": {"type": "user", "id": "tim"}, "parents": [{"type": "team", "id": "red"}]},
        ]
    ),
    "relationships.yaml": "relationships:\n  team_owns_host: {attribute: {on: to, name: team}}\n",
    "team.cedar": TEAM,
}
SUBJECTS = ("ada", "uma", "tim", "eve")


class Asked:
    """A mounted application, and the keys of `initech` and of another tenant."""

    def __init__(self, site: Site, app: Flask) -> None:
        self.app = app
        self.keys = {who: site.new_key("initech", subject=f"user:{who}", scopes=["read", "write"]) for who in SUBJECTS}
        self.keys["other"] = site.new_key("globex", subject="user:ada", scopes=["read", "write"])
        self.keys["nobody"] = site.new_key("initech", scopes=["read", "write"])
        self.keys["app"] = site.new_key("initech", scopes=["read", "write", "act"])
        self.keys["reader"] = site.new_key("initech", subject="user:ada", scopes=["read"])

    def send(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {"authorization": f"Bearer {self.keys[who]}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.app.test_client().open(f"/api/v1{path}", method=method, json=body, headers=sent)


@pytest.fixture(scope="module", params=KINDS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder: Path = tmp_path_factory.mktemp(f"assets-{request.param}")
    site = make_site(folder)
    for tenant in ("initech", "globex"):
        (site.settings.tenants / tenant).mkdir()
        for name, text in FILES.items():
            (site.settings.tenants / tenant / name).write_text(text.replace("initech", tenant))
    with make_place(request.param, folder, request, site.settings) as place:
        place.open(("initech", "globex")).close()
        service = open_service(place.settings)
        try:
            yield Asked(site, mount(service))
        finally:
            service.bundles.close()
            service.sealer.close()
            service.store.close()
            service.log.close()


def host(key: str, env: str = "test", **properties: Any) -> dict[str, Any]:
    return {"_key": key, "_type": "host", "_class": "Host", "tag.env": env, **properties}


def test_three_keys_see_and_do_what_the_policies_say(asked: Asked) -> None:
    made = asked.send("ada", "POST", "/entities", host("web-1"))
    assert made.status_code == 201
    assert made.headers["location"] == f"https://pdp.example.com/api/v1/entities/{made.json['_id']}"
    at = f"/entities/{made.json['_id']}"
    owns = {
        "_key": "red|owns|web-1", "_type": "team_owns_host", "_class": "OWNS",
        "_fromEntityId": "red", "_fromEntityType": "team", "_toEntityId": made.json["_id"],
    }  # fmt: skip
    assert asked.send("tim", "PATCH", at, {"osName": "linux"}).status_code == 403
    assert asked.send("ada", "POST", "/relationships", owns).status_code == 201
    assert asked.send("tim", "PATCH", at, {"osName": "linux"}).status_code == 200
    assert asked.send("tim", "PATCH", at, {"tag.env": "prod"}).status_code == 403
    assert asked.send("tim", "DELETE", at).status_code == 403
    assert asked.send("uma", "GET", at).json["osName"] == "linux"
    assert asked.send("uma", "PATCH", at, {"osName": "bsd"}).status_code == 403
    assert len(asked.send("uma", "GET", "/entities?type=host").json["items"]) >= 1
    for who in ("eve", "other"):
        assert asked.send(who, "GET", at).status_code == 404
        assert asked.send(who, "GET", "/entities?type=host").json["items"] == []
    assert asked.send("ada", "DELETE", at).status_code == 204


def test_answers_have_the_headers_they_need_and_no_others(asked: Asked) -> None:
    made = asked.send("ada", "POST", "/entities", host("web-2"), x_request_id="r-1")
    at, tag = f"/entities/{made.json['_id']}", made.headers["etag"]
    read = asked.send("uma", "GET", at)
    assert read.headers["etag"] == tag
    assert read.headers["cache-control"] == "no-store"
    assert read.headers["x-content-type-options"] == "nosniff"
    assert made.headers["x-request-id"] == "r-1"
    assert made.headers["policy-version"] == read.headers["policy-version"]
    head = asked.send("uma", "HEAD", at)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["content-length"] == str(len(read.data))
    held = asked.send("uma", "GET", at, if_none_match=tag)
    gone = asked.send("ada", "DELETE", at, if_match=tag)
    for reply, status in ((held, 304), (gone, 204)):
        assert (reply.status_code, reply.data) == (status, b"")
        assert "content-length" not in reply.headers
        assert "content-type" not in reply.headers


def test_it_is_asked_in_somebody_s_name(asked: Asked) -> None:
    made = asked.send("ada", "POST", "/entities", host("web-3"))
    at = f"/entities/{made.json['_id']}"
    for who in ("nobody", "app"):
        refused = asked.send(who, "GET", at)
        assert refused.status_code == 403
    for subject, status in (("user:uma", 200), ("user:eve", 404), ("user:nobody", 404)):
        assert asked.send("app", "GET", at, policy_subject=subject).status_code == status
    assert asked.send("app", "PATCH", at, {"a": 1}, policy_subject="user:uma").status_code == 403
    for subject in ("group:Administrators", "PolicyService.SupportUser:x", "PolicyService::Operator:x", "ada", ""):
        assert asked.send("app", "GET", at, policy_subject=subject).status_code in {400, 403}
    # a key acts for its own subject and for no other
    assert asked.send("uma", "GET", at, policy_subject="user:ada").status_code == 403
    # and what it may is the subject's rights and the key's
    assert asked.send("reader", "GET", at).status_code == 200
    assert asked.send("reader", "PATCH", at, {"a": 1}).status_code == 403


def test_who_has_no_key_learns_nothing(asked: Asked) -> None:
    client = asked.app.test_client()
    for headers in ({}, {"authorization": "Bearer psk_initech_x_y_z"}, {"authorization": "Basic eA=="}):
        for path in ("/api/v1/entities", "/api/v1/entities/x", "/api/v1/entities/x/walk"):
            assert client.get(path, headers=headers).status_code == 401
    assert client.get("/api/v1/nothing").status_code == 404
    assert client.get("/api/v1").status_code == 404


def test_an_export_comes_in_parts(asked: Asked) -> None:
    asked.send("ada", "POST", "/entities", host("part-1"))
    told = asked.send("ada", "POST", "/entities:export", {"text": "part-"})
    assert told.headers["content-type"] == "application/x-ndjson"
    assert "content-length" not in told.headers
    assert [json.loads(line)["_key"] for line in told.text.splitlines()] == ["part-1"]
    assert asked.send("eve", "POST", "/entities:export", {}).data == b""


def test_bodies_have_limits_of_their_own(asked: Asked) -> None:
    client = asked.app.test_client()
    key = {"authorization": f"Bearer {asked.keys['ada']}", "content-type": "application/json"}
    for path, limit in (("/entities", 1024 * 1024), ("/entities:batch", 8 * 1024 * 1024)):
        for size, status in ((limit, 400), (limit + 1, 413)):
            assert client.post(f"/api/v1{path}", data=b" " * size, headers=key).status_code == status


def test_what_is_answered_is_what_the_document_says(asked: Asked) -> None:
    document = asked.app.test_client().get("/openapi.json").get_json()

    def validate(body: Any, name: str) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        Draft202012Validator(schema).validate(body)

    def check(reply: TestResponse, name: str) -> None:
        validate(reply.json, name)

    sent = host("doc-1", cores=4, ports=[1, 2], note=None)
    schema = {"$ref": "#/components/schemas/EntityDraft", "components": document["components"]}
    Draft202012Validator(schema).validate(sent)
    one = asked.send("ada", "POST", "/entities", sent)
    two = asked.send("ada", "POST", "/entities", host("doc-2"))
    check(one, "Entity")
    between = asked.send(
        "ada", "POST", "/relationships",
        {"_key": "d", "_type": "knows", "_class": "KNOWS", "_fromEntityKey": "doc-1", "_toEntityKey": "doc-2"},
    )  # fmt: skip
    check(between, "Relationship")
    check(asked.send("ada", "GET", "/entities?limit=1"), "EntityList")
    check(asked.send("ada", "GET", "/relationships"), "RelationshipList")
    check(asked.send("ada", "POST", "/entities:search", {"limit": 1.0}), "EntityList")
    check(asked.send("ada", "POST", "/relationships:search", {"type": "knows"}), "RelationshipList")
    check(asked.send("ada", "POST", "/entities:count", {"text": "doc"}), "Count")
    check(asked.send("ada", "POST", "/relationships:facets", {"facets": ["type", "class"]}), "Facets")
    for line in asked.send("ada", "POST", "/entities:export", {"text": "doc"}).text.splitlines():
        validate(json.loads(line), "Entity")
    check(asked.send("ada", "GET", f"/entities/{one.json['_id']}/neighbours"), "Steps")
    check(asked.send("ada", "GET", f"/entities/{two.json['_id']}/walk?depth=2"), "Steps")
    check(asked.send("ada", "POST", "/entities:batch", {"entities": [sent, {}]}), "BatchAnswer")
    check(asked.send("ada", "GET", "/entities/x"), "Problem")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/entities"),
        ("POST", "/api/v1/entities"),
        ("POST", "/api/v1/entities:batch"),
        ("POST", "/api/v1/entities:search"),
        ("POST", "/api/v1/relationships:facets"),
        ("POST", "/api/v1/entities:export"),
        ("PATCH", "/api/v1/entities/{id}"),
        ("PUT", "/api/v1/relationships/{id}"),
        ("GET", "/api/v1/entities/{id}/walk"),
    ],
)
def test_nothing_that_is_sent_breaks_it(asked: Asked, method: str, path: str) -> None:
    described = schemathesis.openapi.from_wsgi("/openapi.json", asked.app)
    key = {"Authorization": f"Bearer {asked.keys['ada']}"}

    @given(
        described[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE)
        | described[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE)
    )
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def ask(case: schemathesis.Case) -> None:
        (case.headers or {}).pop("Policy-Subject", None)  # which this key may not send
        reply = case.call(headers=key)
        assert reply.status_code < 500, reply.content

    ask()
