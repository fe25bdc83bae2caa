"""Types and ancestors of entities: of symbols what operators are of values."""

from __future__ import annotations

from collections.abc import Sequence

from policy_service.model import Uid
from policy_service.policy.residual.filter import NONE, Below, Each, Test
from policy_service.policy.residual.ground import Ground
from policy_service.policy.residual.sets import EMPTY, Verdict
from policy_service.policy.residual.symbols import (
    Drawn,
    Fixed,
    Listed,
    Lost,
    Place,
    Row,
    Symbol,
    is_of,
    is_same,
    presence,
    refer,
)
from policy_service.policy.residual.truth import FAILING, FALSE, TRUE, Truth, always, settle

_HIERARCHY = Lost("whether the row is in entities that relationships draw")


def is_in(ground: Ground, one: Symbol, within: Symbol) -> Verdict:
    """Whether an entity is another one, or one of a set of entities, or below it."""
    if not isinstance(one, Row | Fixed) or (isinstance(one, Fixed) and not isinstance(one.value, Uid)):
        return FAILING
    match within:
        case Place():
            # nothing in such a set is an entity, so that it fails unless there is nothing in it
            return Truth(NONE, Test("eq", within.of("set"), EMPTY))
        case Drawn() if isinstance(one, Fixed) and isinstance(one.value, Uid):
            reached = refer(ground.reach(one.value))
            return settle(Each("any", within.field, reached) if reached else NONE, presence(within))
        case Drawn():
            return _HIERARCHY
        case Fixed(list() as values):
            return _is_below(ground, one, [Fixed(value) for value in values])
        case Listed(parts):
            return _is_below(ground, one, parts)
    return _is_below(ground, one, [within])


def _is_below(ground: Ground, one: Row | Fixed, others: Sequence[Symbol]) -> Truth:
    uids = [other.value for other in others if isinstance(other, Fixed) and isinstance(other.value, Uid)]
    if len(uids) + sum(isinstance(other, Row) for other in others) < len(others):
        return FAILING
    if isinstance(one, Row):
        itself = len(uids) < len(others)
        return TRUE if itself else settle(Below(tuple(dict.fromkeys(uids)))) if uids else FALSE
    assert isinstance(one.value, Uid)  # noqa: S101
    above = ground.reach(one.value)
    if not set(above).isdisjoint(uids):
        return TRUE
    return settle(is_same(above)) if len(uids) < len(others) else FALSE


def is_(one: Symbol, type_: str) -> Truth:
    """Whether an entity is of a Cedar type."""
    match one:
        case Row():
            return settle(is_of(type_))
        case Fixed(Uid() as uid):
            return always(uid.type == type_)
    return FAILING
