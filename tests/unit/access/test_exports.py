"""An export is all that may be seen and exported, a line each, by one version of the files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policy_service.access import exports
from policy_service.errors import Unauthenticated
from policy_service.web.asset_answers import answer
from tests.unit.access.desks import Desk
from tests.unit.access.test_lists import SEES, fill, search

EXPORTS = SEES.replace(
    '== PolicyService::Action::"read"', 'in [PolicyService::Action::"read", PolicyService::Action::"export"]'
)


def lines(desk: Desk, who: str, body: Any, kind: str = "entities") -> list[dict[str, Any]]:
    reply = desk.ask(who, "POST", f"/{kind}:export", body)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in reply.body.splitlines()]


def test_an_export_is_what_a_list_shows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_PAGE", 3)
    desk.write_files({"own.cedar": EXPORTS})
    fill(desk, 10, 2, open=True, size=1.5)
    ids = [asset["_id"] for asset in search(desk, "ada", {})]
    for number in range(5):
        desk.relate(f"r{number}", ids[number], ids[number + 5])
    for who in ("ada", "bob", "eve"):
        for kind in ("entities", "relationships"):
            assert lines(desk, who, {}, kind) == search(desk, who, {}, kind)
    body = {"class": "C0", "where": {"property": "size", "op": "eq", "value": 1.5}}
    assert lines(desk, "bob", body) == search(desk, "bob", body)


def test_to_export_takes_more_than_to_read(desk: Desk) -> None:
    desk.write_files({"own.cedar": SEES})
    fill(desk, 2, open=True)
    assert len(search(desk, "bob", {})) == 2
    assert lines(desk, "bob", {}) == []
    desk.keys.scopes = frozenset({"write"})
    assert desk.ask("ada", "POST", "/entities:export", {}).status == 403


def test_each_page_is_recorded_before_it_is_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_PAGE", 3)
    fill(desk, 7)
    desk.log.records.clear()
    shown = [asset["_id"] for asset in lines(desk, "ada", {"type": "host"})]
    told = [record for record in desk.log.records if record["action"]["name"] == "PolicyService::list"]
    assert [id_ for record in told for id_ in record["rows"]["ids"]] == shown
    assert len(told) == 3
    assert told[0]["context"] == {"kind": "entity", "type": "host", "export": True}


def start(desk: Desk) -> Any:
    """The lines of an export, as they come."""
    sent = {"authorization": "Bearer acme/user:ada", "content-type": "application/json"}
    status, _, body = answer(desk.service, "POST", "/api/v1/entities:export", "", sent, b"{}", "127.0.0.1")
    assert status == 200
    return body


def test_an_export_ends_in_a_line_that_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_PAGE", 3)
    fill(desk, 7)
    body = start(desk)
    assert len(next(body).splitlines()) == 3
    bundle = desk.bundles.held["acme"]
    monkeypatch.setattr(type(bundle), "version_text", "another", raising=False)
    (line,) = next(body).splitlines()
    assert json.loads(line) == {"error": "the policies changed on the way, begin the export again"}
    assert list(body) == []

    body = start(desk)
    next(body)
    desk.log.full = True
    (line,) = b"".join(body).splitlines()
    assert "could not be recorded" in json.loads(line)["error"]
    desk.log.full = False

    body = start(desk)
    next(body)

    def find(*_: Any, **__: Any) -> Any:
        raise Unauthenticated("the key has ended")

    desk.keys.find = find  # type: ignore[method-assign]
    (line,) = b"".join(body).splitlines()
    assert json.loads(line) == {"error": "the key has ended"}


def test_what_can_t_be_read_is_refused_before_anything_is_sent(desk: Desk) -> None:
    for body in ([], {"limit": 1}, {"cursor": "x"}, {"where": {}}, b"["):
        assert desk.ask("ada", "POST", "/entities:export", body).status == 400
    desk.log.full = True
    assert desk.ask("ada", "POST", "/entities:export", {}).status == 503
