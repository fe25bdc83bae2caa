"""Assets as a subject may read them: one, a page of a list, the neighbours of one, a walk from one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from policy_service.access.authorize import Service
from policy_service.access.cursors import Cursor, read_cursor, write_cursor
from policy_service.access.enforce import Asker, Judge, judging
from policy_service.access.fields import Veil
from policy_service.access.sight import Sight, find
from policy_service.assets import walk
from policy_service.assets.asset import Asset, Kind
from policy_service.assets.listing import page
from policy_service.assets.walk import Direction, Step, Walk
from policy_service.policy.stored_values import write_json

# rows that are looked at for one page; what is left is for the next one, so that a page can be short of its limit
EXAMINED = 2_000
# and what they hold together: a thousand of the largest would fill the memory of a worker
EXAMINED_CHARACTERS = 8 * 1024 * 1024
# those at once: a page of a hundred, and the one that tells whether another page follows
_LARGEST_CHUNK = 101


class Read(NamedTuple):
    """One asset, its `ETag`, and the version of the files that allowed it."""

    asset: Asset
    etag: str
    version: str


class Filters(NamedTuple):
    """What a list is asked for; empty is any."""

    kind: Kind
    type: str = ""
    class_: str = ""


class Page(NamedTuple):
    """A page of a list.

    `cursor` is where the next one begins, none after the last page: it says so, and not a page that is short.
    `began` is the version of the files that answered the first page, `version` that of these.
    """

    assets: list[Asset]
    cursor: str | None
    version: str
    began: str


class Walked(NamedTuple):
    """Where a walk led, and the version of the files that allowed it."""

    steps: tuple[Step, ...]
    version: str


def read(service: Service, asker: Asker, kind: Kind, id_: str) -> Read:
    """The asset with this id; `Missing` where there is none that the subject may see."""
    with judging(service, asker) as judge:
        veil = Veil(judge)
        (shown,) = veil.redact([find(judge, kind, id_)])
        return Read(shown, veil.tag(shown), judge.bundle.version_text)


def list_assets(service: Service, asker: Asker, filters: Filters, limit: int, cursor: str = "") -> Page:
    """At most `limit` of the assets that the subject may see, after `cursor`, in the order of their ids.

    `RequestError` for a cursor of another list, subject or key.
    """
    keys, caller = service.store.keys, asker.caller
    question = write_json(filters._asdict())
    begin = read_cursor(keys, caller, question, cursor) if cursor else None
    with judging(service, asker) as judge:
        version = judge.bundle.version_text
        began = begin.version if begin else version
        sight = Sight(judge)
        shown, last = _collect(judge, sight, filters, limit, begin.after if begin else "")
        asked = {"kind": filters.kind, "type": filters.type, "class": filters.class_, "limit": limit}
        sight.record(filters.kind, asked, [asset.id for asset in shown])
    more = write_cursor(keys, caller, question, Cursor(last, began)) if last else None
    return Page(shown, more, version, began)


def _collect(judge: Judge, sight: Sight, filters: Filters, limit: int, after: str) -> tuple[list[Asset], str]:
    """The assets that may be seen, and the id after which the next page begins; empty where this is the last.

    A full page is the last where nothing follows that may be seen: what is hidden must not show in there being one.
    """
    shown: list[Asset] = []
    left, room, chunk = EXAMINED, EXAMINED_CHARACTERS, min(limit + 1, _LARGEST_CHUNK)
    while True:
        chunk = min(chunk, left)
        # one more than is examined, which tells whether anything comes after
        rows = page(
            judge.inventory, filters.kind, type_=filters.type, class_=filters.class_, after=after, limit=chunk + 1
        )
        for asset, allowed in zip(rows[:chunk], sight.allows(rows[:chunk]), strict=True):
            if allowed and len(shown) == limit:
                return shown, shown[-1].id
            if allowed:
                shown.append(asset)
        if len(rows) <= chunk:
            return shown, ""
        left -= chunk
        room -= sum(map(_weigh, rows[:chunk]))
        after, chunk = rows[chunk - 1].id, min(2 * chunk, _LARGEST_CHUNK)
        if not left or room <= 0:
            return shown, after


def _weigh(asset: Asset) -> int:
    """About how many characters the properties of an asset have."""
    parts = (part for value in asset.properties.values() for part in (value if isinstance(value, list) else (value,)))
    return sum(len(part) if isinstance(part, str) else 8 for part in parts)


def find_neighbours(
    service: Service, asker: Asker, id_: str, direction: Direction, types: tuple[str, ...], limit: int
) -> Walked:
    """The relationships of an entity that the subject may see, with both ends.

    `RequestError` where more than `limit` may be seen, or there are more than one step looks at.
    """
    return _walk(
        service,
        asker,
        id_,
        {"direction": direction, "types": list(types), "limit": limit},
        lambda judge, start, sight: walk.neighbours(
            judge.inventory, start.uid, sight.allows, direction=direction, types=types, limit=limit
        ),
    )


def walk_from(
    service: Service, asker: Asker, id_: str, direction: Direction, types: tuple[str, ...], depth: int
) -> Walked:
    """What is reached from an entity in at most `depth` steps, never through what the subject may not see.

    `RequestError` where that is more than a walk may reach: one that is cut short would look whole.
    """
    return _walk(
        service,
        asker,
        id_,
        {"direction": direction, "types": list(types), "depth": depth},
        lambda judge, start, sight: walk.walk(
            judge.inventory, start.uid, sight.allows, direction=direction, types=types, depth=depth
        ),
    )


def _walk(
    service: Service,
    asker: Asker,
    id_: str,
    question: dict[str, object],
    go: Callable[[Judge, Asset, Sight], Walk],
) -> Walked:
    with judging(service, asker) as judge:
        start = find(judge, "entity", id_)
        sight = Sight(judge)
        found = go(judge, start, sight)
        shown = [asset.id for step in found.steps for asset in (step.relationship, step.entity) if asset]
        sight.record("relationship", {"start": id_, **question}, shown)
        return Walked(found.steps, judge.bundle.version_text)
