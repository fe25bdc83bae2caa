"""A JSON body as it was sent: its content type, its size, its text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_service.errors import RequestError
from policy_service.policy.values import read_json
from policy_service.web.errors import TooLarge

BODY_BYTES = 1024 * 1024
_JSON, _PATCH = "application/json", "application/merge-patch+json"


def read_body(headers: Mapping[str, str], body: bytes, *, limit: int = BODY_BYTES, patch: bool = False) -> Any:
    """The JSON of a body; a patch may say that it is one by its content type."""
    if _read_media_type(headers.get("content-type", "")) not in ((_JSON, _PATCH) if patch else (_JSON,)):
        raise RequestError("the content type is not JSON, send `content-type: application/json`")
    if len(body) > limit:
        raise TooLarge(f"the body is larger than {limit} bytes, send less at once")
    if not body:
        raise RequestError("the body is empty, send a JSON object")
    try:
        return read_json(body)
    except ValueError as error:
        raise RequestError(f"the body can't be read: {error}") from None


def _read_media_type(sent: str) -> str:
    """The media type that a `Content-Type` names, in small letters (RFC 9110 §8.3.1); empty where it has a parameter
    that says something else than UTF-8."""
    named, *parameters = (part.strip().lower() for part in sent.split(";"))
    charsets = {"".join(parameter.split()) for parameter in parameters} - {""}
    return named if charsets <= {"charset=utf-8", 'charset="utf-8"'} else ""
