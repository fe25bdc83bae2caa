"""Trees of py-abac policies and casbin lines as filters: on each row what the engine says, or opaque of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from policy_service.model import Entity
from policy_service.policy.evaluate import World, world_of
from policy_service.policy.facts import Facts
from policy_service.policy.likeness import see
from policy_service.policy.residual.asked import Unknown
from policy_service.policy.residual.asking import find_asking
from policy_service.policy.residual.compiler import Compiler
from policy_service.policy.residual.filter import Filter, bound
from policy_service.policy.residual.ground import Ground
from policy_service.policy.residual.rows import matches
from policy_service.policy.residual.truth import TRUE, Truth
from policy_service.policy.stored_values import decode, encode, encode_record
from policy_service.policy.tree import Rule

YES, NO, NEITHER, UNTOLD = "yes", "no", "neither", "untold"


def as_row(entity: Entity) -> Entity | None:
    """The entity as a row could be it; none where no row could."""
    try:
        attributes = {name: decode(encode(see(value))) for name, value in entity.attributes.items()}
        encode_record(attributes)
        encode(entity.uid)
    except ValueError:
        return None
    return entity._replace(attributes=attributes)


def compile_rule(rule: Rule, facts: Facts, unknown: Unknown) -> Truth:
    """When the conditions of a policy are true of rows, and when they are false."""
    whole = world_of(facts)
    row = facts.resource if unknown == "resource" else facts.principal
    world = World(
        {name: value for name, value in whole.variables.items() if name != unknown},
        {uid: entity for uid, entity in whole.entities.items() if uid != row.uid},
    )
    asking = find_asking(rule, unknown)
    compiler = Compiler(Ground(unknown, world, {"tenant": "acme"}, frozenset()), asking.parts, "p")
    return reduce(and_, [compiler.truth(condition) for condition in rule.conditions], TRUE)


def tell(truth: Truth, row: Entity) -> str:
    """What a filter says of a row."""
    yes, no = _bounds(truth.yes, row), _bounds(truth.no, row)
    if yes[0] is not yes[1] or no[0] is not no[1]:
        return UNTOLD
    return YES if yes[0] else NO if no[0] else NEITHER


def may_be(truth: Truth, row: Entity) -> Sequence[str]:
    """What the bounds of a filter leave open of a row."""
    yes, no = _bounds(truth.yes, row), _bounds(truth.no, row)
    return [
        *([YES] if yes[1] and not no[0] else []),
        *([NO] if no[1] and not yes[0] else []),
        *([] if yes[0] or no[0] else [NEITHER]),
    ]


def _bounds(filter_: Filter, row: Entity) -> tuple[bool, bool]:
    lower, upper = bound(filter_, upper=False), bound(filter_, upper=True)
    return matches(lower, row), matches(upper, row)
