"""The enforcement point: who asks, facts, decide, record, answer.

A deny is an answer, never an exception. What can't be recorded is not answered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns, time
from typing import Any

from policy_service.access.facts import StoredFacts, now
from policy_service.access.ownership import Owners, deny_contested
from policy_service.audit.decision_log import DecisionLog
from policy_service.audit.records import record
from policy_service.audit.sealer import Sealer
from policy_service.bundles.current import Bundles
from policy_service.config import Settings
from policy_service.errors import RequestError
from policy_service.identity.keys import KeyRing
from policy_service.model import Act, Caller, Decision, Extension, Request, Thing, Value
from policy_service.policy.bundle import Bundle
from policy_service.policy.decide import decide, decide_all
from policy_service.policy.facts import Facts
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import Question, ask
from policy_service.policy.values import dumps
from policy_service.store.door import Store


@dataclass(frozen=True, slots=True)
class Service:
    """What a process needs to answer, wired once."""

    settings: Settings
    bundles: Bundles
    keys: KeyRing
    log: DecisionLog
    store: Store
    sealer: Sealer
    owners: Owners = field(default_factory=Owners)


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions that are asked together, in order; an item that could not be read is its error.

    `until` is the answer that ends the batch: `False` at the first deny, `True` at the first permit, `None` never
    (AuthZEN 1.0 §7.1.2.1). An item that failed counts as a deny.
    """

    items: Sequence[Request | RequestError]
    request_id: str
    address: str = ""
    until: bool | None = None


def authorize(service: Service, caller: Caller, batch: Batch) -> tuple[str, list[Decision | RequestError]]:
    """The version that answered, and the decisions of a batch, recorded: as many as its `until` lets through.

    Raises `NoBundle` or `UnknownTenant` where nothing can decide, `StoreFailed` where the facts can't be known, and
    `NotRecorded` where the log can't be written.
    """
    started = perf_counter_ns()
    bundle = service.bundles.current(caller.tenant)
    with StoredFacts(service.store, service.owners, bundle) as stored:
        contested = stored.contested()
        gatherer = Gatherer(bundle, stored.fetch, now, describe(caller, batch.address))
        if batch.until is None:
            answered = _answer_all(bundle, gatherer, batch.items, contested)
        else:
            answered = _answer_until(bundle, gatherer, batch.items, contested, batch.until)
    duration = (perf_counter_ns() - started) // 1000
    service.log.write(_records(caller, batch, bundle.version_text, answered, duration))
    return bundle.version_text, [answer for answer, _ in answered]


Answered = tuple[Decision | RequestError, Facts | None]


def describe(caller: Caller, address: str) -> dict[str, Value]:
    """What `context.caller` says of whoever sent a request."""
    return {"key": caller.key_id, **({"ip": Extension("ip", address)} if address else {})}


def _answer_all(
    bundle: Bundle, gatherer: Gatherer, items: Sequence[Request | RequestError], contested: Collection[str]
) -> list[Answered]:
    questions = [_ask(item) for item in items]
    gatherer.load(
        dict.fromkeys(
            uid
            for question in questions
            if not isinstance(question, RequestError)
            for uid in (question.principal, question.resource)
        )
    )
    gathered = [question if isinstance(question, RequestError) else gatherer.gather(question) for question in questions]
    decisions = iter(decide_all(bundle, [facts for facts in gathered if isinstance(facts, Facts)]))
    return [
        (facts, None)
        if isinstance(facts, RequestError)
        else (deny_contested(bundle, contested, facts, next(decisions)), facts)
        for facts in gathered
    ]


def _answer_until(
    bundle: Bundle,
    gatherer: Gatherer,
    items: Sequence[Request | RequestError],
    contested: Collection[str],
    until: bool,
) -> list[Answered]:
    answered: list[Answered] = []
    for item in items:
        question = _ask(item)
        if isinstance(question, RequestError):
            answered.append((question, None))
        else:
            facts = gatherer.gather(question)
            answered.append((deny_contested(bundle, contested, facts, decide(bundle, facts)), facts))
        last = answered[-1][0]
        if (isinstance(last, Decision) and last.allowed) is until:
            break
    return answered


def _ask(item: Request | RequestError) -> Question | RequestError:
    if isinstance(item, RequestError):
        return item
    try:
        return ask(item)
    except RequestError as error:
        return error


_UNREAD = Request(Thing("", ""), Act(""), Thing("", ""))


def _records(
    caller: Caller, batch: Batch, version: str, answered: Sequence[Answered], duration: int
) -> list[Mapping[str, Any]]:
    at = time()
    records: list[Mapping[str, Any]] = []
    for item, (answer, facts) in zip(batch.items, answered, strict=False):
        refused = isinstance(answer, RequestError)
        body = record(
            at=at,
            request_id=batch.request_id,
            caller=caller,
            request=item if isinstance(item, Request) else _UNREAD,
            decision=Decision(False, (), (), version) if isinstance(answer, RequestError) else answer,
            duration_us=duration,
            facts=facts.recorded_json if facts else None,
            context_used=dumps(facts.context) if facts else None,
        )
        records.append({**body, "refused": str(answer)} if refused else body)
    return records
