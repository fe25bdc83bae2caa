"""What the subject may see: of one thing, and of many at once, which is one record in the decision log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from policy_service.policy.facts import write_entities
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


def see_ends(judge: Judge, draft: Draft, source: str) -> None:
    """See that the subject may see both ends that a draft of a relationship names.

    `Conflict`, in the same words after the same work, for an end that is not there and for one that is not the
    subject's to see.
    """
    named = [end for end in (draft.from_, draft.to) if end is not None]
    found = {end: uid for end in named if (uid := _resolve(judge, end, source, draft.scope or "")) is not None}
    judge.decide_nothing(READ, [name_end(end) for end in named if end not in found])
    seen = dict(zip(found, judge.decide_all(READ, list(found.values())), strict=True))
    for end in named:
        if end not in seen or not seen[end].allowed:
            raise explain_missing(end)


def _resolve(judge: Judge, end: End, source: str, scope: str) -> Uid | None:
    try:
        return resolve(judge.inventory, end, source, scope)
    except Conflict:
        return None


def parts(asset: Asset) -> list[Uid]:
    """What has to be seen to see the asset: itself, and of a relationship both ends, whose ids it shows."""
    return [uid for uid in (asset.uid, asset.from_, asset.to) if uid is not None]


class Sight:
    """Tells of many assets which may be seen, by one set of facts, and keeps what `record` writes as one record."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._started = perf_counter_ns()
        self._gatherer = judge.gatherer()
        self._examined: dict[str, None] = {}
        self._decided: dict[Uid, bool] = {}
        self._entities: dict[Uid, Entity | None] = {}
        self._needs = NO_NEEDS
        self._context: dict[str, Value] = {}

    def allows(self, assets: Sequence[Asset]) -> list[bool]:
        """Whether each of the assets may be seen."""
        self._examined.update((asset.id, None) for asset in assets)
        wanted = dict.fromkeys(uid for asset in assets for uid in parts(asset) if uid not in self._decided)
        if wanted:
            things = list(wanted)
            self._judge.learn(assets)
            self._gatherer.load(things)
            for thing, (facts, decision) in zip(things, self._judge.answer(self._gatherer, READ, things), strict=True):
                self._decided[thing] = decision.allowed
                self._entities.update(facts.entities)
                self._needs = self._needs.join(facts.needs)
                self._context.update(facts.context)
        return [all(self._decided[uid] for uid in parts(asset)) for asset in assets]

    def record(self, kind: Kind, question: Mapping[str, Any], shown: Sequence[str]) -> None:
        """Keep one record of all: the question that was asked, and the ids of what was examined and shown."""
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
            )
        )
