"""What lists of a tenant's assets come to: whether policies can be said of rows, and what a list starts from.

It is told of real questions, one in the name of each subject that files tell apart, asked now and from this machine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from policy_service.access.facts import fetch, now
from policy_service.assets.asset import Kind
from policy_service.assets.sql.leads import SCANS, lead, shape_of
from policy_service.assets.sql.sayable import simplify
from policy_service.authoring.subjects import Subject, find_subjects
from policy_service.model import Act, Entity, Extension, Policy, Request, Thing, Uid, Value
from policy_service.policy.bundle import Bundle
from policy_service.policy.gathering import Gatherer
from policy_service.policy.hiding import READ_PROPERTY
from policy_service.policy.names import request_type
from policy_service.policy.request import ask
from policy_service.policy.residual.asked import ANY
from policy_service.policy.residual.filter import EVERY, NONE, End, Filter, all_of, find_opaque, none_of
from policy_service.policy.residual.plan import make_plan
from policy_service.policy.residual.plans import Plan
from policy_service.policy.residual.words import explain

READ, EXPORT = "PolicyService::read", "PolicyService::export"
# an export is of what may be read as well
ACTIONS = (READ, EXPORT, READ_PROPERTY)
# of a filter so many characters are told
LENGTH = 1_000
_KINDS: tuple[Kind, ...] = ("entity", "relationship")
_CALLER: Mapping[str, Value] = {"key": "check", "ip": Extension("ip", "127.0.0.1")}

Told: TypeAlias = Literal["entity", "relationship", "property"]


class Answer(NamedTuple):
    """What an action comes to for subjects for whom it comes to the same.

    kind    of lists of what it is told; `property` of what is hidden of assets
    lead    what a list starts from, or what is hidden, a part of a sentence
    opaque  what has to be decided row by row, a sentence each: where there is nothing, the filter is exact
    rows    the rows that the first of the subjects sees, or of which something is hidden from him, in words
    """

    action: str
    kind: Told
    subjects: tuple[str, ...]
    lead: str
    opaque: tuple[str, ...]
    rows: str

    @property
    def scans(self) -> bool:
        """Whether no index serves a list."""
        return self.lead.startswith(SCANS)


class _Said(NamedTuple):
    """What an action comes to for one subject, as `Answer` has it; `filter` is of the rows."""

    action: str
    kind: Told
    lead: str
    opaque: tuple[str, ...]
    filter: Filter


def tell_filters(bundle: Bundle) -> tuple[Answer, ...]:
    """What reading, exporting and hiding come to, by action, kind and what is said of it."""
    subjects = find_subjects(bundle)
    stand_ins = {subject.entity.uid: subject.entity for subject in subjects if not subject.is_named}

    def find(uids: Collection[Uid]) -> Mapping[Uid, Entity]:
        return {**fetch(bundle, uids), **{uid: stand_ins[uid] for uid in uids if uid in stand_ins}}

    gatherer = Gatherer(bundle, find, now, _CALLER)
    policies = {policy.id: policy for policy in bundle.policies}
    found: dict[tuple[str, Told, str, tuple[str, ...]], tuple[list[str], Filter]] = {}
    for subject in subjects:
        for said in _tell(bundle, gatherer, policies, subject):
            found.setdefault(said[:4], ([], said.filter))[0].append(subject.name)
    answers = [Answer(*key[:2], tuple(names), *key[2:], _explain(rows)) for key, (names, rows) in found.items()]
    return tuple(sorted(answers, key=lambda answer: (ACTIONS.index(answer.action), answer.kind)))


def _tell(bundle: Bundle, gatherer: Gatherer, policies: Mapping[str, Policy], subject: Subject) -> Iterator[_Said]:
    uid = subject.entity.uid
    asker = Thing(request_type(uid.type), uid.id)

    def plan(action: str) -> Plan:
        return make_plan(bundle, gatherer.gather_open(ask(Request(asker, Act(action), ANY))))

    read = plan(READ)
    for action, seen in ((READ, read.filter), (EXPORT, all_of(read.filter, plan(EXPORT).filter))):
        for kind in _KINDS:
            rows = _with_ends(seen) if kind == "relationship" else seen
            yield _Said(action, kind, lead(bundle, kind, rows), _doubt(bundle, policies, kind, rows), rows)
    # what denies reading a row hides nothing of one that may be read
    forbids = [forbid for forbid in plan(READ_PROPERTY).forbids if forbid not in read.forbids]
    names = dict.fromkeys(f"`{name}`" for policy, _ in forbids for name in policy.hides)
    spared = all_of(*(rows for _, rows in forbids))
    hidden = f"it hides {', '.join(names) or 'nothing'}"
    yield _Said(READ_PROPERTY, "property", hidden, _doubt(bundle, policies, "entity", spared), none_of(spared))


def _with_ends(seen: Filter) -> Filter:
    """The relationships that may be seen: they show the ids of both ends."""
    return seen if seen in (EVERY, NONE) else all_of(seen, End("from", seen), End("to", seen))


def _doubt(bundle: Bundle, policies: Mapping[str, Policy], kind: Kind, rows: Filter) -> tuple[str, ...]:
    """What of a filter can't be said of rows, a sentence each."""
    found = []
    for opaque in find_opaque(simplify(rows, shape_of(bundle, kind))):
        policy = policies.get(opaque.policy)
        told = f"`{policy.id}` ({policy.file}:{policy.line}): {opaque.why}" if policy else opaque.why
        found.append(f"{told}: `{opaque.source}`" if opaque.source else told)
    return tuple(dict.fromkeys(found))


def _explain(rows: Filter) -> str:
    text = explain(rows)
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"
