"""What the subject may see: of one thing, and of many at once, which is one record in the decision log."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from time import perf_counter_ns, time
from typing import Any

from policy_service.access.enforce import LIST, NOTHING, READ, Judge
from policy_service.assets import entities, relationships
from policy_service.assets.asset import Asset, Kind
from policy_service.assets.drafts import Draft, End
from policy_service.assets.ends import explain_missing, name_end, resolve
from policy_service.audit.list_records import record_list
from policy_service.errors import Conflict, Missing
from policy_service.model import Act, Entity, Request, Thing, Uid, Value
from policy_service.policy.facts import Facts, write_entities
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY, Asked
from policy_service.policy.scope import NOTHING as NO_NEEDS
from policy_service.policy.values import dumps

_FIND = {"entity": entities.find, "relationship": relationships.find}


def find(judge: Judge, kind: Kind, id_: str, *, lock: bool = False) -> Asset:
    """The asset with this id, if the subject may see it.

    `Missing`, in the same words after the same work, where there is none and where it is not the subject's to see.
    """
    asset = _FIND[kind](judge.inventory, [id_], lock=lock).get(id_)
    if asset is None:
        judge.decide_nothing(READ, [id_] if kind == "entity" else [id_, f"{id_}/from", f"{id_}/to"])
    elif is_seen(judge, asset):
        return asset
    raise Missing(NOTHING)


def is_seen(judge: Judge, asset: Asset) -> bool:
    """Whether the subject may see an asset, which was just read."""
    judge.learn([asset])
    return all(decision.allowed for decision in judge.decide_all(READ, parts(asset)))


def see_ends(judge: Judge, draft: Draft, source: str, scope: str) -> list[Uid]:
    """The ends that a draft of a relationship of a source and scope names, which the subject may see.

    `Conflict`, in the same words after the same work, for an end that is not there and for one that is not the
    subject's to see.
    """
    named = [end for end in (draft.from_, draft.to) if end is not None]
    found = {end: uid for end in named if (uid := _resolve(judge, end, source, scope)) is not None}
    judge.decide_nothing(READ, [name_end(end) for end in named if end not in found])
    seen = dict(zip(found, judge.decide_all(READ, list(found.values())), strict=True))
    for end in named:
        if end not in seen or not seen[end].allowed:
            raise explain_missing(end)
    return [found[end] for end in named]


def _resolve(judge: Judge, end: End, source: str, scope: str) -> Uid | None:
    try:
        return resolve(judge.inventory, end, source, scope)
    except Conflict:
        return None


def parts(asset: Asset) -> list[Uid]:
    """What has to be seen to see the asset: itself, and of a relationship both ends, whose ids it shows."""
    return [uid for uid in (asset.uid, asset.from_, asset.to) if uid is not None]


class Sight:
    """Tells of many assets which may be seen, by one set of facts, and keeps what `record` writes as one record.

    `actions` are asked of an asset itself beside `read`, which is asked of its ends too.
    """

    def __init__(self, judge: Judge, actions: Sequence[str] = ()) -> None:
        self._judge = judge
        self._actions = actions
        self._started = perf_counter_ns()
        self._gatherer = judge.gatherer()
        self._examined: dict[str, None] = {}
        self._decided: dict[tuple[str, Uid], bool] = {}
        self._entities: dict[Uid, Entity | None] = {}
        self._needs = NO_NEEDS
        self._context: dict[str, Value] = {}

    def ask_open(self, action: str, drawn: Collection[str]) -> Asked:
        """The facts of whether the subject may do it to any row; `drawn` are the attributes that the store draws."""
        subject = self._judge.subject
        asked = self._gatherer.gather_open(ask(Request(subject, Act(action), ANY)), "resource", drawn)
        self._keep(asked)
        return asked

    def look(self, assets: Sequence[Asset]) -> None:
        """Note that these were examined."""
        self._examined.update((asset.id, None) for asset in assets)

    def leave(self, assets: Sequence[Asset]) -> None:
        """Note nothing of these, which another page is about."""
        for asset in assets:
            self._examined.pop(asset.id, None)

    def allows(self, assets: Sequence[Asset]) -> list[bool]:
        """Whether each of the assets may be seen."""
        self.look(assets)
        self._judge.learn(assets)
        self.decide(READ, [uid for asset in assets for uid in parts(asset)])
        for action in self._actions:
            self.decide(action, [asset.uid for asset in assets])
        return [self._allows(asset) for asset in assets]

    def _allows(self, asset: Asset) -> bool:
        seen = all(self._decided[READ, uid] for uid in parts(asset))
        return seen and all(self._decided[action, asset.uid] for action in self._actions)

    def decide(self, action: str, things: Collection[Uid]) -> list[bool]:
        """Whether the subject may do it to each of these, by their uids."""
        wanted = list(dict.fromkeys(uid for uid in things if (action, uid) not in self._decided))
        if wanted:
            self._gatherer.load(wanted)
            answered = self._judge.answer(self._gatherer, action, wanted)
            for thing, (facts, decision) in zip(wanted, answered, strict=True):
                self._decided[action, thing] = decision.allowed
                self._keep(facts)
        return [self._decided[action, uid] for uid in things]

    def _keep(self, facts: Facts | Asked) -> None:
        self._entities.update(facts.entities)
        self._needs = self._needs.join(facts.needs)
        self._context.update(facts.context)

    def record(
        self,
        kind: Kind,
        question: Mapping[str, Any],
        shown: Sequence[str],
        filter_: str | None = None,
        counted: int | None = None,
    ) -> None:
        """Keep one record of all: the question that was asked, the filter that answered it, and the ids of what was
        examined and shown; with `counted` the rows were counted."""
        judge = self._judge
        judge.keep(
            record_list(
                at=time(),
                request_id=judge.asker.request_id,
                caller=judge.asker.caller,
                request=Request(judge.subject, Act(LIST), Thing(kind, ""), question),
                version=judge.bundle.version_text,
                duration_us=(perf_counter_ns() - self._started) // 1000,
                facts=write_entities(self._entities, self._needs._replace(hierarchy=True)),
                context_used=dumps(self._context),
                examined=list(self._examined),
                shown=shown,
                filter_=filter_,
                counted=counted,
            )
        )
