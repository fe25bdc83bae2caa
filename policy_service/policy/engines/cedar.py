"""Cedar by cedarpy, and the one file that calls it: parsing, compiling and evaluating policies.

Nothing is parsed in a caller's thread: deep text overflows a small stack and kills the process, so that
after the guard (`cedar_text`) one thread with a large stack parses everything. cedarpy's own decision is
not used; what counts is which policies it names as satisfied and which as failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import cedarpy

from policy_service.model import Effect, Engine, Extension, Failure, Finding, Outcome, Policy, Value
from policy_service.policy.engines.cedar_text import NotCedar, Piece, find_line, find_scope_end, read_policies, shorten
from policy_service.policy.engines.cedar_tree import TreeReader, has_exact_keys
from policy_service.policy.engines.large_stack import on_large_stack
from policy_service.policy.hazards import read_hazards
from policy_service.policy.hiding import HidesError, read_hides
from policy_service.policy.needs import read_needs
from policy_service.policy.scope import Needs, Scope
from policy_service.policy.tree import Rule
from policy_service.policy.values import dumps

if TYPE_CHECKING:
    from policy_service.policy.facts import Facts
    from policy_service.policy.request import Question

# how many policies are parsed before other work of the parsing thread gets its turn
TURN = 50
# broken policies of one file whose exact line is searched; the others are told by their first line
SEARCHED = 50

_ANYONE = {
    name: {"type": kind, "id": ""} for name, kind in (("principal", "Any"), ("action", "Action"), ("resource", "Any"))
}
# `@fails("closed")`: the author of a forbid knows that it can fail to evaluate, and wants it to deny then
FAILS, CLOSED = "fails", "closed"

_FAILED = re.compile(r"error while evaluating policy `(policy\d+)`: (.*)", re.DOTALL)
_ENTITIES = "failed to parse entities from:\n"
_TOO_DEEP = "expression nesting exceeds"
DEEP_SENTENCE = (
    "the policy nests expressions deeper than 100 levels, split it, or write `[…].contains(…)` for many `||`"
)


@dataclass(frozen=True, slots=True)
class CedarPolicy:
    """One parsed policy; `text` is its own text, from the first annotation to the `;`.

    `scope_end` is where its conditions begin; 0 where `scope` is wider than the policy's own.
    """

    policy: Policy
    rule: Rule
    needs: Needs
    text: str
    scope_end: int

    @property
    def scope(self) -> Scope:
        """Whom it can match."""
        return self.rule.scope


class _Shared:
    """What policies of one file have in common, made once."""

    def __init__(self) -> None:
        self.reader = TreeReader()
        self.needs: dict[Needs, Needs] = {}


@dataclass(frozen=True, slots=True)
class CedarSet:
    """Policies ready to be evaluated together. cedarpy names them by their position: `policy0`, `policy1`, …"""

    handle: cedarpy.PolicySet
    policies: tuple[Policy, ...]
    named: Mapping[str, Policy]


def parse(path: str, text: str) -> tuple[tuple[CedarPolicy, ...], list[Finding]]:
    """The policies of one file, in its order, and what is wrong with it. Never raises for a bad text."""
    pieces, findings = read_policies(path, text)
    policies: list[CedarPolicy] = []
    shared = _Shared()
    for start in range(0, len(pieces), TURN):
        turn = list(enumerate(pieces[start : start + TURN], start + 1))
        # a file with many broken policies is told about all of them, but searched for the exact line only so often
        exact = len(findings) < SEARCHED
        for result in on_large_stack(partial(_parse_turn, path, turn, exact, shared)):
            if isinstance(result, Finding):
                findings.append(result)
            else:
                policies.append(result)
    return tuple(policies), findings + _repeated(policies)


def _repeated(policies: Iterable[CedarPolicy]) -> list[Finding]:
    first: dict[str, Policy] = {}
    findings = []
    for compiled in policies:
        policy = compiled.policy
        taken = first.setdefault(policy.id, policy)
        if taken is not policy:
            sentence = f"the policy id `{policy.id}` is taken by line {taken.line}, give it another `@id`"
            findings.append(Finding(policy.file, policy.line, sentence))
    return findings


def _parse_turn(
    path: str, turn: Sequence[tuple[int, Piece]], exact: bool, shared: _Shared
) -> list[CedarPolicy | Finding]:
    return [_parse_piece(path, number, piece, exact, shared) for number, piece in turn]


def _parse_piece(path: str, number: int, piece: Piece, exact: bool, shared: _Shared) -> CedarPolicy | Finding:
    try:
        tree = cedarpy.policies_to_pst(piece.text)
        if tree.templates:
            raise NotCedar("a template is never linked here, name an entity instead of `?principal` or `?resource`", 1)
        (node,) = tree.static_policies.values()
        identifier = node.annotations.get("id", f"{path.rpartition('/')[2]}#{number}")
        if node.annotations.get(FAILS, CLOSED) != CLOSED:
            raise NotCedar(f'a forbid that fails denies, so that `@{FAILS}("{CLOSED}")` is all there is to say', 1)
        if not identifier:
            raise NotCedar("the `@id` is empty, give it a text or leave it out", 1)
        if not identifier.isprintable():
            raise NotCedar("the `@id` holds a character that can't be printed", 1)
        message = node.annotations.get("message") or node.annotations.get("description") or ""
        effect = Effect(node.effect)
        hides = read_hides(node.annotations, effect)
        policy = Policy(identifier, effect, path, piece.line, Engine.CEDAR, message, hides)
        rule = shared.reader.read_rule(node)
        needs = read_needs(rule)
        scope_end = find_scope_end(piece.text) if has_exact_keys(node) else 0
        return CedarPolicy(policy, rule, shared.needs.setdefault(needs, needs), piece.text, scope_end)
    except (NotCedar, HidesError) as error:
        return Finding(path, piece.line, str(error))
    # a panic of cedarpy is no `Exception`; nothing that a file says may get past here
    except BaseException as error:
        message = str(error)
        if _TOO_DEEP in message:
            return Finding(path, piece.line, DEEP_SENTENCE)
        line = piece.line + (find_line(piece.text, message, cedarpy.policies_to_pst) - 1 if exact else 0)
        return Finding(path, line, f"invalid Cedar: {shorten(message)}")


def may_fail(policy: CedarPolicy) -> tuple[str, ...]:
    """Why a policy can fail to evaluate, a sentence each; a forbid that fails denies.

    A hint: an attribute that no `has` guards, a value whose type nobody checked, an extension literal that
    does not parse, an overflow. Nothing where its author has said `@fails("closed")`: that is what is wanted.
    """
    return () if FAILS in policy.rule.annotations else read_hazards(policy.rule, is_literal)


@lru_cache(maxsize=8)
def _literals(function: str) -> cedarpy.PolicySet:
    condition = f"{function}(context.text) == {function}(context.text)"
    text = f"permit(principal, action, resource) when {{ {condition} }};"
    return on_large_stack(partial(cedarpy.PolicySet.from_str, text))


def is_literal(function: str, text: str) -> bool:
    """Whether an extension function accepts this text."""
    return bool(cedarpy.is_authorized({**_ANYONE, "context": {"text": text}}, _literals(function), "[]").allowed)


def find_refused(values: Sequence[Extension]) -> Iterator[Extension]:
    """Those of the values that their extension function does not accept; many are tried at once."""
    if not values or _reads(values):
        return
    if len(values) == 1:
        yield values[0]
        return
    middle = len(values) // 2
    yield from find_refused(values[:middle])
    yield from find_refused(values[middle:])


def _reads(values: Sequence[Extension]) -> bool:
    holder = {"uid": {"type": "Any", "id": "holder"}, "attrs": {"values": list(values)}, "parents": []}
    result = cedarpy.is_authorized({**_ANYONE, "context": {}}, _literals("ip"), dumps([holder]).decode())
    return result.decision is not cedarpy.Decision.NoDecision


def validate_text(text: str, schema: cedarpy.Schema) -> list[tuple[int, str]]:
    """What Cedar's validator says of policies: position and sentence. For the parsing thread."""
    result = cedarpy.validate_policies(text, schema, release_gil=True)
    return [(int(error.policy_id.removeprefix("policy") or 0), error.error) for error in result.errors]


def read_schema(text: str) -> cedarpy.Schema:
    """A schema's text as Cedar understands it; `ValueError` where it does not. For the parsing thread."""
    return cedarpy.Schema.from_str(text)


def compile_set(policies: Sequence[CedarPolicy], *, scoped: bool = True) -> CedarSet:
    """The policies as one set; their order is the order of what `evaluate` reports.

    Without `scoped` they are those whose scope matches, as the index found by the same keys, and Cedar is
    asked about their conditions alone: half of what a small decision costs is telling it the ancestors.
    """
    text = "\n".join(policy.text if scoped else _widen(policy) for policy in policies)
    handle = on_large_stack(partial(cedarpy.PolicySet.from_str, text))
    told = tuple(policy.policy for policy in policies)
    named = {f"policy{position}": policy for position, policy in enumerate(told)}
    return CedarSet(handle, told, named)


def _widen(policy: CedarPolicy) -> str:
    if not policy.scope_end:
        return policy.text
    return f"{policy.policy.effect}(principal, action, resource){policy.text[policy.scope_end :]}"


def evaluate(cedar_set: CedarSet, facts: Facts) -> Outcome:
    """Which policies are satisfied and which failed.

    cedarpy names only what determined its own decision: the satisfied forbids where there is one, else the
    satisfied permits. So a permit that a forbid overrides is not in `satisfied`; that a policy failed is
    always told. Where Cedar gives no answer at all, nothing is satisfied and every policy failed.
    """
    try:
        entities = facts.cedar_json
    except Exception as error:  # as in `evaluate_batch`
        return _fail_all(cedar_set, str(error))
    return evaluate_batch(cedar_set, entities, ((facts.question, facts.context),))[0]


def evaluate_batch(
    cedar_set: CedarSet, entities: str, questions: Sequence[tuple[Question, Mapping[str, Value]]]
) -> list[Outcome]:
    """`evaluate` for questions, each with its context, that share one text of entities (`facts.write_entities`)."""
    try:
        requests = [_request(question, context) for question, context in questions]
        results = cedarpy.is_authorized_batch(requests, cedar_set.handle, entities)
    except Exception as error:  # what can't even be handed over, such as half of a surrogate pair
        return [_fail_all(cedar_set, str(error))] * len(questions)
    return [_read(cedar_set, result, entities) for result in results]


def _request(question: Question, context: Mapping[str, Value]) -> dict[str, Any]:
    principal, action, resource = question.principal, question.action, question.resource
    return {
        "principal": {"type": principal.type, "id": principal.id},
        "action": {"type": action.type, "id": action.id},
        "resource": {"type": resource.type, "id": resource.id},
        "context": dumps(context).decode() if context else "{}",
    }


def _read(cedar_set: CedarSet, result: cedarpy.AuthzResult, entities: str) -> Outcome:
    diagnostics = result.diagnostics
    errors, named = diagnostics.errors, cedar_set.named
    # cedarpy gives them in no order, and equal requests get equal answers
    satisfied = tuple([named[reason] for reason in sorted(diagnostics.reasons, key=_position)])
    if satisfied and not errors:
        return Outcome(satisfied)
    if result.decision is cedarpy.Decision.NoDecision:
        return _fail_all(cedar_set, "; ".join(errors).replace(_ENTITIES + entities, "entities"))
    failed: dict[str, str] = {}
    for error in errors:
        told = _FAILED.match(error)
        if told is None:
            return _fail_all(cedar_set, error)
        failed[told[1]] = told[2]
    return Outcome(satisfied, tuple(Failure(named[name], failed[name]) for name in sorted(failed, key=_position)))


def _position(name: str) -> int:
    return int(name[len("policy") :])


def _fail_all(cedar_set: CedarSet, why: str) -> Outcome:
    return Outcome((), tuple(Failure(policy, f"cedar could not decide: {why}") for policy in cedar_set.policies))
