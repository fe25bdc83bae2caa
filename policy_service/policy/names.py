"""Names of requests and files turned into Cedar's, injectively, and back.

A type is used as it is when Cedar accepts it and it is not reserved; any other is written
`Escaped_<hex of its UTF-8>`, so that a policy that names no type still applies to it and an unscoped
forbid can't be dodged. An action `read` is `Action::"read"`; `Inventory::read` is `Inventory::Action::"read"`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

from policy_service.errors import RequestError
from policy_service.model import Uid

T = TypeVar("T")

ESCAPE = "Escaped_"
GROUP = "Group"
SERVICE = "PolicyService"
# the longest names of which anything is remembered: they are whatever requests send
REMEMBERED = 200

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_TYPE = re.compile(rf"{_IDENTIFIER}(::{_IDENTIFIER})*", re.ASCII)
# the first colon that is none of a `::`; ids of requests are read too, so it looks at each letter once
_SEPARATOR = re.compile(r"(?<!:)(?:::)*+:(?!:)")
# what Cedar's grammar refuses as an identifier, and the namespace it keeps for itself
_WORDS = frozenset({"true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"})


def is_cedar_path(name: str) -> bool:
    """Whether Cedar accepts `name` as a type or a namespace."""
    return _TYPE.fullmatch(name) is not None and _WORDS.isdisjoint(name.split("::"))


def is_reserved(name: str) -> bool:
    """Whether only the service may make entities of the type `name`."""
    parts = name.split("::")
    return name == GROUP or parts[-1] == "Action" or parts[0] == SERVICE or parts[0].startswith(ESCAPE)


def _remember(read: Callable[[str], T]) -> Callable[[str], T]:
    """The same function, which remembers the last answers but for long names: thousands of them fill the memory."""
    kept = lru_cache(maxsize=4096)(read)

    @wraps(read)
    def answer(name: str) -> T:
        return kept(name) if len(name) <= REMEMBERED else read(name)

    return answer


@_remember
def cedar_type(name: str) -> str:
    """The Cedar type of a type that a request names; reserved and impossible ones are escaped."""
    if is_cedar_path(name) and not is_reserved(name):
        return name
    return ESCAPE + name.encode().hex()


def request_type(cedar: str) -> str:
    """The type as a request names it: the inverse of `cedar_type`."""
    return bytes.fromhex(cedar[len(ESCAPE) :]).decode() if cedar.startswith(ESCAPE) else cedar


@_remember
def action_uid(name: str) -> Uid:
    """The Cedar action of an action that a request names."""
    namespace, separator, rest = name.rpartition("::")
    if separator and is_cedar_path(namespace):
        return Uid(f"{namespace}::Action", rest)
    return Uid("Action", name)


def action_name(uid: Uid) -> str:
    """The action as a request names it: the inverse of `action_uid`."""
    return f"{uid.type[: -len('Action')]}{uid.id}"


def entity_uid(text: str) -> Uid:
    """The entity that a file names as `type:id`, such as `user:alice` or `group:editors`.

    In the type, a `::` of Cedar may be written as it is or as `.`: `Inventory.Host:web-1`. The id is
    everything after the first single colon. A text of another form is a `RequestError`.
    """
    match = _SEPARATOR.search(text)
    kind, name = (text[: match.end() - 1], text[match.end() :]) if match else ("", "")
    if not kind or not name:
        raise RequestError(f"`{text}` names no entity, write `type:id`, for example `user:alice`")
    kind = kind.replace(".", "::")
    return Uid(GROUP, name) if kind == "group" else Uid(cedar_type(kind), name)


def entity_text(uid: Uid) -> str:
    """An entity as files write it: `user:alice`, `group:editors`."""
    return f"group:{uid.id}" if uid.type == GROUP else f"{request_type(uid.type).replace('::', '.')}:{uid.id}"
