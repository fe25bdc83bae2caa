"""The checklist of AuthZEN 1.0 and of its certification scenario, row by row, for the APIs that are served."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.conftest import Client, Reply, Site

MORTY = {"type": "user", "id": "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"}
UPDATE = {"name": "can_update_todo"}
OWN = {"type": "todo", "id": "1", "properties": {"ownerID": "morty@the-citadel.com"}}
FOREIGN = {"type": "todo", "id": "2", "properties": {"ownerID": "rick@the-citadel.com"}}
ALLOW = {"subject": MORTY, "action": UPDATE, "resource": OWN}
DENY = {"subject": MORTY, "action": UPDATE, "resource": FOREIGN}
EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
WELL_KNOWN = "/.well-known/authzen-configuration"
APIS = (EVALUATION, EVALUATIONS)


def assert_problem(reply: Reply, status: int) -> None:
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert reply.json["error"]
    assert reply.headers["x-request-id"]


# MUST 2, 3: 200, application/json and a boolean for every decision
@pytest.mark.parametrize(("body", "decision"), [(ALLOW, b'{"decision":true}'), (DENY, b'{"decision":false}')])
@pytest.mark.parametrize("path", APIS)
def test_every_decision_is_200_and_bare(client: Client, path: str, body: Any, decision: bytes) -> None:
    reply = client.send("POST", path, body)
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "application/json", decision)
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["policy-version"]


@pytest.mark.parametrize("path", APIS)
def test_what_is_refused_for_what_it_sends_names_the_version_too(client: Client, path: str) -> None:
    """It is recorded as a decision, by the files of that version."""
    reply = client.send("POST", path, {**ALLOW, "context": {"now": 1}})
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    assert reply.headers["policy-version"] == client.evaluate(ALLOW).headers["policy-version"]


# MUST 4: 400 where a required member is missing or of a wrong type
@pytest.mark.parametrize("path", APIS)
@pytest.mark.parametrize(
    "change",
    [{part: value} for part in ("subject", "action", "resource") for value in (None, "x", 1, [], {}, True)]
    + [{"subject": {"type": "user"}}, {"subject": {"id": "x"}}, {"subject": {"type": 1, "id": "x"}}]
    + [{"resource": {"type": "todo"}}, {"resource": {"id": "x"}}, {"resource": {"type": "todo", "id": 101}}]
    + [{"action": {"properties": {}}}, {"action": {"name": ["x"]}}, {"context": "x"}, {"context": []}]
    + [{"subject": {**MORTY, "properties": []}}],
)
def test_a_member_that_is_missing_or_wrong_is_400(client: Client, path: str, change: Any) -> None:
    assert_problem(client.send("POST", path, {**ALLOW, **change}), 400)


@pytest.mark.parametrize("path", APIS)
@pytest.mark.parametrize("part", ["subject", "action", "resource"])
def test_a_member_that_is_not_there_is_400(client: Client, path: str, part: str) -> None:
    assert_problem(client.send("POST", path, {name: value for name, value in ALLOW.items() if name != part}), 400)


# MUST 5: unknown members are ignored at every level
@pytest.mark.parametrize("path", APIS)
def test_unknown_members_are_ignored(client: Client, path: str) -> None:
    body = {name: {**part, "unknown": [1]} for name, part in ALLOW.items()} | {"unknown": 1, "options": {"other": 1}}
    assert client.send("POST", path, body).json == {"decision": True}


# MUST 6: the order of members means nothing
def test_the_order_of_members_means_nothing(client: Client) -> None:
    body = {name: dict(reversed(part.items())) for name, part in reversed(ALLOW.items())}
    assert client.evaluate(body).json == {"decision": True}


# MUST 7: X-Request-ID comes back on every response
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", EVALUATION, 200), ("POST", EVALUATIONS, 200), ("GET", EVALUATION, 405), ("GET", WELL_KNOWN, 200),
        ("GET", "/healthz", 200), ("GET", "/nothing", 404), ("PUT", WELL_KNOWN, 405),
    ],
)  # fmt: skip
def test_the_request_id_comes_back(client: Client, method: str, path: str, status: int) -> None:
    reply = client.send(method, path, ALLOW, x_request_id='a b/"c"; d=1')
    assert (reply.status, reply.headers["x-request-id"]) == (status, 'a b/"c"; d=1')


@pytest.mark.parametrize("options", [{"authorization": None}, {"content_type": "text/plain"}, {"raw": b"{"}])
def test_the_request_id_comes_back_on_errors(client: Client, options: Any) -> None:
    reply = client.evaluate(ALLOW, x_request_id="mine", **options)
    assert reply.status in (400, 401)
    assert reply.headers["x-request-id"] == "mine"


def test_a_request_id_is_made_where_none_is_sent(client: Client) -> None:
    first, second = (client.evaluate(ALLOW).headers["x-request-id"] for _ in range(2))
    assert first != second
    assert len(first) == 32


@pytest.mark.parametrize("sent", ["a\r\nset-cookie: x=1", "a\nb", "a\0b", "é\xff", "\u202e", "\t"])
def test_a_request_id_can_not_end_a_header(client: Client, sent: str) -> None:
    echoed = client.evaluate(ALLOW, x_request_id=sent).headers["x-request-id"]
    assert echoed.isascii()
    assert echoed.isprintable()
    assert echoed.strip()


def test_a_request_id_has_an_end(client: Client) -> None:
    assert client.evaluate(ALLOW, x_request_id="x" * 100_000).headers["x-request-id"] == "x" * 1_024


# MUST 8: order and count in a batch
def test_a_batch_keeps_order_and_count(client: Client) -> None:
    resources = [OWN, FOREIGN, FOREIGN, OWN]
    body = {"subject": MORTY, "action": UPDATE, "evaluations": [{"resource": resource} for resource in resources]}
    reply = client.evaluate_all(body)
    assert reply.body == (
        b'{"evaluations":[{"decision":true},{"decision":false},{"decision":false},{"decision":true}]}'
    )
    assert reply.headers["policy-version"]


# MUST 9: what is wrong with the whole is a status, what is wrong with an item is that item's
@pytest.mark.parametrize(
    "item",
    [
        {"subject": {"type": "user"}}, {"subject": {}}, {"action": {}}, {"resource": {"id": "1"}}, {"subject": 1},
        {"context": 1}, 1, None, [],
        {"context": {"now": 1}}, {"context": {"caller": 1}}, {"subject": {**MORTY, "properties": {"tenant": "acme"}}},
        {"resource": {**OWN, "properties": {"groups": []}}}, {"subject": {**MORTY, "properties": {"authn": {}}}},
        {"resource": {**OWN, "properties": {"owner": {"__entity": {"type": "user", "id": "x"}}}}},
    ],
)  # fmt: skip
def test_an_item_that_is_wrong_is_false_and_says_why(client: Client, item: Any) -> None:
    reply = client.evaluate_all({**ALLOW, "evaluations": [{}, item, {}]})
    assert reply.status == 200
    first, second, third = reply.json["evaluations"]
    assert first == third == {"decision": True}
    assert second["decision"] is False
    assert second["context"]["error"]["status"] == 400
    assert second["context"]["error"]["message"]


def test_members_missing_in_every_item_are_items_errors(client: Client) -> None:
    reply = client.evaluate_all({"action": UPDATE, "evaluations": [{"resource": OWN}, {"resource": FOREIGN}]})
    assert reply.status == 200
    assert [item["decision"] for item in reply.json["evaluations"]] == [False, False]


@pytest.mark.parametrize(
    "change",
    [
        {"evaluations": "x"}, {"evaluations": {}}, {"evaluations": 1}, {"subject": "x"}, {"context": []},
        {"options": "x"}, {"options": {"evaluations_semantic": "first"}}, {"options": {"explain": "everything"}},
        {"evaluations": [{}] * 1001},
    ],
)  # fmt: skip
def test_a_batch_that_is_wrong_as_a_whole_is_400(client: Client, change: Any) -> None:
    assert_problem(client.evaluate_all({**ALLOW, "evaluations": [{}], **change}), 400)


@pytest.mark.parametrize(
    "change",
    [
        {"context": {"now": "2026-01-01T00:00:00Z"}}, {"subject": {**MORTY, "properties": {"tenant": "acme"}}},
        {"subject": {**MORTY, "properties": {"groups": ["Administrators"]}}},
        {"resource": {**OWN, "properties": {"x": [{"__extn": {"fn": "ip", "arg": "::1"}}]}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", APIS)
def test_what_only_the_service_asserts_is_400(client: Client, path: str, change: Any) -> None:
    assert_problem(client.send("POST", path, {**ALLOW, **change}), 400)


# MUST 10: closed by default
@pytest.mark.parametrize(
    "body",
    [
        {"subject": {"type": "user", "id": "nobody"}, "action": UPDATE, "resource": OWN},
        {"subject": MORTY, "action": {"name": "can_fly"}, "resource": OWN},
        {"subject": MORTY, "action": UPDATE, "resource": {"type": "spaceship", "id": "1"}},
        {"subject": {"type": "Group", "id": "Administrators"}, "action": UPDATE, "resource": OWN},
        {"subject": {"type": "", "id": ""}, "action": {"name": ""}, "resource": {"type": "", "id": ""}},
    ],
)
def test_what_no_policy_permits_is_denied(client: Client, body: Any) -> None:
    assert client.evaluate(body).json == {"decision": False}


# defaults: an item's member replaces the default whole (§7.1.1)
def test_defaults_are_replaced_whole(client: Client) -> None:
    bare = {"type": "todo", "id": "1"}
    reply = client.evaluate_all({**ALLOW, "evaluations": [{"resource": bare}, {}, {"resource": OWN}]})
    assert [item["decision"] for item in reply.json["evaluations"]] == [False, True, True]


def test_defaults_may_be_incomplete(client: Client) -> None:
    empty: dict[str, Any] = {"subject": {}, "action": {}, "resource": {}, "context": {}}
    assert client.evaluate_all({**empty, "evaluations": [ALLOW]}).json == {"evaluations": [{"decision": True}]}


@pytest.mark.parametrize("evaluations", [{}, {"evaluations": []}])
def test_without_evaluations_the_answer_is_one_decision(client: Client, evaluations: Any) -> None:
    assert client.evaluate_all({**ALLOW, **evaluations}).body == b'{"decision":true}'


# semantics (§7.1.2.1): exact truncation
T, F, E = OWN, FOREIGN, {"type": "todo"}


@pytest.mark.parametrize(
    ("semantic", "resources", "expected"),
    [
        ("execute_all", [T, F, E, T], [True, False, False, True]),
        ("deny_on_first_deny", [T, T, F, T], [True, True, False]),
        ("deny_on_first_deny", [T, E, T], [True, False]),
        ("deny_on_first_deny", [T, T], [True, True]),
        ("deny_on_first_deny", [F], [False]),
        ("permit_on_first_permit", [F, E, T, F, T], [False, False, True]),
        ("permit_on_first_permit", [F, F], [False, False]),
        ("permit_on_first_permit", [T, F], [True]),
    ],
)
def test_a_semantic_ends_the_batch(client: Client, semantic: str, resources: Any, expected: list[bool]) -> None:
    body = {
        "subject": MORTY,
        "action": UPDATE,
        "evaluations": [{"resource": resource} for resource in resources],
        "options": {"evaluations_semantic": semantic, "unknown": True},
    }
    assert [item["decision"] for item in client.evaluate_all(body).json["evaluations"]] == expected


# 400 for what is no JSON object in application/json
@pytest.mark.parametrize("path", APIS)
@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"[]", b"[{}]", b"null", b"1", b'"x"', b"{]", b"\xff", b'{"a":"\xff"}', b"{'a':1}", b"NaN",
        b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":"\\ud800"}', b'{"a":1e999}', b"[" * 40 + b"]" * 40, b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000, b"\xef\xbb\xbf{}", b"{}\0", b'{"a":' + b"9" * 5000 + b"}", b"{} {}",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_400(client: Client, path: str, raw: bytes) -> None:
    assert_problem(client.send("POST", path, raw=raw), 400)


def test_a_member_that_stands_twice_is_400(client: Client) -> None:
    text = json.dumps(ALLOW)
    assert_problem(client.evaluate(raw=f'{{"subject":{{"type":"user","id":"x"}},{text[1:]}'.encode()), 400)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/xml",
        "application/json; charset=latin-1",
        "application/jsonx",
        f"application/json{' ' * 3_000};x",
    ],
)
@pytest.mark.parametrize("path", APIS)
def test_another_content_type_is_400(client: Client, path: str, kind: str | None) -> None:
    assert_problem(client.send("POST", path, ALLOW, content_type=kind), 400)


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8", 'application/json ; charset="utf-8"']
)
def test_utf_8_may_be_named(client: Client, kind: str) -> None:
    assert client.evaluate(ALLOW, content_type=kind).json == {"decision": True}


def test_a_body_has_a_largest_size(client: Client) -> None:
    padding = b" " * (1024 * 1024 - len(json.dumps(ALLOW)))
    assert client.evaluate(raw=json.dumps(ALLOW).encode() + padding).status == 200
    assert_problem(client.evaluate(raw=json.dumps(ALLOW).encode() + padding + b" "), 413)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO", ""])
@pytest.mark.parametrize("path", [*APIS, f"/tenants/citadel{EVALUATION}"])
def test_another_method_is_405(client: Client, path: str, method: str) -> None:
    reply = client.send(method, path, ALLOW)
    assert_problem(reply, 405)
    assert reply.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "", "/access", f"{EVALUATION}/", "/access/v2/evaluation", "//", "/tenants/a/b"])
def test_another_path_is_404(client: Client, path: str) -> None:
    assert_problem(client.send("POST", path, ALLOW), 404)


# the same request, the same answer: nothing in a body depends on time or chance
@pytest.mark.parametrize("options", [{}, {"options": {"explain": "reasons"}}])
@pytest.mark.parametrize("path", APIS)
def test_an_answer_repeats_to_the_byte(client: Client, path: str, options: Any) -> None:
    bodies = {client.send("POST", path, {**DENY, **options, "evaluations": [{}, ALLOW]}).body for _ in range(3)}
    assert len(bodies) == 1


# reasons are asked for
def test_reasons_of_an_allow(client: Client) -> None:
    reply = client.evaluate({**ALLOW, "options": {"explain": "reasons"}})
    assert list(reply.json) == ["decision", "context"]
    context = reply.json["context"]
    (reason,) = context["reasons"]
    assert (reason["id"], reason["effect"], reason["engine"]) == ("todo-update-own", "permit", "cedar")
    assert reason["file"] == "tenants/citadel/todo.cedar"
    assert reason["line"] > 1
    assert reason["message"]
    assert context["errors"] == []
    assert context["version"] == reply.headers["policy-version"]
    assert "unsatisfied" not in context


def test_reasons_of_a_deny_name_the_permits_that_did_not_hold(client: Client) -> None:
    context = client.evaluate({**DENY, "options": {"explain": "reasons"}}).json["context"]
    assert context["reasons"] == []
    assert {"todo-update-own", "todo-update-any"} <= {policy["id"] for policy in context["unsatisfied"]}
    assert all(set(policy) == {"id", "file", "line"} for policy in context["unsatisfied"])


def test_reasons_in_a_batch(client: Client) -> None:
    body = {**ALLOW, "evaluations": [{}, {"resource": FOREIGN}, {"resource": {}}], "options": {"explain": "reasons"}}
    first, second, third = client.evaluate_all(body).json["evaluations"]
    assert first["context"]["reasons"]
    assert second["context"]["unsatisfied"]
    assert "error" in third["context"]


# metadata (§9)
@pytest.mark.parametrize("rest", ["", "/citadel", "/nobody-here", "/tenants/citadel"])
def test_metadata_names_what_was_asked(client: Client, rest: str) -> None:
    reply = client.send("GET", f"{WELL_KNOWN}{rest}", authorization=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert "max-age" in reply.headers["cache-control"]
    assert reply.json["policy_decision_point"] == f"https://pdp.example.com{rest}"
    assert all(isinstance(value, str) and value.startswith("https://pdp.example.com") for value in reply.json.values())


@pytest.mark.parametrize("name", ["ACME", "-a", "a_b", "a" * 64, "..", "a/b", "é"])
def test_metadata_of_an_illegal_name_is_404(client: Client, name: str) -> None:
    assert_problem(client.send("GET", f"{WELL_KNOWN}/{name}"), 404)


@pytest.mark.parametrize("rest", ["", "/acme", "/tenants/acme"])
def test_the_endpoints_of_the_metadata_are_served(client: Client, site: Site, rest: str) -> None:
    metadata = client.send("GET", f"{WELL_KNOWN}{rest}").json
    asker = Client(client.service, site.keys["acme" if rest else "citadel"])
    for name in ("access_evaluation_endpoint", "access_evaluations_endpoint"):
        path = metadata[name].removeprefix("https://pdp.example.com")
        assert asker.send("POST", path, ALLOW).status == 200
