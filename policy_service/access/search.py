"""Search (AuthZEN 1.0 §8): which subjects, resources or actions a decision would allow.

What is found is exactly what evaluating one by one would allow, among: the entities of `entities.json` and of the
store, the members in `groups.csv`, and the actions that a schema declares or a policy's scope names. Those of the
store are found by a filter, and only what the filter can't say of them is decided one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from time import perf_counter_ns, time
from typing import Any, NamedTuple

from policy_service.access.authorize import Service, describe
from policy_service.access.candidates import Search
from policy_service.access.cursors import Cursor, read_cursor, write_cursor
from policy_service.access.doubts import find_doubt
from policy_service.access.facts import StoredFacts, now
from policy_service.access.ownership import deny_contested
from policy_service.access.plan import FEW
from policy_service.access.weights import MOST, weigh
from policy_service.assets.asset import Kind
from policy_service.assets.find import find
from policy_service.assets.inventory import Inventory
from policy_service.assets.sql.pages import Place
from policy_service.audit.list_records import record_list
from policy_service.model import Act, Caller, Entity, Thing, Uid, Value
from policy_service.policy.bundle import Bundle
from policy_service.policy.decide import decide_all
from policy_service.policy.facts import Facts, write_entities
from policy_service.policy.gathering import Gatherer
from policy_service.policy.names import cedar_type
from policy_service.policy.residual.asked import Asked, Unknown
from policy_service.policy.residual.filter import NONE, Filter, Test, all_of, constant
from policy_service.policy.residual.plan import residual
from policy_service.policy.residual.symbols import TYPE
from policy_service.policy.residual.words import explain
from policy_service.policy.scope import NOTHING, Needs
from policy_service.policy.universe import find_actions, find_ids, has_id
from policy_service.policy.values import dumps

# candidates that are decided one by one for a page, fewer where many policies concern them, or where all that is looked
# at for them weighs more than `MOST`; a page can be short of its limit where they are not enough
EXAMINED = 2_000
_AT_ONCE = 100
# all that is known of entities
_WHOLE = Needs(hierarchy=True)
# the stages of a search, by the letter with which a place in one begins: files and groups, then what is stored
_FILED = "f"
_KINDS: tuple[Kind, ...] = ("entity", "relationship")
_STAGES: Mapping[str, Kind] = {kind[0]: kind for kind in _KINDS}


class Found(NamedTuple):
    """A page of results, the token of the next one (empty after the last), and the version of the files."""

    results: Sequence[Thing | Act]
    token: str
    version: str


def search(service: Service, caller: Caller, asked: Search) -> Found:
    """A page of what is found: those of files in the order of their ids, then those of the store; recorded as one line.

    `RequestError` for a token of another caller or search, or a request that can't be asked; else what
    `authorize.authorize` raises.
    """
    started = perf_counter_ns()
    bundle = service.bundles.current(caller.tenant)
    keys, question = service.store.keys, asked.bound
    begin = Cursor("", bundle.version_text)
    if asked.token:
        begin = read_cursor(keys, caller, question, asked.token, "page.token")
    with StoredFacts(service.store, service.owners, bundle) as stored:
        trial = _Trial(bundle, stored, describe(caller, asked.address), asked)
        shown, last = _collect(trial, begin.after, asked.limit)
    service.log.write([trial.record(caller, shown, (perf_counter_ns() - started) // 1000)])
    token = write_cursor(keys, caller, question, Cursor(last, begin.version)) if last else ""
    return Found([asked.name(name) for name in shown], token, bundle.version_text)


def _collect(trial: _Trial, after: str, limit: int) -> tuple[list[str], str]:
    """What is allowed, and the place after which the next page begins; empty where this is the last."""
    shown: list[str] = []
    last = after
    for chunk in trial.candidates(after, limit + 1):
        doubtful = trial.afford(chunk)
        allowed = set(trial.allows(doubtful))
        tried = set(doubtful)
        for position, one in enumerate(chunk):
            if not one.certain and one.name not in tried:
                return shown, last
            if one.certain or one.name in allowed:
                if len(shown) == limit:
                    trial.leave([each.name for each in chunk[position:]])
                    return shown, last
                shown.append(one.name)
            last = one.place
    return shown, ""


class _Candidate(NamedTuple):
    """One that may be found; `certain` where no decision is needed. `place` says where it stands among all.

    `weight` is of what is stored of it, where that was read.
    """

    name: str
    place: str
    certain: bool = False
    weight: int = 0


class _Trial:
    """Finds candidates, decides about them by one set of facts, and keeps what is recorded of them."""

    def __init__(self, bundle: Bundle, stored: StoredFacts, caller: Mapping[str, Value], asked: Search) -> None:
        self._bundle = bundle
        self._stored = stored
        self._gatherer = Gatherer(bundle, stored.fetch, now, caller)
        self._contested = stored.contested()
        self._asked = asked
        self._examined: list[str] = []
        # the decisions so far, where many policies concern one as so many of few
        self._work = 0
        # of the entities that were looked at so far: all are kept until they are recorded
        self._weight = 0
        self._entities: dict[Uid, Entity | None] = {}
        self._needs = NOTHING
        self._context: dict[str, object] = {}
        self._filter: Filter | None = None

    def candidates(self, after: str, size: int) -> Iterator[list[_Candidate]]:
        """Those after a place: of files and groups, then of the store, which are those that a filter lets through."""
        stage, at = after[:1], after[1:]
        if stage in ("", _FILED):
            names = self._list_filed(at if stage else None)
            while chunk := list(islice(names, _AT_ONCE)):
                yield [_Candidate(name, _FILED + name) for name in chunk]
        inventory = None if self._asked.role == "action" else self._stored.inventory()
        if inventory is None:
            return
        self._filter = self._make_filter(inventory)
        for kind in _KINDS if stage in ("", _FILED) else _KINDS[_KINDS.index(_STAGES[stage]) :]:
            place = Place(None, at) if _STAGES.get(stage) == kind else None
            yield from self._read(inventory, kind, place, min(size, _AT_ONCE))

    def _list_filed(self, after: str | None) -> Iterator[str]:
        if self._asked.role == "action":
            return (name for name in find_actions(self._bundle) if after is None or name > after)
        return find_ids(self._bundle, cedar_type(self._asked.thing.type), after)

    def _read(self, inventory: Inventory, kind: Kind, place: Place | None, size: int) -> Iterator[list[_Candidate]]:
        assert self._filter is not None  # noqa: S101
        while found := find(inventory, kind, self._filter, after=place, limit=size):
            # those that files name have been looked at with them
            new = [row for row in found if not has_id(self._bundle, row.asset.uid)]
            chunk = [_Candidate(row.asset.id, kind[0] + row.asset.id, row.certain, weigh(row.asset)) for row in new]
            place, is_last = found[-1].place, len(found) < size
            # not kept beside the next ones
            del found, new
            yield chunk
            if is_last:
                return

    def _make_filter(self, inventory: Inventory) -> Filter:
        """The stored entities that the question allows."""
        try:
            is_of_type = Test("eq", TYPE, constant(self._asked.thing.type))
        except ValueError:  # nothing that is stored can have this type
            return NONE
        doubt = find_doubt(self._stored, inventory)
        if doubt is not None:
            return all_of(is_of_type, doubt)
        return all_of(is_of_type, residual(self._bundle, self.ask_open(inventory.layout.drawn)))

    def ask_open(self, drawn: Collection[str]) -> Asked:
        """The facts of the question about any row."""
        side: Unknown = "principal" if self._asked.role == "subject" else "resource"
        asked = self._gatherer.gather_open(self._asked.ask_any(), side, drawn)
        self._keep(asked)
        return asked

    def afford(self, chunk: Sequence[_Candidate]) -> list[str]:
        """Those of the candidates that are to be decided for this page, from the first: of a page one at least."""
        names: list[str] = []
        weight = self._weight
        for one in chunk:
            if one.certain:
                continue
            if (self._work + len(names) >= EXAMINED or weight >= MOST) and (names or self._examined):
                break
            names.append(one.name)
            weight += one.weight
        return names

    def allows(self, names: Sequence[str]) -> list[str]:
        """Those of the candidates that would be allowed."""
        if not names:
            return []
        questions = {name: one for name in names if (one := self._asked.ask(name)) is not None}
        self._gatherer.load(dict.fromkeys(uid for one in questions.values() for uid in (one.principal, one.resource)))
        gathered = [self._gatherer.gather(one) for one in questions.values()]
        for facts in gathered:
            self._keep(facts)
            concerned = self._bundle.index.find(facts.principal, facts.action, facts.resource).policies
            self._work += max(1, len(concerned) // FEW)
        self._examined += names
        decisions = decide_all(self._bundle, gathered)
        return [
            name
            for name, facts, decision in zip(questions, gathered, decisions, strict=True)
            if deny_contested(self._bundle, self._contested, facts, decision).allowed
        ]

    def leave(self, names: Sequence[str]) -> None:
        """Record nothing of these, which another page is about."""
        self._examined = [name for name in self._examined if name not in names]

    def _keep(self, facts: Facts | Asked) -> None:
        new = {uid: entity for uid, entity in facts.entities.items() if uid not in self._entities}
        self._weight += len(write_entities(new, _WHOLE))
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
            filter_=None if self._filter is None else explain(self._filter),
        )
