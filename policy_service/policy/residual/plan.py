"""Policies as a filter: for one question, one side of which is any row, the rows that it allows.

    some permit is satisfied, and every forbid is certainly not: a forbid that fails denies

Pure; what is made is kept on the bundle by all that was read for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from policy_service.model import Effect, Policy, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.evaluate import World
from policy_service.policy.residual.asked import Asked
from policy_service.policy.residual.asking import Asking
from policy_service.policy.residual.compiler import Compiler
from policy_service.policy.residual.filter import (
    EVERY,
    NONE,
    Below,
    Filter,
    Opaque,
    Test,
    all_of,
    any_of,
    constant,
    none_of,
)
from policy_service.policy.residual.ground import Ground
from policy_service.policy.residual.plans import Plan
from policy_service.policy.residual.symbols import ID, is_of, is_same
from policy_service.policy.residual.tidy import tidy
from policy_service.policy.residual.truth import Truth, settle
from policy_service.policy.scope import Keys
from policy_service.policy.tree import Name
from policy_service.policy.values import dumps

# the most tests that the policies of one question come to together
LEAVES = 25_000
_TOO_MANY = f"the policies that concern this question come to more than {LEAVES:,} tests"
_REST = Truth(Opaque(_TOO_MANY), Opaque(_TOO_MANY))
_TWOFOLD = "the row is one that the request tells of by name as well"


def residual(bundle: Bundle, asked: Asked) -> Filter:
    """The rows that the question allows, as `decide` would say of each of them."""
    return make_plan(bundle, asked).filter


def forbidding(bundle: Bundle, asked: Asked) -> tuple[tuple[Policy, Filter], ...]:
    """Each forbid that can match, and the rows on which it is certainly false: on the others it denies."""
    return make_plan(bundle, asked).forbids


def make_plan(bundle: Bundle, asked: Asked) -> Plan:
    """Both of the above."""
    if asked.needs.now:
        return _make(bundle, asked)
    key = _write_key(bundle, asked)
    plan = bundle.plans.find(key)
    if plan is None:
        plan = _make(bundle, asked)
        bundle.plans.keep(key, plan)
    return plan


def _write_key(bundle: Bundle, asked: Asked) -> Hashable:
    """All that the policies may read of the facts, and what they were found by: the first are `known` and action."""
    names = asked.needs.attributes
    read: frozenset[str] | None = frozenset()
    for compiled in asked.policies:
        each = bundle.plans.find_asking(compiled, asked.unknown)
        read = None if read is None or each.context is None else read | each.context
    entities = [entity for entity in asked.entities.values() if entity]
    return (
        asked.unknown,
        tuple((entity.uid, entity.parents) for entity in entities),
        dumps([_read(entity.attributes, names) for entity in entities]),
        dumps([entity.tags for entity in entities]),
        dumps(_read(asked.context, read)),
        dumps(asked.overlay),
        asked.drawn,
        asked.twofold,
    )


def _read(record: Mapping[str, object], names: frozenset[str] | None) -> Mapping[str, object]:
    if names is None or names.issuperset(record):
        return record
    return {name: value for name, value in record.items() if name in names}


def tell_policies(bundle: Bundle, asked: Asked) -> Iterator[tuple[Policy, Truth]]:
    """Each policy that can match, and when it is satisfied by a row, and when not; on other rows it fails."""
    other: Name = "resource" if asked.unknown == "principal" else "principal"
    world = World({other: asked.known.uid, "action": asked.action.uid, "context": asked.context}, asked.entities)
    ground = Ground(asked.unknown, world, {"tenant": bundle.tenant, **asked.overlay}, asked.drawn)
    left = LEAVES
    for compiled in asked.policies:
        policy = compiled.policy
        # once there is no more room the others, of which there may be thousands, are not looked at
        truth = _tell(ground, bundle.plans.find_asking(compiled, asked.unknown), policy.id) if left >= 0 else _REST
        left -= truth.size
        yield policy, truth if left >= 0 else _REST


def _make(bundle: Bundle, asked: Asked) -> Plan:
    permits: list[Filter] = []
    forbids: list[tuple[Policy, Filter]] = []
    for policy, truth in tell_policies(bundle, asked):
        if policy.effect is Effect.PERMIT:
            permits.append(truth.yes)
        elif truth.no != EVERY or asked.twofold:
            forbids.append((policy, tidy(truth.no)))
    told = [(policy, _except(asked.twofold, spared)) for policy, spared in forbids]
    if not permits:
        return Plan(NONE, tuple(told))
    allowed = tidy(all_of(any_of(*permits), *(spared for _, spared in forbids)))
    return Plan(_except(asked.twofold, allowed), tuple(told))


def _tell(ground: Ground, asking: Asking, policy: str) -> Truth:
    rule = asking.rule
    compiler = Compiler(ground, asking.parts, policy)
    truth = _read_scope(getattr(rule.scope, ground.unknown))
    for condition in rule.conditions:
        if truth.yes == NONE:
            break
        truth &= compiler.truth(condition)
    return truth


def _read_scope(keys: Keys) -> Truth:
    """Whether the row is one that the keys of a scope name."""
    if keys is None:
        return settle(EVERY)
    return settle(any_of(*(_read_key(kind, name) for kind, name in sorted(keys))))


def _read_key(kind: str, name: Uid | str) -> Filter:
    match kind, name:
        case "==", Uid():
            return is_same([name])
        case "in", Uid():
            return Below((name,))
        case "is", str():
            return is_of(name)
    return Test("eq", ID, constant(str(name)))


def _except(twofold: frozenset[Uid], filter_: Filter) -> Filter:
    """The filter, but of some rows nothing is said."""
    if not twofold:
        return filter_
    rows = is_same(sorted(twofold))
    return any_of(all_of(none_of(rows), filter_), all_of(rows, Opaque(_TWOFOLD)))
