"""Running a bundle's cases: does every request get the answer its author expects?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from policy_service.errors import RequestError
from policy_service.model import Decision, Entity, Extension, Finding, Uid, Value, Version
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.cases import Case
from policy_service.policy.decide import decide
from policy_service.policy.gathering import Gatherer
from policy_service.policy.groups import Groups
from policy_service.policy.hiding import hiding, is_hidden, patterns_of
from policy_service.policy.layer import Layer
from policy_service.policy.request import ask
from policy_service.policy.sentences import write_line
from policy_service.policy.values import read_record


@dataclass(frozen=True, slots=True)
class CaseReport:
    """What became of a bundle's cases: a finding for each that failed, how many ran, which did not."""

    findings: tuple[Finding, ...]
    ran: int
    not_run: tuple[str, ...]


def run(bundle: Bundle, late: Callable[[], bool] = lambda: False) -> CaseReport:
    """Run the cases of a tenant, until `late()`; those left are named in `not_run`.

    The platform's cases speak of the platform alone (`platform_bundle`): a tenant may well forbid more, and
    permit what no platform policy speaks of.
    """
    cases = bundle.layer.cases
    findings: list[Finding] = []
    groups = _Groups(bundle.groups)
    for position, case in enumerate(cases):
        if late():
            return CaseReport(tuple(findings), position, tuple(case.name for case in cases[position:]))
        sentence = judge(bundle, case, groups.of(case))
        if sentence:
            findings.append(Finding(case.file, case.line, write_line(sentence)))
    return CaseReport(tuple(findings), len(cases), ())


def platform_bundle(platform: Layer) -> tuple[Bundle | None, list[Finding]]:
    """The platform's files as a bundle of their own, with the platform's cases to run, or why there is none."""
    nobody = Layer(root=platform.root, tenant="platform", cases=platform.cases)
    return join(replace(platform, cases=()), nobody, Version(""))


class _Groups:
    """The bundle's groups with a case file's own; made once for each file."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._made: dict[int, Groups] = {}

    def of(self, case: Case) -> Groups:
        if not case.members:
            return self._groups
        if id(case.members) not in self._made:
            self._made[id(case.members)] = self._groups.add(case.members)
        return self._made[id(case.members)]


def judge(bundle: Bundle, case: Case, groups: Groups) -> str:
    """What is wrong with the answer to a case, in a sentence; empty where nothing is."""
    try:
        decision = answer(bundle, case, groups)
    except RequestError as error:
        return f"{case.name}: can't be asked: {error}"
    given = {policy.id for policy in decision.reasons}
    if case.allowed is not None and decision.allowed is not case.allowed:
        expected, got = ("allow", "deny") if case.allowed else ("deny", "allow")
        return f"{case.name}: expected {expected}, got {got}{_why(decision)}"
    if case.reasons is not None and given != case.reasons:
        return f"{case.name}: expected the reasons {_names(case.reasons)}, got {_names(given)}{_why(decision)}"
    hidden = patterns_of(hiding(decision))
    shown = [name for name in case.hides if not is_hidden(hidden, name)]
    missing = [name for name in case.shows if is_hidden(hidden, name)]
    if shown or missing:
        told = f"expected {_names(shown)} to be hidden" if shown else f"expected {_names(missing)} to be seen"
        return f"{case.name}: {told}, hidden is {_names(hidden)}{_why(decision)}"
    return ""


def answer(bundle: Bundle, case: Case, groups: Groups) -> Decision:
    """The decision of a bundle about one case."""

    def fetch(uids: Collection[Uid]) -> Mapping[Uid, Entity]:
        found = {}
        for uid in uids:
            entity = case.entities.get(uid) or bundle.entities.get(uid)
            if entity:
                found[uid] = entity
        return found

    gatherer = Gatherer(
        bundle,
        fetch,
        lambda: Extension("datetime", case.now),
        _caller(case),
        groups,
    )
    return decide(bundle, gatherer.gather(ask(case.request, service=case.service)))


def _caller(case: Case) -> Mapping[str, Value]:
    """What `context.caller` says, in the types the service gives it."""
    try:
        told = read_record(case.caller, where="caller")
    except ValueError as error:
        raise RequestError(str(error)) from None
    return {**told, "ip": Extension("ip", str(told["ip"]))} if "ip" in told else told


def _names(ids: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(ids)) or "none"


def _why(decision: Decision) -> str:
    reasons = [f"`{policy.id}` ({policy.file}:{policy.line})" for policy in decision.reasons]
    errors = [f"`{failure.policy.id}` failed: {failure.why}" for failure in decision.errors]
    told = [*(["by " + ", ".join(reasons)] if reasons else []), *errors]
    return f" ({'; '.join(told)})" if told else ""
