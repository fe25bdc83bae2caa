"""Which rights a change needs: on what is changed as it was and as it will be, and on what else it changes.

Each function raises `Forbidden` where one is lacking, and answers the policies that allowed it, for the trail. A
change that comes later in the request is judged on what the earlier ones made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from policy_service.access.enforce import CREATE, DELETE, READ, UPDATE, Judge
from policy_service.access.sight import parts
from policy_service.assets.asset import Asset, Edges, to_entity
from policy_service.assets.edges import fetch_edges
from policy_service.errors import Conflict, Forbidden
from policy_service.model import Decision, Entity, Uid
from policy_service.policy.names import entity_text

# the same for an end that is not there and for one that is not the subject's to see
NO_END = "the entity at an end of the relationship is not there, or not yours to see, create it first"


def authorize_create(judge: Judge, asset: Asset) -> tuple[str, ...]:
    """To create an asset one needs `create` on it as it will be, and to see both ends of a relationship."""
    _see_ends(judge, [asset])
    return _reasons([judge.require(CREATE, asset.uid, _state(judge, asset))])


def authorize_update(judge: Judge, before: Asset, after: Asset) -> tuple[str, ...]:
    """To change an asset that one sees one needs `update` on it as it was and as it will be."""
    was = judge.require(UPDATE, before.uid)
    _see_ends(judge, [after])
    return _reasons([was, judge.require(UPDATE, after.uid, _state(judge, after))])


def authorize_delete(judge: Judge, asset: Asset) -> tuple[str, ...]:
    """To delete an asset that one sees one needs `delete` on it."""
    return _reasons([judge.require(DELETE, asset.uid)])


def find_changed(judge: Judge, before: Asset | None, after: Asset | None) -> frozenset[Uid]:
    """The entities that a change of a relationship changes: those to which it is a parent or an attribute.

    None where its ends stay what they are, and none for an entity.
    """
    if before is not None and after is not None and (before.from_, before.to) == (after.from_, after.to):
        return frozenset()
    return frozenset(uid for asset in (before, after) if asset for uid in drawn_on(judge, asset))


def drawn_on(judge: Judge, relationship: Asset) -> Iterator[Uid]:
    """The ends of which a relationship is a fact, by `relationships.yaml`: the child, and what has the attribute."""
    drawing = judge.bundle.relationships.get(relationship.type)
    if drawing is None or relationship.from_ is None or relationship.to is None:
        return
    ends = {"from": relationship.from_, "to": relationship.to}
    if drawing.parent is not None:
        yield ends["to" if drawing.parent == "from" else "from"]
    if drawing.attribute is not None:
        yield ends[drawing.attribute[0]]


@contextmanager
def changing(judge: Judge, things: Collection[Uid]) -> Iterator[None]:
    """To change entities by their relationships one needs `update` on them, before the block and after it."""
    _update_all(judge, things)
    yield
    _update_all(judge, things)


def _update_all(judge: Judge, things: Collection[Uid]) -> None:
    for thing, decision in zip(sorted(things), judge.decide_all(UPDATE, sorted(things)), strict=True):
        if not decision.allowed:
            raise Forbidden(f"you may not update `{entity_text(thing)}`, which this relationship changes")


def _see_ends(judge: Judge, assets: Iterable[Asset]) -> None:
    ends = [uid for asset in assets for uid in parts(asset)[1:]]
    if ends and not all(decision.allowed for decision in judge.decide_all(READ, ends)):
        raise Conflict(NO_END)


def _state(judge: Judge, asset: Asset) -> Entity:
    return to_entity(asset, fetch_edges(judge.inventory, [asset.uid]).get(asset.uid, Edges()))


def _reasons(decisions: Iterable[Decision]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(policy.id for decision in decisions for policy in decision.reasons))
