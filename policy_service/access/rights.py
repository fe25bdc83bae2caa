"""Which rights a change needs: on what is changed as it was and as it will be, and on what else it changes.

Each function raises `Forbidden` where one is lacking, and answers the policies that allowed it, for the trail. A
change that comes later in the request is judged on what the earlier ones made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from policy_service.access.enforce import CREATE, DELETE, UPDATE, Judge
from policy_service.assets.asset import Asset
from policy_service.assets.properties import Hides
from policy_service.errors import Forbidden
from policy_service.model import Decision, Uid
from policy_service.policy.sentences import write_line

CHANGES_OTHERS = "this changes an entity that you may not update, relationships.yaml says what changes what"


def authorize_create(judge: Judge, asset: Asset) -> tuple[str, ...]:
    """To create an asset one needs `create` on it as it will be."""
    return _reasons([judge.require(CREATE, asset.uid, judge.new_state(asset))])


def authorize_update(judge: Judge, before: Asset, after: Asset) -> tuple[str, ...]:
    """To change an asset that one sees one needs `update` on it as it was and as it will be."""
    was = judge.require(UPDATE, before.uid)
    return _reasons([was, judge.require(UPDATE, after.uid, judge.state(after))])


def require_visible(names: Iterable[str], hides: Hides) -> None:
    """To name a property, whatever it is to become, one has to see it: whether it is there or not."""
    for name in names:
        if hides(name):
            raise Forbidden(f"the property `{write_line(name)}` is hidden from you, leave it out")


def authorize_delete(judge: Judge, asset: Asset) -> tuple[str, ...]:
    """To delete an asset that one sees one needs `delete` on it."""
    return _reasons([judge.require(DELETE, asset.uid)])


def drawn_on(judge: Judge, asset: Asset) -> Iterator[Uid]:
    """The ends of which a relationship is a fact, by `relationships.yaml`: the child, and what has the attribute."""
    drawing = judge.inventory.layout.drawings.get(asset.type)
    if drawing is None or asset.from_ is None or asset.to is None:
        return
    ends = {"from": asset.from_, "to": asset.to}
    if drawing.parent is not None:
        yield ends["to" if drawing.parent == "from" else "from"]
    if drawing.attribute is not None:
        yield ends[drawing.attribute.on]


def drawn_between(judge: Judge, asset: Asset) -> frozenset[Uid]:
    """The ends of a relationship whose `update` it takes to make or delete it.

    These are what it is a fact of, and a parent too: who may change himself must not join what others keep.
    """
    drawing = judge.inventory.layout.drawings.get(asset.type)
    both = (asset.from_, asset.to) if drawing is not None and drawing.parent is not None else ()
    return frozenset(drawn_on(judge, asset)) | {end for end in both if end is not None}


def require_update(judge: Judge, things: Collection[Uid]) -> None:
    """To change what is known of entities, by what is drawn onto them, one needs `update` on each."""
    if not all(decision.allowed for decision in judge.decide_all(UPDATE, sorted(things))):
        raise Forbidden(CHANGES_OTHERS)


@contextmanager
def changing(judge: Judge, things: Collection[Uid]) -> Iterator[None]:
    """To change what is stored, and entities by it, one needs `update` on those, before the block and after it."""
    require_update(judge, things)
    yield
    judge.forget()
    require_update(judge, things)


def _reasons(decisions: Iterable[Decision]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(policy.id for decision in decisions for policy in decision.reasons))
