"""A JSON body is read strictly: its content type, its size, its text."""

from __future__ import annotations

import pytest

from policy_service.errors import RequestError
from policy_service.web.asset_requests import BATCH_BYTES
from policy_service.web.bodies import BODY_BYTES, read_body
from policy_service.web.errors import TooLarge


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", 'application/json;charset="UTF-8"']
)
def test_a_body_is_json(kind: str) -> None:
    assert read_body({"content-type": kind}, b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/merge-patch+json",
        "application/json; charset=latin-1",
        f"application/json{' ' * 100_000}x",
    ],
)
def test_a_body_of_another_type(kind: str) -> None:
    with pytest.raises(RequestError, match="content type"):
        read_body({"content-type": kind}, b"{}")


@pytest.mark.parametrize("kind", ["application/json", "application/merge-patch+json"])
def test_a_patch_may_say_that_it_is_one(kind: str) -> None:
    assert read_body({"content-type": kind}, b"{}", patch=True) == {}


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1, "a": 2}', b'{"a": NaN}', b'"\xff"'])
def test_a_body_that_can_t_be_read(body: bytes) -> None:
    with pytest.raises(RequestError):
        read_body({"content-type": "application/json"}, body)


def test_a_body_has_its_limit() -> None:
    for limit in (BODY_BYTES, BATCH_BYTES):
        with pytest.raises(TooLarge):
            read_body({"content-type": "application/json"}, b" " * (limit + 1), limit=limit)
