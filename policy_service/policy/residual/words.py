"""A filter in words, for people who read what a list was answered by."""

from __future__ import annotations

from collections.abc import Sequence

from policy_service.model import Uid
from policy_service.policy.names import entity_text
from policy_service.policy.residual.filter import (
    Below,
    Constant,
    Each,
    End,
    Field,
    Filter,
    Leaf,
    Opaque,
    Sum,
    Test,
    fold,
)
from policy_service.policy.residual.operators import BELOW, SETS, SUMS, TESTS
from policy_service.policy.stored_values import show, write_json

# of a list of values so many are told, and then how many there are
_VALUES = 20


def explain(filter_: Filter) -> str:
    """What is true of the rows of a filter, on one line."""
    return fold(
        filter_, _say, lambda parts: _join("and", parts, "every row"), lambda parts: _join("or", parts, "no row"), _deny
    )


def _join(word: str, parts: Sequence[str], none: str) -> str:
    return f"({f' {word} '.join(parts)})" if parts else none


def _deny(part: str) -> str:
    return f"not ({part})"


def _say(leaf: Leaf) -> str:
    match leaf:
        case Test("like", left, tuple(pattern)):
            text = "".join("*" if part is None else str(part) for part in pattern)
            return TESTS["like"].words.format(_name(left), f'"{text}"')
        case Test("has", Field(_, kind) as field) if kind != "any":
            return f"{_name(field)} is {'an' if kind == 'entity' else 'a'} {kind}"
        case Test(op, left, right):
            return TESTS[op].words.format(_name(left), _name(right))
        case Each(op, field, other):
            return SETS[op].words.format(_name(field), _name(other))
        case Below(uids):
            return BELOW.words.format("the row", _list([entity_text(uid) for uid in uids]))
        case End(side, part):
            return f"the entity it goes {side} is stored, and of it {explain(part)}"
        case Opaque(why, policy):
            return f"decided one by one: {why}{f' (policy {policy})' if policy else ''}"


def _name(term: object) -> str:
    match term:
        case Field(path):
            return ".".join(path[1:] if path[0] in ("attribute", "system") else path)
        case Constant("entity"):
            return entity_text(term.value) if isinstance(term.value, Uid) else term.text
        case Constant("decimal" | "number"):
            return write_json(show(term.value))
        case Constant(_, text):
            return text
        case Sum(op, left, right):
            return SUMS[op].words.format(_name(left), _name(right))
        case tuple():
            return _list([_name(part) for part in term])
        case None:
            return ""
    raise ValueError(f"a {type(term).__name__} is no part of a filter")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_VALUES])
    return f"{shown} and {len(names) - _VALUES} more" if len(names) > _VALUES else shown
