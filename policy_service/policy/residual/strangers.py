"""What a filter is of an entity that nobody has stored: it has an id and a type, and groups, and nothing else."""

from __future__ import annotations

from policy_service.policy.residual.filter import (
    NONE,
    Each,
    Field,
    Filter,
    Leaf,
    Opaque,
    Sum,
    Test,
    all_of,
    any_of,
    bound,
    fold,
    none_of,
)

_UNKNOWN = Opaque("nobody has stored it")


def admits_strangers(filter_: Filter) -> bool:
    """Whether a filter may be true of an entity without attributes and tags; where not, it is true of none."""
    bare = fold(filter_, _read, lambda parts: all_of(*parts), lambda parts: any_of(*parts), none_of)
    return bound(bare, upper=True) != NONE


def _read(leaf: Leaf) -> Filter:
    match leaf:
        case Each():
            return NONE
        case Test(_, left, right) if _is_nothing(left) or _is_nothing(right):
            return NONE
    return _UNKNOWN


def _is_nothing(term: object) -> bool:
    match term:
        case Field((root, *_)):
            return root in ("attribute", "tag")
        case Sum(_, left, right):
            return _is_nothing(left) or _is_nothing(right)
    return False
