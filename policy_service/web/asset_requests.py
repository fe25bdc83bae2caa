"""What a request of `/api/v1` says: its path, query, conditions and body, read strictly.

A parameter nobody knows is 400 and not ignored: a filter that is misspelt would show too much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from policy_service.assets.asset import Kind
from policy_service.assets.walk import DEPTH
from policy_service.errors import RequestError
from policy_service.web.bodies import BODY_BYTES
from policy_service.web.errors import NotFound

PREFIX = "/api/v1"
BATCH_BYTES = 8 * 1024 * 1024
LIMIT, LARGEST_LIMIT = 100, 1_000
# values of a facet
VALUES = 100
WALKED = 3
DIRECTIONS = ("out", "in", "both")
# what is asked of many assets by a body
SEARCHES = ("search", "count", "facets", "export")

_UNREADABLE = "the query can't be read, write `name=value&…` in percent-encoded UTF-8"

_KINDS: Mapping[str, Kind] = {"entities": "entity", "relationships": "relationship"}
_PATH = re.compile(
    rf"{PREFIX}/(?:(?P<all>entities|relationships)|(?P<batch>entities):batch"
    rf"|(?P<many>entities|relationships):(?P<how>{'|'.join(SEARCHES)})"
    r"|(?P<of>entities|relationships)/(?P<id>[0-9A-Za-z-]{1,64})"
    r"|(?P<start>entities)/(?P<from>[0-9A-Za-z-]{1,64})/(?P<along>neighbours|walk))",
    re.ASCII,
)
_TAGS = re.compile(r'\s*(?:(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*|$))+', re.ASCII)
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"', re.ASCII)


class Target(NamedTuple):
    """What a path names; `verb` is `all`, `one`, `batch`, `neighbours`, `walk` or one of `SEARCHES`."""

    kind: Kind
    verb: str
    id: str = ""


def find_target(path: str) -> Target:
    """What is served at a path; `NotFound` where nothing is."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise NotFound("nothing is served at this path, see /docs")
    if match["all"]:
        return Target(_KINDS[match["all"]], "all")
    if match["batch"]:
        return Target("entity", "batch")
    if match["many"]:
        return Target(_KINDS[match["many"]], match["how"])
    if match["of"]:
        return Target(_KINDS[match["of"]], "one", match["id"])
    return Target("entity", match["along"], match["from"])


def body_limit(path: str) -> int:
    """How many bytes a body may have at a path."""
    return BATCH_BYTES if path.endswith(":batch") else BODY_BYTES


class Query:
    """The parameters of a request, each taken once; `end` refuses those that nothing took."""

    def __init__(self, text: str) -> None:
        self._given: dict[str, list[str]] = {}
        # what is not percent-encoded comes as Latin-1, and would be looked for as that
        if not text.isascii():
            raise RequestError(_UNREADABLE)
        try:
            pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=50)
        except ValueError:
            if text:
                raise RequestError(_UNREADABLE) from None
            pairs = []
        for name, value in pairs:
            if "\0" in value:
                raise RequestError(f"`{name}` holds a NUL character, which nothing does")
            self._given.setdefault(name, []).append(value)

    def text(self, name: str) -> str:
        """The value of a parameter, empty where it was not sent."""
        if len(self._given.get(name, ())) > 1:
            raise RequestError(f"`{name}` was sent twice, send it once")
        return next(iter(self.texts(name)), "")

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of a parameter that may be sent more than once."""
        values = tuple(self._given.pop(name, ()))
        if "" in values:
            raise RequestError(f"`{name}` is empty, write a value or leave it out")
        return values

    def number(self, name: str, default: int, largest: int) -> int:
        """A whole number from 1 to `largest`."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= largest):
            raise RequestError(f"`{name}` is `{text[:40]}`, write a whole number from 1 to {largest}")
        return int(text)

    def direction(self) -> Any:
        """Along which relationships to go, `both` where it was not sent."""
        text = self.text("direction") or "both"
        if text not in DIRECTIONS:
            raise RequestError(f"`direction` is `{text[:40]}`, use one of {', '.join(DIRECTIONS)}")
        return text

    def depth(self) -> int:
        """How far to walk."""
        return self.number("depth", WALKED, DEPTH)

    def end(self) -> None:
        """See that everything that was sent means something."""
        if self._given:
            raise RequestError(f"`{next(iter(self._given))[:40]}` is no parameter here, see /docs")


def read_guard(headers: Mapping[str, str]) -> Callable[[str], bool]:
    """Whether an `ETag` is one of those that `If-Match` names (RFC 9110 §13.1.1); any where none was sent."""
    sent = headers.get("if-match", "").strip()
    if sent in {"", "*"}:
        return lambda _: True
    tags = _read_tags(sent, "If-Match")
    return lambda tag: tag in tags


def is_held(headers: Mapping[str, str], tag: str) -> bool:
    """Whether the client says by `If-None-Match` that it has this already (§13.1.2)."""
    sent = headers.get("if-none-match", "").strip()
    if not sent or sent == "*":
        return bool(sent)
    return tag in {name.removeprefix("W/") for name in _read_tags(sent, "If-None-Match")}


def _read_tags(sent: str, name: str) -> set[str]:
    if not _TAGS.fullmatch(sent):
        raise RequestError(f'`{name}` names no `ETag`, send it with its quotes: `"0123abcd"`')
    return set(_TAG.findall(sent))
