"""What a record holds, and what a mask takes out."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from policy_service.audit.records import Mask, dumps, instant, read_body
from policy_service.errors import Refused
from policy_service.model import Act, Caller, Request, Thing
from tests.unit.audit.conftest import make


def write(body: dict[str, Any], *paths: str) -> dict[str, Any]:
    """The record as a reader has it."""
    return read_body(dumps(Mask(paths).apply(body) if paths else body))


def test_a_record_says_who_asked_what_and_why_it_was_decided_so() -> None:
    assert write(make()) == {
        "time": "2026-01-01T00:00:00.250000Z",
        "request": "r-1",
        "tenant": "acme",
        "caller": {"key": "abcdefghijkl", "subject": {"type": "user", "id": "alice"}},
        "subject": {"type": "user", "id": "alice", "properties": {"ssn": "123-45", "team": "red"}},
        "action": {"name": "read", "properties": {"soft": True}},
        "resource": {"type": "host", "id": "web-1", "properties": {"labels": [{"name": "a", "value": "b"}]}},
        "context": {"ip": "10.0.0.1", "a.b": {"c": 1}},
        "decision": True,
        "reasons": [
            {
                "id": "hosts-read",
                "effect": "permit",
                "file": "tenants/acme/hosts.cedar",
                "line": 3,
                "engine": "cedar",
            }
        ],
        "errors": [{"id": "hosts-read", "why": "`alice` has no `x`"}],
        "version": "abc+def",
        "duration_us": 120,
        "facts": [{"uid": {"type": "user", "id": "alice"}, "attrs": {"ssn": "123-45"}, "parents": []}],
        "context_used": {"ip": "10.0.0.1"},
    }


def test_what_was_not_sent_or_not_looked_up_is_not_made_up() -> None:
    body = write(
        make(
            caller=Caller("acme", "k"),
            request=Request(Thing("user", "a"), Act("read"), Thing("host", "h")),
            facts=None,
            context_used=None,
        )
    )
    assert body["caller"] == {"key": "k"}
    assert body["subject"] == {"type": "user", "id": "a"}
    assert body["action"] == {"name": "read"}
    assert (body["context"], body["facts"], body["context_used"]) == ({}, None, None)


def test_numbers_are_written_as_they_were_asked() -> None:
    context = {"big": 2**80, "list": [-(2**70), 2**64], "exact": Decimal("0.10"), "far": Decimal("1E+400"), "yes": True}
    body = write(make(request=Request(Thing("u", "a"), Act("read"), Thing("h", "b"), context)))
    assert body["context"] == context
    assert str(body["context"]["exact"]) == "0.10"
    assert json.loads(dumps(body), parse_float=Decimal) == body


@pytest.mark.parametrize("text", ['[\n{"a":\n1}]', b'[\n{"a":\n1}]'])
def test_facts_are_embedded_as_they_are(text: bytes | str) -> None:
    assert write(make(facts=text))["facts"] == [{"a": 1}]


def test_what_json_can_not_hold_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        dumps(make(request_id=object()))
    with pytest.raises(TypeError):
        dumps(make(request_id="\ud800"))


@pytest.mark.parametrize("text", [b"[]", b'"sealed"', b'{"a":NaN}', b"\xff", b"{", b"[" * 100_000 + b"]" * 100_000])
def test_what_is_no_record_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the sentences are Python's
        read_body(text)


def test_times_compare_as_texts() -> None:
    assert instant(0.999_999_9) == "1970-01-01T00:00:01.000000Z"
    assert instant(1.5) == "1970-01-01T00:00:01.500000Z"
    moment = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert instant(moment) == instant(moment.timestamp()) == "2026-01-01T00:00:00.000000Z"
    assert instant(datetime(2026, 1, 1, 0, 0, 0, 7, tzinfo=UTC)) == "2026-01-01T00:00:00.000007Z"


class TestMask:
    @pytest.mark.parametrize(
        ("path", "gone"),
        [
            ("subject.id", "alice"),
            ("subject", "alice"),
            ("subject.properties", "123-45"),
            ("subject.properties.ssn", "123-45"),
            ("resource.id", "web-1"),
            ("resource.properties.labels.value", '"b"'),
            ("action.properties.soft", "true"),
            ("context.ip", "10.0.0.1"),
            ("context", "10.0.0.1"),
            ("caller.key", "abcdefghijkl"),
        ],
    )
    def test_what_is_masked_stands_nowhere_in_the_line(self, path: str, gone: str) -> None:
        body = make()
        if path.startswith("action"):
            body["decision"] = False
        assert gone in dumps(body).decode()
        assert gone not in dumps(Mask((path,)).apply(body)).decode()

    def test_a_masked_record_says_so(self) -> None:
        body = write(make(), "context.ip")
        assert body["replayable"] is False
        assert body["masked"] == ["context.ip", "facts", "context_used", "errors.why", "refused", "filter"]
        assert body["context"] == {"ip": "***", "a.b": {"c": 1}}
        assert (body["facts"], body["context_used"]) == ("***", "***")
        assert "replayable" not in write(make())

    def test_facts_alone_can_go(self) -> None:
        body = write({**make(), "filter": 'ssn = "123-45"'}, "facts")
        assert body["masked"] == ["facts", "filter"]
        assert body["facts"] == "***"
        # a condition is made of what facts say
        assert body["filter"] == "***"
        assert body["subject"]["id"] == "alice"
        assert body["context_used"] == {"ip": "10.0.0.1"}
        assert body["errors"][0]["why"] == "`alice` has no `x`"

    def test_the_callers_subject_is_masked_like_the_subject(self) -> None:
        body = write(make(), "subject.id")
        assert body["caller"] == {"key": "abcdefghijkl", "subject": {"type": "user", "id": "***"}}
        assert write(make(), "subject")["caller"]["subject"] == "***"

    def test_a_name_with_dots_is_found_whichever_way_it_is_read(self) -> None:
        assert write(make(), "context.a.b.c")["context"]["a.b"] == {"c": "***"}
        assert write(make(), "context.a.b")["context"]["a.b"] == "***"

    def test_what_is_not_there_stays_away(self) -> None:
        body = write(make(), "context.ip.deeper", "subject.properties.none", "resource.properties.labels.none.x")
        assert body["context"]["ip"] == "10.0.0.1"
        assert body["resource"]["properties"] == {"labels": [{"name": "a", "value": "b"}]}

    def test_the_request_itself_is_not_changed(self) -> None:
        body = make()
        before = copy.deepcopy({name: body[name] for name in ("subject", "resource", "context")})
        Mask(("subject.id", "resource.properties.labels.value", "context.ip")).apply(body)
        assert before == {name: body[name] for name in before}

    def test_the_sentence_of_a_refused_request_goes_too(self) -> None:
        body = make() | {"refused": "`alice` can't be read"}
        assert write(body, "context.ip")["refused"] == "***"
        assert write(body, "facts")["refused"] == body["refused"]

    def test_the_filter_of_a_list_goes_too(self) -> None:
        body = make() | {"filter": 'owner = "alice"'}
        assert write(body, "subject.id")["filter"] == "***"

    def test_who_decided_stays(self) -> None:
        body, masked = write(make()), write(make(), "subject", "action", "resource", "context", "caller", "facts")
        for name in ("time", "request", "tenant", "decision", "reasons", "version", "duration_us"):
            assert masked[name] == body[name]
        assert masked["errors"] == [{"id": "hosts-read", "why": "***"}]

    @pytest.mark.parametrize(
        "path",
        [
            *("reasons", "reasons.id", "errors", "errors.id", "version", "tenant", "decision", "time", "request"),
            *("", ".", "subject.", "subject..id", "subject.ssn", "resource.name", "action.id", "facts.attrs"),
            *(
                "caller.id",
                "subject.id.x",
                "caller.key.x",
                "masked",
                "duration_us",
                "Subject",
                "* ",
                "context.",
                "context..ip",
            ),
        ],
    )
    def test_what_can_not_be_masked_is_refused(self, path: str) -> None:
        with pytest.raises(Refused, match="can't be masked"):
            Mask(("context.ip", path))
