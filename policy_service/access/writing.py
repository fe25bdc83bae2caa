"""Single changes of assets: found and locked, authorized, stored, told to the trail, all in one transaction.

Nothing is answered before it is committed, and nothing is committed that is not in the decision log and in the trail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace as replace_asset
from time import time
from typing import NamedTuple

from policy_service.access.authorize import Service
from policy_service.access.enforce import Asker, Judge, judging
from policy_service.access.fields import Veil
from policy_service.access.plan import Plan
from policy_service.access.rights import (
    CHANGES_OTHERS,
    authorize_create,
    authorize_delete,
    authorize_update,
    changing,
    drawn_between,
    drawn_on,
    require_update,
    require_visible,
)
from policy_service.access.sight import find, is_seen, see_ends
from policy_service.assets import entities, relationships, walk
from policy_service.assets.asset import Asset, Edit, Kind
from policy_service.assets.changes import tell
from policy_service.assets.circles import CircleError
from policy_service.assets.drafts import Draft, Patch
from policy_service.assets.hierarchy import lock_hierarchy
from policy_service.assets.properties import Hides, without
from policy_service.assets.proposals import read_place, sketch
from policy_service.audit import trail
from policy_service.errors import Conflict, Forbidden, RequestError, Stale
from policy_service.identity.key_files import subject_text
from policy_service.model import Uid
from policy_service.policy.residual.filter import EVERY

_ROOMS = {"entity": entities, "relationship": relationships}
# of all that is written here; what comes from elsewhere is the business of synchronization
SOURCE = "api"
_TAKEN_UNSEEN = "you may not create this"

# whether an asset with this `ETag` is the one that the caller means
Guard = Callable[[str], bool]


class Written(NamedTuple):
    """What the subject sees of what a change left, its `ETag`, the version of the files that allowed it, and whether
    it was created."""

    asset: Asset
    etag: str
    version: str
    created: bool = False


class Changes:
    """The changes of one request, which go into the trail together."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.veil = Veil(judge)
        self.now = time()
        self.made: list[trail.Change] = []

    @property
    def millis(self) -> int:
        """The time of the request in milliseconds."""
        return int(self.now * 1000)

    def add(self, edits: list[Edit], reasons: tuple[str, ...]) -> None:
        """What was stored by one of them, and the policies that allowed it."""
        asker, bundle = self.judge.asker, self.judge.bundle
        by = trail.Origin(subject_text(asker.subject), asker.caller.key_id, asker.address, asker.request_id)
        told = (tell(edit, bundle.tenant, self.judge.key, by, bundle.version_text, reasons) for edit in edits)
        self.made += [change for change in told if change is not None]


@contextmanager
def changing_assets(service: Service, asker: Asker) -> Iterator[Changes]:
    """Changes in one transaction that commits at the end, with the decisions and the trail of all of them."""
    with judging(service, asker, write=True) as judge:
        changes = Changes(judge)
        yield changes
        if changes.made:
            trail.note(judge.inventory.session, changes.made, changes.now)
    if changes.made:
        service.sealer.mark(asker.caller.tenant)


def create(service: Service, asker: Asker, kind: Kind, draft: Draft) -> Written:
    """A new asset. `Conflict` where its key is taken, `Forbidden` where it may not be created."""
    with changing_assets(service, asker) as changes:
        edit = propose(changes, kind, draft)
        if edit.before is not None:
            raise Conflict(f"the key is taken by `{edit.before.id}`, change that one")
        return write(changes, edit, draft.names)


def replace(service: Service, asker: Asker, kind: Kind, id_: str, draft: Draft, guard: Guard) -> Written:
    """The asset with this id, replaced whole; `Missing`, `Stale`, `Forbidden` or `Conflict` where it can't be."""
    with changing_assets(service, asker) as changes:
        before, hides = _find(changes, kind, id_, guard)
        require_visible(draft.names, hides)
        see_ends(changes.judge, draft, before.source, before.scope)
        edit = _ROOMS[kind].propose_update(changes.judge.inventory, before, draft, changes.millis, hides)
        return write(changes, edit, draft.names)


def patch(service: Service, asker: Asker, kind: Kind, id_: str, part: Patch, guard: Guard) -> Written:
    """The asset with this id, changed where `part` says so; errors as of `replace`."""
    with changing_assets(service, asker) as changes:
        before, hides = _find(changes, kind, id_, guard)
        require_visible(part.names, hides)
        edit = _ROOMS[kind].propose_patch(changes.judge.inventory, before, part, changes.millis, hides)
        return write(changes, edit, part.names)


def remove(service: Service, asker: Asker, kind: Kind, id_: str, guard: Guard) -> str:
    """Delete the asset with this id, an entity with its relationships; the version of the files that allowed it."""
    with changing_assets(service, asker) as changes:
        judge = changes.judge
        lock_hierarchy(judge.inventory)
        before, _ = _find(changes, kind, id_, guard)
        reasons = authorize_delete(judge, before)
        others = _find_taken(judge, before) if kind == "entity" else drawn_between(judge, before)
        with changing(judge, others):
            edits = _ROOMS[kind].remove(judge.inventory, before, changes.millis)
        changes.add(edits, reasons)
        return judge.bundle.version_text


def propose(changes: Changes, kind: Kind, draft: Draft) -> Edit:
    """What writing a draft by its key would do. What the subject may not see is not told of: `Forbidden`."""
    judge, room = changes.judge, _ROOMS[kind]
    place = read_place(draft, SOURCE)
    ends = see_ends(judge, draft, SOURCE, place[1])
    wanted = sketch(judge.inventory, kind, place, draft, changes.millis)
    if ends:
        wanted = replace_asset(wanted, from_=ends[0], to=ends[1])
    hidden: list[Hides] = []

    def veil(held: Asset) -> Hides:
        hidden.extend(changes.veil.of_stored([held]))
        return hidden[-1]

    try:
        edit: Edit = room.propose(judge.inventory, draft, changes.millis, veil=veil)
    except (Conflict, RequestError) as error:
        _refuse_unseen(changes, wanted, draft, room.find_by_key(judge.inventory, *place))
        if isinstance(error, CircleError):
            _hide_circle(judge)
        raise
    if edit.before is not None:
        _refuse_unseen(changes, wanted, draft, edit.before)
    for hides in hidden:
        require_visible(draft.names, hides)
    return edit


def _refuse_unseen(changes: Changes, wanted: Asset, draft: Draft, taken: Asset | None) -> None:
    """`Forbidden` where `taken`, which has the key, is not the subject's to see, and, in the same words as if nothing
    had it, where `wanted` is not the subject's to create: who may not is told of nothing that is in the way."""
    if taken is not None and is_seen(changes.judge, taken):
        return
    _authorize_create(changes, wanted, draft.names)
    # what is drawn already may be what is in the way
    drawn = drawn_between(changes.judge, wanted)
    require_update(changes.judge, drawn)
    if taken is not None:
        # as of what may not be once it is drawn, which nobody can tell before
        raise Forbidden(CHANGES_OTHERS if drawn else _TAKEN_UNSEEN)


def _hide_circle(judge: Judge) -> None:
    """See that a circle is named to those alone who see whatever can be in one."""
    if Plan(judge, "relationship").seen != EVERY:
        raise Conflict("a parent would be its own ancestor, relate other entities") from None


def write(changes: Changes, edit: Edit, names: Iterable[str]) -> Written:
    """Store what was proposed, if the subject may and sees the properties that it named; what it sees of it then."""
    judge = changes.judge
    after = edit.after
    if after is None:
        raise ValueError("what is proposed leaves an asset")
    if edit.before is None:
        reasons, hides = _authorize_create(changes, after, names)
    else:
        reasons = authorize_update(judge, edit.before, after)
        hides = changes.veil.of_state(after, judge.state(after))
        require_visible(names, hides)
    if edit.changes:
        # the ends of a relationship stay what they are, so only a new one changes them
        with changing(judge, drawn_between(judge, after) if edit.before is None else ()):
            _ROOMS[after.kind].store(judge.inventory, edit)
        changes.add([edit], reasons)
    shown = without(after, hides)
    return Written(shown, changes.veil.tag(shown), judge.bundle.version_text, edit.before is None)


def _authorize_create(changes: Changes, asset: Asset, names: Iterable[str]) -> tuple[tuple[str, ...], Hides]:
    """The policies that allow it, and what will be hidden of it."""
    reasons = authorize_create(changes.judge, asset)
    hides = changes.veil.of_state(asset, changes.judge.new_state(asset))
    require_visible(names, hides)
    return reasons, hides


def _find(changes: Changes, kind: Kind, id_: str, guard: Guard) -> tuple[Asset, Hides]:
    """The asset, and what is hidden of it."""
    asset = find(changes.judge, kind, id_, lock=True)
    (hides,) = changes.veil.of_stored([asset])
    if not guard(changes.veil.tag(without(asset, hides))):
        raise Stale("it is not what `If-Match` says any more, read it again")
    return asset, hides


def _find_taken(judge: Judge, entity: Asset) -> frozenset[Uid]:
    """The other entities that lose a parent or an attribute with an entity's relationships."""
    drawn = sorted(judge.inventory.layout.drawings)
    if not drawn:
        return frozenset()
    try:
        follow, way = walk.follow_all(judge.inventory), walk.Way(types=drawn)
        steps = walk.neighbours(judge.inventory, entity.uid, follow, way, limit=entities.MOST_REMOVED)
    except RequestError:
        raise Conflict(f"it has more than {entities.MOST_REMOVED} relationships, delete them first") from None
    changed = {uid for step in steps for uid in drawn_on(judge, step.relationship)}
    return frozenset(changed - {entity.uid})
