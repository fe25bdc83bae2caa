"""Search (AuthZEN 1.0 §8): which subjects, resources or actions a decision would allow.

What is found is exactly what evaluating one by one would allow, among: the entities of `entities.json`, the members
in `groups.csv`, and the actions that a schema declares or a policy's scope names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from time import perf_counter_ns, time
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson

from policy_service.access.authorize import Service, describe
from policy_service.access.cursors import Cursor, read_cursor, write_cursor
from policy_service.access.facts import StoredFacts, now
from policy_service.access.ownership import deny_contested
from policy_service.audit.list_records import record_list
from policy_service.model import Act, Caller, Entity, Request, Thing, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.decide import decide_all
from policy_service.policy.facts import Facts, write_entities
from policy_service.policy.gathering import Gatherer
from policy_service.policy.names import cedar_type
from policy_service.policy.request import ask
from policy_service.policy.scope import NOTHING
from policy_service.policy.universe import find_actions, find_ids
from policy_service.policy.values import dumps

Role: TypeAlias = Literal["subject", "resource", "action"]

# candidates that are decided one by one for a page; a page can be short of its limit where they are not enough
EXAMINED = 2_000
_AT_ONCE = 100


class Search(NamedTuple):
    """What is searched for: `request` has an empty id, or an empty name, in its place. `token` goes on after a page."""

    role: Role
    request: Request
    limit: int
    request_id: str
    address: str = ""
    token: str = ""


class Found(NamedTuple):
    """A page of results, the token of the next one (empty after the last), and the version of the files."""

    results: Sequence[Thing | Act]
    token: str
    version: str


def search(service: Service, caller: Caller, asked: Search) -> Found:
    """A page of what is found, in the order of ids or names, recorded as one line.

    `RequestError` for a token of another caller or search, or a request that can't be asked; else what
    `authorize.authorize` raises.
    """
    started = perf_counter_ns()
    bundle = service.bundles.current(caller.tenant)
    keys, question = service.store.keys, _bind(asked)
    begin = read_cursor(keys, caller, question, asked.token) if asked.token else Cursor("", bundle.version_text)
    with StoredFacts(service.store, service.owners, bundle) as stored:
        gatherer = Gatherer(bundle, stored.fetch, now, describe(caller, asked.address))
        trial = _Trial(bundle, gatherer, stored.contested(), asked)
        shown, last = _collect(trial, _list_candidates(bundle, asked, begin.after), asked.limit)
    service.log.write([trial.record(caller, shown, (perf_counter_ns() - started) // 1000)])
    token = write_cursor(keys, caller, question, Cursor(last, begin.version)) if last else ""
    return Found([_name(asked, name) for name in shown], token, bundle.version_text)


def _bind(asked: Search) -> str:
    """What has to be the same on the next page; how many results it has may differ."""
    return f"search {asked.role} {orjson.dumps(asked.request, default=str, option=orjson.OPT_SORT_KEYS).decode()}"


def _list_candidates(bundle: Bundle, asked: Search, after: str) -> Iterator[str]:
    if asked.role == "action":
        return (name for name in find_actions(bundle) if name > after)
    thing: Thing = getattr(asked.request, asked.role)
    return find_ids(bundle, cedar_type(thing.type), after or None)


def _collect(trial: _Trial, candidates: Iterator[str], limit: int) -> tuple[list[str], str]:
    """What is allowed, and after which candidate the next page begins; empty where this is the last."""
    shown: list[str] = []
    left = EXAMINED
    while chunk := list(islice(candidates, min(_AT_ONCE, left))):
        for name, allowed in zip(chunk, trial.allows(chunk), strict=True):
            if allowed and len(shown) == limit:
                return shown, shown[-1]
            if allowed:
                shown.append(name)
        left -= len(chunk)
        if not left:
            return shown, chunk[-1]
    return shown, ""


class _Trial:
    """Decides about candidates by one set of facts, and keeps what is recorded of them."""

    def __init__(self, bundle: Bundle, gatherer: Gatherer, contested: frozenset[str], asked: Search) -> None:
        self._bundle = bundle
        self._gatherer = gatherer
        self._contested = contested
        self._asked = asked
        self._examined: list[str] = []
        self._entities: dict[Uid, Entity | None] = {}
        self._needs = NOTHING
        self._context: dict[str, object] = {}

    def allows(self, names: Sequence[str]) -> list[bool]:
        """Whether each of the candidates would be allowed."""
        questions = [ask(_fill(self._asked, name)) for name in names]
        self._gatherer.load(dict.fromkeys(uid for one in questions for uid in (one.principal, one.resource)))
        gathered = [self._gatherer.gather(one) for one in questions]
        for facts in gathered:
            self._keep(facts)
        self._examined += names
        return [
            deny_contested(self._bundle, self._contested, facts, decision).allowed
            for facts, decision in zip(gathered, decide_all(self._bundle, gathered), strict=True)
        ]

    def _keep(self, facts: Facts) -> None:
        self._entities.update(facts.entities)
        self._needs = self._needs.join(facts.needs)
        self._context.update(facts.context)

    def record(self, caller: Caller, shown: Sequence[str], duration_us: int) -> Mapping[str, Any]:
        """One line for the whole page."""
        return record_list(
            at=time(),
            request_id=self._asked.request_id,
            caller=caller,
            request=self._asked.request,
            version=self._bundle.version_text,
            duration_us=duration_us,
            facts=write_entities(self._entities, self._needs._replace(hierarchy=True)),
            context_used=dumps(self._context),
            examined=self._examined,
            shown=shown,
        )


def _fill(asked: Search, name: str) -> Request:
    """The question about one candidate."""
    subject, action, resource, context = asked.request
    match asked.role:
        case "subject":
            return Request(subject._replace(id=name), action, resource, context)
        case "action":
            return Request(subject, action._replace(name=name), resource, context)
        case "resource":
            return Request(subject, action, resource._replace(id=name), context)


def _name(asked: Search, name: str) -> Thing | Act:
    return Act(name) if asked.role == "action" else Thing(getattr(asked.request, asked.role).type, name)
