"""A list is one record, with the filter that answered it."""

from __future__ import annotations

from typing import Any

from policy_service.audit.list_records import record_list
from policy_service.model import Act, Caller, Request, Thing

ASKED = Request(Thing("user", "ada"), Act("PolicyService::list"), Thing("entity", ""), {"type": "host"})


def note(**given: Any) -> Any:
    said = {"examined": [], "shown": []} | given
    return record_list(
        at=0.0,
        request_id="r",
        caller=Caller("acme", "k"),
        request=ASKED,
        version="v",
        duration_us=1,
        facts="[]",
        context_used=b"{}",
        **said,
    )


def test_rows_are_told_by_their_ids() -> None:
    body = note(examined=["a", "b", "c"], shown=["b"])
    assert body["rows"] == {"examined": 3, "shown": 1, "ids": ["b"], "withheld": ["a", "c"]}
    assert body["decision"] is True
    assert "filter" not in body
    assert note(examined=["a"])["decision"] is False


def test_a_count_tells_how_many_and_not_which() -> None:
    body = note(counted=7, filter_="every row")
    assert body["rows"] == {"examined": 0, "shown": 0, "ids": [], "withheld": [], "counted": 7}
    assert (body["decision"], body["filter"]) == (True, "every row")
    assert note(counted=0)["decision"] is False


def test_a_long_filter_is_cut_short() -> None:
    assert len(note(filter_="x" * 1_000_000)["filter"]) == 10_000
