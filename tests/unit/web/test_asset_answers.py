"""The asset API answers what its document says, over both databases."""

from __future__ import annotations

import pytest

from policy_service.store.door import Store
from tests.unit.access.desks import Desk, entity, open_desk, relationship


@pytest.fixture
def desk(store: Store) -> Desk:
    return open_desk(store)


def test_an_entity_is_made_read_replaced_patched_and_deleted(desk: Desk) -> None:
    made = desk.ask("ada", "POST", "/entities", entity("web-1", osName="linux", **{"tag.env": "prod"}, cores=4.5))
    assert made.status == 201
    id_ = made.id
    assert made.headers["location"] == f"https://pdp.example.com/api/v1/entities/{id_}"
    read = desk.ask("ada", "GET", f"/entities/{id_}")
    assert (read.status, read.body, read.headers["etag"]) == (200, made.body, made.headers["etag"])
    assert read.json["osName"] == "linux"
    assert read.json["tag.env"] == "prod"
    assert read.json["cores"] == 4.5
    assert read.json["_version"] == 1

    # what a read shows can be sent back, and changes nothing
    same = desk.ask("ada", "PUT", f"/entities/{id_}", read.json)
    assert (same.status, same.json, same.headers["etag"]) == (200, read.json, read.headers["etag"])

    patched = desk.ask("ada", "PATCH", f"/entities/{id_}", {"osName": None, "tag.env": "test", "_class": ["Server"]})
    assert patched.status == 200
    assert patched.json["_version"] == 2
    assert "osName" not in patched.json
    assert patched.json["_class"] == ["Server"]
    replaced = desk.ask("ada", "PUT", f"/entities/{id_}", entity("web-1"))
    assert "tag.env" not in replaced.json
    assert replaced.json["_version"] == 3

    gone = desk.ask("ada", "DELETE", f"/entities/{id_}")
    assert (gone.status, gone.body) == (204, b"")
    assert desk.ask("ada", "GET", f"/entities/{id_}").status == 404
    again = desk.ask("ada", "POST", "/entities", entity("web-1"))
    assert (again.status, again.id, again.json["_version"]) == (201, id_, 4)


def test_a_relationship_is_made_read_patched_and_deleted(desk: Desk) -> None:
    one, two = desk.make("one"), desk.make("two")
    made = desk.ask("ada", "POST", "/relationships", {**relationship("r", one, two), "weight": 3})
    assert made.status == 201
    assert (made.json["_fromEntityId"], made.json["_toEntityId"], made.json["_class"]) == (one, two, "OWNS")
    patched = desk.ask("ada", "PATCH", f"/relationships/{made.id}", {"weight": 4})
    assert patched.json["weight"] == 4
    replaced = desk.ask("ada", "PUT", f"/relationships/{made.id}", relationship("r", one, two))
    assert "weight" not in replaced.json
    assert [item["_id"] for item in desk.ask("ada", "GET", "/relationships").json["items"]] == [made.id]
    assert desk.ask("ada", "DELETE", f"/relationships/{made.id}").status == 204
    assert desk.ask("ada", "GET", f"/relationships/{made.id}").status == 404
    assert desk.ask("ada", "GET", f"/entities/{one}").status == 200


def test_an_entity_takes_its_relationships_along(desk: Desk) -> None:
    one, two = desk.make("one"), desk.make("two")
    between = desk.relate("r", one, two)
    assert desk.ask("ada", "DELETE", f"/entities/{two}").status == 204
    assert desk.ask("ada", "GET", f"/relationships/{between}").status == 404
    assert desk.ask("ada", "GET", f"/entities/{one}/neighbours").json["steps"] == []


def test_a_change_of_what_was_changed_meanwhile_is_stale(desk: Desk) -> None:
    id_ = desk.make("web-1")
    first = desk.ask("ada", "GET", f"/entities/{id_}").headers["etag"]
    second = desk.ask("ada", "PATCH", f"/entities/{id_}", {"a": 1}, if_match=first).headers["etag"]
    for method, body in (("PATCH", {"a": 2}), ("PUT", entity("web-1")), ("DELETE", None)):
        assert desk.ask("ada", method, f"/entities/{id_}", body, if_match=first).status == 412
        # only a strong tag is the same thing (RFC 9110 §13.1.1)
        assert desk.ask("ada", method, f"/entities/{id_}", body, if_match=f"W/{second}").status == 412
        assert desk.ask("ada", method, f"/entities/{id_}", body, if_match="nothing").status == 400
    assert desk.ask("ada", "GET", f"/entities/{id_}").json["a"] == 1
    assert desk.ask("ada", "PATCH", f"/entities/{id_}", {"a": 3}, if_match=f'"x", {second}').status == 200
    assert desk.ask("ada", "DELETE", f"/entities/{id_}", if_match="*").status == 204


def test_who_has_it_is_told_so(desk: Desk) -> None:
    id_ = desk.make("web-1")
    tag = desk.ask("ada", "GET", f"/entities/{id_}").headers["etag"]
    for sent in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        held = desk.ask("ada", "GET", f"/entities/{id_}", if_none_match=sent)
        assert (held.status, held.body, held.headers["etag"]) == (304, b"", tag)
    assert desk.ask("ada", "GET", f"/entities/{id_}", if_none_match='"x"').status == 200
    # who may not see it learns nothing by its tag
    assert desk.ask("bob", "GET", f"/entities/{id_}", if_none_match=tag).status == 404


def test_a_batch_answers_for_each_item(desk: Desk) -> None:
    desk.make("old", a=1)
    sent = [
        entity("new"),
        entity("old", a=2),
        {"_key": "broken"},
        entity("new", a=3),
        entity("nested", inner={"a": 1}),
        entity("raw", _rawData=[{"name": "x", "rawData": {"a": 1}}]),
        entity("old", "other"),
    ]
    reply = desk.ask("ada", "POST", "/entities:batch", {"entities": sent})
    assert reply.status == 200
    items = reply.json["items"]
    assert [item["status"] for item in items] == [201, 200, 400, 200, 400, 201, 409]
    assert items[0]["_id"] == items[3]["_id"]
    assert items[5]["dropped"] == 1
    for item in items:
        if "_id" in item:
            assert desk.ask("ada", "GET", f"/entities/{item['_id']}").status == 200
    assert desk.ask("ada", "GET", f"/entities/{items[3]['_id']}").headers["etag"] == items[3]["etag"]


def test_what_can_t_be_read_is_refused(desk: Desk) -> None:
    for body in ([], {}, {"entities": {}}, {"entities": []}, {"entities": [{}] * 1001}, {"x": 1}, b"["):
        assert desk.ask("ada", "POST", "/entities:batch", body).status == 400
    large = b'{"x": "' + b"x" * (1024 * 1024) + b'"}'
    assert desk.ask("ada", "POST", "/entities", large).status == 413
    assert desk.ask("ada", "POST", "/entities:batch", large).status == 400
    for query in ("typ=host", "limit=0", "cursor=x"):
        assert desk.ask("ada", "GET", "/entities", query=query).status == 400
    assert desk.ask("ada", "GET", "/nothing").status == 404
    for method, path, allow in (
        ("DELETE", "/entities", "GET, HEAD, POST"),
        ("POST", "/entities/x", "GET, HEAD, PUT, PATCH, DELETE"),
        ("GET", "/entities:batch", "POST"),
        ("POST", "/entities/x/walk", "GET, HEAD"),
    ):
        reply = desk.ask("ada", method, path)
        assert (reply.status, reply.headers["allow"]) == (405, allow)
        assert reply.headers["content-type"] == "application/problem+json"


def test_a_key_does_what_its_scopes_say(desk: Desk) -> None:
    id_ = desk.make("web-1")
    for scopes, allowed in (
        ({"read"}, {"GET"}),
        ({"write"}, {"POST"}),
        ({"read", "write"}, {"GET", "POST", "PATCH"}),
        ({"decide", "ingest"}, set()),
    ):
        desk.keys.scopes = frozenset(scopes)
        for method, path, body in (
            ("GET", f"/entities/{id_}", None),
            ("POST", "/entities:batch", {"entities": [entity("web-2")]}),
            ("PATCH", f"/entities/{id_}", {"a": 1}),
        ):
            assert desk.ask("ada", method, path, body).status == (200 if method in allowed else 403)


def test_a_key_that_is_taken_is_a_conflict_that_names_it(desk: Desk) -> None:
    id_ = desk.make("web-1")
    taken = desk.ask("ada", "POST", "/entities", entity("web-1"))
    assert taken.status == 409
    assert id_ in taken.json["detail"]


def test_a_tenant_without_a_store_is_told_what_to_do(desk: Desk) -> None:
    desk.write_files({}, "initech")
    reply = desk.ask("ada", "GET", "/entities", tenant="initech")
    assert reply.status == 409
    assert "tenant create" in reply.json["detail"]


def test_another_tenant_sees_none_of_it(desk: Desk) -> None:
    id_ = desk.make("web-1")
    other = desk.make("web-2")
    between = desk.relate("r", id_, other)
    missing = desk.ask(
        "ada", "GET", "/entities/00000000-0000-5000-8000-000000000000", tenant="globex", x_request_id="r"
    )
    for method, path, body in (
        ("GET", f"/entities/{id_}", None),
        ("PUT", f"/entities/{id_}", entity("web-1")),
        ("PATCH", f"/entities/{id_}", {"a": 1}),
        ("DELETE", f"/entities/{id_}", None),
        ("GET", f"/entities/{id_}/neighbours", None),
        ("GET", f"/entities/{id_}/walk", None),
        ("GET", f"/relationships/{between}", None),
    ):
        reply = desk.ask("ada", method, path, body, tenant="globex", x_request_id="r")
        assert (reply.status, reply.body, reply.headers) == (404, missing.body, missing.headers)
    for path in ("/entities", "/relationships"):
        assert desk.ask("ada", "GET", path, tenant="globex").json == {"items": []}
    ends = desk.ask("ada", "POST", "/relationships", relationship("r", id_, other), tenant="globex")
    assert ends.status == 409
    # a key is a tenant's own
    assert desk.ask("ada", "POST", "/entities", entity("web-1"), tenant="globex").status == 201
    assert desk.ask("ada", "GET", f"/entities/{id_}").json["_version"] == 1
