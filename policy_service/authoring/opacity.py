"""Which parts of a policy can't be said of rows, whoever asks: lists and searches decide such rows one by one.

Each comparison of a policy is looked at by itself, so that no answer of another hides it. What a request would tell
of the other side is not known yet, and a text and a number stand in for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from policy_service.assets.kinds import SEALED, Names
from policy_service.assets.sql.columns import Document, Shape
from policy_service.assets.sql.leads import shape_of
from policy_service.assets.sql.sayable import simplify
from policy_service.model import Effect, Entity, Uid, Value
from policy_service.policy.bundle import Bundle
from policy_service.policy.evaluate import World
from policy_service.policy.residual.asking import parts_of
from policy_service.policy.residual.compiler import Compiler
from policy_service.policy.residual.filter import NONE, Filter, any_of, find_fields, find_opaque
from policy_service.policy.residual.ground import Ground
from policy_service.policy.residual.source import write
from policy_service.policy.residual.symbols import Fixed, Lost
from policy_service.policy.scope import Compiled
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Expression,
    Groups,
    Has,
    IdOf,
    If,
    Opaque,
    Path,
    TypeOf,
    Unary,
    Variable,
)

_STAND_INS: tuple[Value, ...] = ("text", 1)
_ANYBODY, _ANYTHING = Uid("Anybody", ""), Uid("Action", "")


class Doubt(NamedTuple):
    """Why a part can't be said of rows, as a clause of a sentence, and its text."""

    why: str
    source: str


class _Part(NamedTuple):
    """A part of a policy, and whether it is asked when it is true, and when it is false."""

    expression: Expression
    yes: bool
    no: bool


@dataclass(frozen=True, slots=True)
class _Unasked(Ground):
    """Facts of which none is known yet: what fails for want of them, which `missed` then holds, is `stand_in`."""

    stand_in: Value = ""
    missed: list[Expression] = field(default_factory=list)

    def evaluate(self, expression: Expression) -> Fixed | Lost | None:
        found = Ground.evaluate(self, expression)
        if found is None:
            self.missed.append(expression)
            return Fixed(self.stand_in)
        return found


def find_doubts(bundle: Bundle, policy: Compiled) -> list[Doubt]:
    """What of a policy can't be said of rows, each once; also what PostgreSQL can't say of what it holds sealed."""
    asking = bundle.plans.find_asking(policy, "resource")
    if not asking.parts:
        return []
    known: dict[Uid, Entity | None] = {uid: Entity(uid, {}) for uid in (_ANYBODY, _ANYTHING)}
    world = World({"principal": _ANYBODY, "action": _ANYTHING, "context": {}}, known)
    shape, found = shape_of(bundle, "entity"), dict[Doubt, None]()
    whole = _find_whole(asking.rule.conditions, policy.policy.effect)
    parts = [part for part in _find_parts(whole) if id(part.expression) in asking.parts]
    for stand_in in _STAND_INS:
        ground = _Unasked("resource", world, {"tenant": bundle.tenant}, bundle.drawn, stand_in)
        compiler = Compiler(ground, asking.parts, policy.policy.id)
        for part in whole:
            found |= dict.fromkeys(_tell(part, _compile(compiler, part), shape))
        for part in parts:
            told = _compile(compiler, part)
            found |= dict.fromkeys(_tell(part, told, shape))
            found |= dict.fromkeys(_tell_sealed(part, told, shape, bundle.restricted))
        if not ground.missed:
            break
    return list(found)


def _find_whole(conditions: Sequence[Expression], effect: Effect) -> list[_Part]:
    """The conditions of a policy. A forbid is asked when it is false: some is, and those before it are true."""
    forbids = effect is Effect.FORBID
    return [_Part(condition, not forbids or condition is not conditions[-1], forbids) for condition in conditions]


def _find_parts(whole: Sequence[_Part]) -> Iterator[_Part]:
    """What is made by logic out of others, without those, and what these parts themselves are made of."""
    open_ = [*reversed(whole)]
    while open_:
        part, yes, no = open_.pop()
        match part:
            case Binary("and" | "or" as op, left, right):
                before = _Part(left, True, no) if op == "and" else _Part(left, yes, True)
                open_ += (_Part(right, yes, no), before)
            case Unary("not", operand):
                open_.append(_Part(operand, no, yes))
            case If(condition, then, otherwise):
                open_ += (_Part(otherwise, yes, no), _Part(then, yes, no), _Part(condition, True, True))
            # ids that are read in two ways, where one is: a condition around it says so
            case Opaque(_, "") | Variable() | Path() | IdOf() | TypeOf() | Groups():
                continue
            case Attribute(base) | Has(base):
                open_.append(_Part(base, True, True))
            case _:
                open_ += [_Part(inner, True, True) for inner in (*parts_of(part),)[::-1]]
                yield _Part(part, yes, no)


def _compile(compiler: Compiler, part: _Part) -> Filter:
    truth = compiler.truth(part.expression)
    return any_of(truth.yes if part.yes else NONE, truth.no if part.no else NONE)


def _tell(part: _Part, told: Filter, shape: Shape) -> Iterator[Doubt]:
    for opaque in find_opaque(simplify(told, shape)):
        yield Doubt(opaque.why, opaque.source or write(part.expression))


def _tell_sealed(part: _Part, told: Filter, shape: Shape, restricted: frozenset[str]) -> Iterator[Doubt]:
    kinds = _seal(told, shape, restricted)
    if SEALED not in kinds.values():
        return
    said = list(find_opaque(simplify(told, shape)))
    for opaque in find_opaque(simplify(told, replace(shape, kinds=kinds))):
        if opaque not in said:
            yield Doubt(f"{opaque.why}, and PostgreSQL can say no more of it than `==`", write(part.expression))


def _seal(filter_: Filter, shape: Shape, restricted: frozenset[str]) -> Names:
    """The kinds of the properties that a filter is about: any, but for those that are sealed."""
    places = [place for field in find_fields(filter_) if isinstance(place := shape.locate(field.path), Document)]
    return {
        (place.root, place.names[0]): SEALED if place.root == "attribute" and place.names[0] in restricted else ~SEALED
        for place in places
    }
