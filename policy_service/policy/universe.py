"""What a search looks through beside the store: entities of a file, members of groups, actions that files name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from heapq import merge

from policy_service.model import Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.names import action_name, action_uid


def find_ids(bundle: Bundle, type_: str, after: str | None = None) -> Iterator[str]:
    """The ids of a Cedar type in `entities.json` and among the members in `groups.csv`, sorted, each once.

    With `after` those that come after it.
    """
    filed = sorted(uid.id for uid in bundle.entities if uid.type == type_) if type_ in bundle.file_types else []
    last = after
    for id_ in merge(_rest(filed, after), _rest(bundle.groups.ids_of(type_), after)):
        if id_ != last:
            yield id_
            last = id_


def has_id(bundle: Bundle, uid: Uid) -> bool:
    """Whether an entity is one of these."""
    return uid in bundle.entities or uid in bundle.groups.parents


def _rest(ids: list[str] | tuple[str, ...], after: str | None) -> Iterator[str]:
    start = 0 if after is None else bisect_right(ids, after)
    return (ids[position] for position in range(start, len(ids)))


def find_actions(bundle: Bundle) -> list[str]:
    """The names of all actions that a schema declares or a policy's scope names, sorted.

    An action that no request can name is none of them.
    """
    uids = {*bundle.actions, *bundle.index.actions}
    return sorted(name for uid in uids if action_uid(name := action_name(uid)) == uid)
