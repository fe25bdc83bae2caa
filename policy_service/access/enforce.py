"""The enforcement point of the service's own API: what one request may do, decided where it is done.

Facts are read through the session that makes the change, so that a decision sees the rows that are locked. Whatever
was decided is recorded before the session commits: what can't be recorded is not done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns, time
from typing import Any

from sqlalchemy.orm import Session

from policy_service.access.authorize import Service, describe
from policy_service.access.doubts import find_doubt
from policy_service.access.facts import StoredFacts, now
from policy_service.access.ownership import deny_contested
from policy_service.assets.asset import Asset, Edges, to_entity
from policy_service.assets.edges import fetch_edges
from policy_service.assets.inventory import open_inventory
from policy_service.audit.records import record
from policy_service.errors import Forbidden
from policy_service.model import Act, Caller, Decision, Entity, Request, Thing, Uid, Value
from policy_service.policy.decide import decide_all
from policy_service.policy.facts import Facts
from policy_service.policy.gathering import Fetch, Gatherer
from policy_service.policy.names import cedar_type, request_type
from policy_service.policy.request import ask
from policy_service.policy.residual.filter import Opaque
from policy_service.policy.values import dumps
from policy_service.store.data_keys import DataKey

READ, CREATE, UPDATE, DELETE, LIST, EXPORT = (
    f"PolicyService::{name}" for name in ("read", "create", "update", "delete", "list", "export")
)
# the same for what is not there and for what is not the caller's to see
NOTHING = "nothing has this id, or it is not yours to see"
# what stands in for a thing that is not there, so that the answer takes the same work
_PHANTOM = "nothing"
_NO_STATES: Mapping[Uid, Entity] = {}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and by which request: the caller has a subject, `address` is the client's, empty where unknown."""

    caller: Caller
    request_id: str
    address: str = ""

    @property
    def subject(self) -> Thing:
        """In whose name it is done; a caller without a subject is `Forbidden`."""
        if self.caller.subject is None:
            raise Forbidden("the key acts for nobody, make one with `policy-service key new --subject user:alice`")
        return self.caller.subject


class Judge:
    """Decides what one request asks, in one session and by one bundle, and keeps it to be recorded."""

    def __init__(self, service: Service, asker: Asker, session: Session, key: DataKey) -> None:
        self.asker = asker
        self.key = key
        self.subject = asker.subject
        self.bundle = service.bundles.current(asker.caller.tenant)
        self.inventory = open_inventory(service.store, session, self.bundle)
        self._stored = StoredFacts(service.store, service.owners, self.bundle, self.inventory)
        self._edges: dict[Uid, Edges] = {}
        # how often something was changed: facts of before are old
        self.changes = 0
        # the ids of policies that hide properties of what is asked about
        self.hidden_by: dict[str, None] = {}
        self._log = service.log
        self._records: list[Mapping[str, Any]] = []
        # about how many characters the records have so far
        self.recorded = 0

    def decide(self, action: str, thing: Uid, state: Entity | None = None) -> Decision:
        """Whether the subject may do it. With `state` the thing is taken to be that, and not as it is stored.

        Where the thing is the subject itself a state speaks for both: then what is stored has to allow it too, so
        that nobody gives himself the attribute that lets him have it.
        """
        states = _NO_STATES if state is None else {thing: state}
        (decision,) = self.decide_all(action, [thing], states)
        if decision.allowed and state is not None and thing == self.principal:
            (decision,) = self.decide_all(action, [thing])
        return decision

    def decide_all(
        self, action: str, things: Sequence[Uid], states: Mapping[Uid, Entity] = _NO_STATES
    ) -> list[Decision]:
        """The decisions about several things, in order, each with a record of its own."""
        started = perf_counter_ns()
        answered = self.answer(self.gatherer(states), action, things)
        duration = (perf_counter_ns() - started) // 1000
        self._records += [self._record(facts, decision, duration) for facts, decision in answered]
        return [decision for _, decision in answered]

    def decide_nothing(self, action: str, ids: Sequence[str]) -> None:
        """The work of a decision about things that are not there; recorded as refused."""
        started = perf_counter_ns()
        answered = self.answer(self.gatherer(), action, [Uid(_PHANTOM, id_) for id_ in ids])
        duration = (perf_counter_ns() - started) // 1000
        for facts, decision in answered:
            denied = Decision(False, (), (), decision.version)
            self._records.append({**self._record(facts, denied, duration), "refused": "nothing has this id"})

    def require(self, action: str, thing: Uid, state: Entity | None = None) -> Decision:
        """The decision that allows it, else `Forbidden` with what the policies say to people who are refused."""
        decision = self.decide(action, thing, state)
        if not decision.allowed:
            raise Forbidden(_refuse(action, decision))
        return decision

    def learn(self, assets: Sequence[Asset]) -> None:
        """Take these, which were just read, as what is stored: their facts need no second look."""
        new = [asset for asset in assets if asset.uid not in self._edges]
        drawn = fetch_edges(self.inventory, [asset.uid for asset in new if asset.kind == "entity"])
        self._edges.update({asset.uid: drawn.get(asset.uid, self._no_edges) for asset in new})
        self._stored.know([self.state(asset) for asset in assets])

    def forget(self) -> None:
        """Look again at everything: something was changed."""
        self.changes += 1
        self._edges.clear()
        self._stored.forget()

    def state(self, asset: Asset) -> Entity:
        """The facts of a thing that was learnt, if it were this."""
        return to_entity(asset, self._edges[asset.uid])

    def new_state(self, asset: Asset) -> Entity:
        """The facts of a thing that is not there yet, and so has no relationships, if it were this."""
        return to_entity(asset, self._no_edges)

    def gatherer(self, states: Mapping[Uid, Entity] = _NO_STATES) -> Gatherer:
        """What gathers facts now: as they are stored at this moment, but for `states`."""
        return Gatherer(self.bundle, _put_before(states, self._stored.fetch), now, self._caller)

    def answer(self, gatherer: Gatherer, action: str, things: Sequence[Uid]) -> list[tuple[Facts, Decision]]:
        """Facts and decision of each thing, which are not recorded."""
        if not things:
            return []
        contested = self._stored.contested()
        gathered = [
            gatherer.gather(ask(Request(self.subject, Act(action), Thing(request_type(thing.type), thing.id))))
            for thing in things
        ]
        decisions = decide_all(self.bundle, gathered)
        return [
            (facts, deny_contested(self.bundle, contested, facts, decision))
            for facts, decision in zip(gathered, decisions, strict=True)
        ]

    def find_doubt(self) -> Opaque | None:
        """Why nothing can be said of all rows at once."""
        return find_doubt(self._stored, self.inventory)

    def keep(self, body: Mapping[str, Any]) -> None:
        """Record this too."""
        self._records.append(body)

    def record(self) -> None:
        """Write all that was decided since; `NotRecorded` where that can't be done."""
        records, self._records = self._records, []
        if records and self.hidden_by:
            records[-1] = {**records[-1], "hidden_by": list(self.hidden_by)}
        self._log.write(records)

    @property
    def _no_edges(self) -> Edges:
        return Edges(attributes=dict.fromkeys(self.inventory.layout.drawn, frozenset()))

    @property
    def principal(self) -> Uid:
        """The entity that the subject is to policies."""
        return Uid(cedar_type(self.subject.type), self.subject.id)

    @property
    def _caller(self) -> Mapping[str, Value]:
        return describe(self.asker.caller, self.asker.address)

    def _record(self, facts: Facts, decision: Decision, duration: int) -> Mapping[str, Any]:
        question = facts.question
        self.recorded += len(facts.recorded_json)
        return record(
            at=time(),
            request_id=self.asker.request_id,
            caller=self.asker.caller,
            request=Request(
                self.subject, Act(question.action_name), Thing(question.resource_type, question.resource.id)
            ),
            decision=decision,
            duration_us=duration,
            facts=facts.recorded_json,
            context_used=dumps(facts.context),
        )


@contextmanager
def judging(service: Service, asker: Asker, *, write: bool = False) -> Iterator[Judge]:
    """A judge inside a session of the caller's tenant, which commits at the end if `write`.

    What it decided is recorded before that, and where the block raises: without a record there is neither a change
    nor an answer (`NotRecorded`).
    """
    # before the session, so that no request holds one connection and waits for another
    key = service.store.keys.active(asker.caller.tenant)
    with service.store.session(asker.caller.tenant, write=write) as session:
        judge = Judge(service, asker, session, key)
        try:
            yield judge
        finally:
            judge.record()


def _put_before(states: Mapping[Uid, Entity], fetch: Fetch) -> Fetch:
    if not states:
        return fetch

    def find(uids: Collection[Uid]) -> Mapping[Uid, Entity]:
        rest = [uid for uid in uids if uid not in states]
        found = fetch(rest) if rest else {}
        return {**found, **{uid: states[uid] for uid in uids if uid in states}}

    return find


def _refuse(action: str, decision: Decision) -> str:
    messages = [policy.message for policy in decision.reasons if policy.message]
    verb = action.rpartition("::")[2]
    return "; ".join([f"you may not {verb} this", *messages])
