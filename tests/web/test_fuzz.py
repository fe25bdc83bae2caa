"""Whatever is sent, the answer is a refusal or a decision: never a failure, never an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy_service.access.authorize import Service
from policy_service.web.authzen import answer
from tests.web.conftest import Client, Site
from tests.web.test_checklist import MORTY

FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
NAMES = (
    "user todo Group Action PolicyService::Action can_update_todo PolicyService::read :: a::b if ownerID "
    "__entity __extn __expr __number tenant groups authn now caller"
)
TEXT = st.text(max_size=12) | st.sampled_from([*NAMES.split(), "\x00", "'\"\\"])
NUMBER = st.integers() | st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**70), 2**70)
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
RECORD = st.dictionaries(TEXT, VALUE, max_size=4)
THING = st.fixed_dictionaries({"type": TEXT, "id": TEXT}, optional={"properties": RECORD}) | st.just(MORTY)
ACTION = st.fixed_dictionaries({"name": TEXT}, optional={"properties": RECORD})
PARTS: dict[str, Any] = {"subject": THING, "action": ACTION, "resource": THING}
EXPLAIN = st.just({"explain": "reasons"})
SINGLE = st.fixed_dictionaries(PARTS, optional={"context": RECORD, "options": EXPLAIN})
BATCH = st.fixed_dictionaries(
    PARTS,
    optional={
        "evaluations": st.lists(st.fixed_dictionaries({}, optional={**PARTS, "context": RECORD}), max_size=4),
        "options": EXPLAIN | st.just({"evaluations_semantic": "deny_on_first_deny"}),
    },
)


@given(BATCH | SINGLE | VALUE, st.booleans())
@settings(max_examples=250, deadline=None, suppress_health_check=FIXTURES)
@pytest.mark.parametrize("path", ["/access/v1/evaluation", "/access/v1/evaluations"])
def test_any_body(client: Client, path: str, body: Any, escaped: bool) -> None:
    raw = json.dumps(body, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    reply = client.send("POST", path, raw=raw)
    assert reply.status in (200, 400), (reply.body, raw)
    assert client.send("POST", path, raw=raw).body == reply.body


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None, suppress_health_check=FIXTURES)
def test_any_bytes(client: Client, raw: bytes) -> None:
    assert client.evaluate_all(raw=raw).status == 400


ANY = st.text(max_size=30) | st.sampled_from(
    ["POST", "GET", "application/json", "/healthz", "/access/v1/evaluation", "Bearer x"]
)
PATHS = st.sampled_from(["", "/access/v1/evaluation", "/tenants/", "/.well-known/authzen-configuration/", "/healthz"])


@given(ANY, st.builds(lambda start, end: start + end, PATHS, ANY), ANY, ANY, ANY, ANY)
@settings(max_examples=250, deadline=None, suppress_health_check=FIXTURES)
def test_any_line_and_headers(
    service: Service, site: Site, method: str, path: str, key: str, kind: str, request_id: str, address: str
) -> None:
    headers = {"authorization": key, "content-type": kind, "x-request-id": request_id}
    status, own, payload = answer(service, method, path, headers, b"{}", address)
    assert status in (200, 400, 401, 404, 405), payload
    for name, value in own:
        assert f"{name}{value}".isascii()
        assert f"{name}{value}".isprintable()
    assert isinstance(json.loads(payload), dict)
