"""From an expression to when it is true of a row, and when it is false.

What does not ask for the row is told at once. The rest becomes a `Truth`, or where it is no boolean its possible
values, each with the condition under which it is that; budgets are checked at every node.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import product
from operator import and_
from typing import Any

from policy_service.policy.residual import functions, members
from policy_service.policy.residual.filter import EVERY, NONE, Filter, Opaque, Test, all_of, constant
from policy_service.policy.residual.functions import TESTS
from policy_service.policy.residual.ground import Ground
from policy_service.policy.residual.hierarchy import is_, is_in
from policy_service.policy.residual.sets import Verdict
from policy_service.policy.residual.source import write
from policy_service.policy.residual.symbols import ID, TYPE, Case, Cases, Fixed, Lost, Member, Place, Row, Symbol, Text
from policy_service.policy.residual.truth import CASES, FAILING, LEAVES, Truth, always, choose, count_leaves
from policy_service.policy.tree import (
    Attribute,
    Binary,
    Call,
    Expression,
    Groups,
    Has,
    IdOf,
    If,
    Is,
    Like,
    OfKind,
    Path,
    RecordOf,
    SetOf,
    TypeOf,
    Unary,
    Variable,
)
from policy_service.policy.tree import Opaque as OpaquePart

# of a longer chain the halves are told by themselves
_CHAIN = 16
_TRUE, _FALSE = constant(True), constant(False)
_MANY_LEAVES = Lost(f"it comes to more than {LEAVES:,} tests")
_MANY_CASES = Lost(f"it has more than {CASES} possible values")


class Compiler:
    """Compiles the expressions of one policy; `asking` are the `id()` of all parts of them that ask for the row."""

    def __init__(self, ground: Ground, asking: Container[int], policy: str) -> None:
        self._ground = ground
        self._asking = asking
        self._policy = policy

    def truth(self, expression: Expression) -> Truth:
        """When a boolean expression is true, and when it is false."""
        if id(expression) not in self._asking:
            return self._tell(self._ground.evaluate(expression), expression)
        compile_ = _TRUTHS.get(type(expression))
        truth = compile_(self, expression) if compile_ else None
        if truth is None:
            truth = choose([(when, self._tell(symbol, expression)) for when, symbol in self.cases(expression)])
        return self._tell(_MANY_LEAVES, expression) if truth.size > LEAVES else truth

    def cases(self, expression: Expression) -> Cases:
        """The possible values of an expression; it fails where none of their conditions is true."""
        if id(expression) not in self._asking:
            found = self._ground.evaluate(expression)
            return [Case(EVERY, found)] if found else ()
        compile_ = _CASES.get(type(expression))
        cases = compile_(self, expression) if compile_ else None
        if cases is None:
            truth = self.truth(expression)
            cases = [Case(when, Fixed(value)) for when, value in ((truth.yes, True), (truth.no, False)) if when != NONE]
        if len(cases) > CASES:
            return [Case(EVERY, self._name(_MANY_CASES, expression))]
        if sum(count_leaves(case.when) for case in cases) > LEAVES:
            return [Case(EVERY, self._name(_MANY_LEAVES, expression))]
        return cases

    def _tell(self, symbol: Symbol | None, expression: Expression) -> Truth:
        """The truth of a value, which has to be a boolean."""
        match symbol:
            case Fixed(bool() as value):
                return always(value)
            case Place():
                field = symbol.of("bool")
                return Truth(Test("eq", field, _TRUE), Test("eq", field, _FALSE), Test("has", field))
            case Lost(why, source):
                opaque = Opaque(why, self._policy, source or write(expression))
                return Truth(opaque, opaque)
        return FAILING

    def _name(self, lost: Lost, expression: Expression) -> Lost:
        return lost if lost.source else replace(lost, source=write(expression))

    # what is a boolean, or `None` where it may be something else

    def _truth_of_binary(self, expression: Binary) -> Truth | None:
        op, left, right = expression.op, expression.left, expression.right
        if op in ("and", "or"):
            return self._join(op, _find_chain(expression))
        if op == "not_eq":
            return ~self._judge(expression, functions.test("eq", self._ground), left, right)
        return self._judge(expression, functions.test(op, self._ground), left, right) if op in TESTS else None

    def _join(self, op: str, chain: Sequence[Expression]) -> Truth:
        truths: list[Truth] = []
        for part in chain:
            truth = self.truth(part)
            truths.append(truth if op == "and" else ~truth)
            if truths[-1].yes == NONE:
                break  # what comes after is never asked
        joined = _join_truths(truths)
        return joined if op == "and" else ~joined

    def _truth_of_unary(self, expression: Unary) -> Truth | None:
        if expression.op == "not":
            return ~self.truth(expression.operand)
        if expression.op == "is_empty":
            return self._judge(expression, functions.is_empty(self._ground), expression.operand)
        return None

    def _truth_of_if(self, expression: If) -> Truth:
        condition = self.truth(expression.condition)
        branches = ((condition.yes, expression.then), (condition.no, expression.otherwise))
        return choose([(when, self.truth(branch)) for when, branch in branches if when != NONE])

    def _truth_of_has(self, expression: Has) -> Truth:
        ground, cases = self._ground, self.cases(expression.base)
        first, *rest = expression.names
        truth = self._judge_cases(expression, lambda base: members.has(ground, base, first), cases)
        last = first
        for name in rest:
            cases = self._map_cases(expression, lambda base, last=last: members.get(ground, base, last), cases)
            truth &= self._judge_cases(expression, lambda base, name=name: members.has(ground, base, name), cases)
            last = name
        return truth

    def _truth_of_is(self, expression: Is) -> Truth:
        truth = self._judge(expression, lambda one: is_(one, expression.type), expression.operand)
        if expression.within is None or truth.yes == NONE:
            return truth
        within = self._judge(
            expression, lambda one, other: is_in(self._ground, one, other), expression.operand, expression.within
        )
        return truth & within

    def _truth_of_like(self, expression: Like) -> Truth:
        return self._judge(expression, functions.like(self._ground, expression.pattern), expression.operand)

    def _truth_of_kind(self, expression: OfKind) -> Truth:
        return self._judge(expression, functions.is_of_kind(self._ground, expression.kinds), expression.operand)

    def _judge(self, expression: Expression, test: Callable[..., Verdict], *operands: Expression) -> Truth:
        return self._judge_cases(expression, test, *map(self.cases, operands))

    def _judge_cases(self, expression: Expression, test: Callable[..., Verdict], *operands: Cases) -> Truth:
        judged: list[tuple[Filter, Truth]] = []
        left = LEAVES
        for when, symbols in _combine(operands):
            verdict = _find_lost(symbols) or test(*symbols)
            truth = self._tell(verdict, expression) if isinstance(verdict, Lost) else verdict
            judged.append((when, truth))
            left -= 1 if when == EVERY else count_leaves(when) + truth.size
            if left < 0:
                return self._tell(_MANY_LEAVES, expression)
        return choose(judged)

    # what may be anything, or `None` where it is a boolean

    def _cases_of_binary(self, expression: Binary) -> Cases | None:
        op, left, right = expression.op, expression.left, expression.right
        if op == "get_tag":
            return self._map(expression, lambda one, key: members.get_tag(self._ground, one, key), left, right)
        make = functions.operation(op, self._ground)
        return self._map(expression, make, left, right) if make else None

    def _cases_of_unary(self, expression: Unary) -> Cases | None:
        if expression.op in ("not", "is_empty"):
            return None
        return self._map(expression, functions.call(expression.op, self._ground), expression.operand)

    def _cases_of_if(self, expression: If) -> Cases:
        condition = self.truth(expression.condition)
        branches = ((condition.yes, expression.then), (condition.no, expression.otherwise))
        return [
            Case(all_of(when, case.when), case.symbol)
            for when, branch in branches
            if when != NONE
            for case in self.cases(branch)
        ]

    def _cases_of_attribute(self, expression: Attribute) -> Cases:
        return self._map(expression, lambda base: members.get(self._ground, base, expression.name), expression.base)

    def _cases_of_set(self, expression: SetOf) -> Cases:
        return self._map(expression, functions.list_(self._ground), *expression.parts)

    def _cases_of_record(self, expression: RecordOf) -> Cases:
        names = [name for name, _ in expression.fields]
        return self._map(expression, functions.record(self._ground, names), *(part for _, part in expression.fields))

    def _cases_of_call(self, expression: Call) -> Cases:
        return self._map(expression, functions.foreign(self._ground, expression), *expression.operands)

    def _map(self, expression: Expression, make: Callable[..., Cases], *operands: Expression) -> Cases:
        return self._map_cases(expression, make, *map(self.cases, operands))

    def _map_cases(self, expression: Expression, make: Callable[..., Cases], *operands: Cases) -> Cases:
        made: list[Case] = []
        left = LEAVES
        for when, symbols in _combine(operands):
            lost = _find_lost(symbols)
            for case in [Case(EVERY, lost)] if lost else make(*symbols):
                symbol = self._name(case.symbol, expression) if isinstance(case.symbol, Lost) else case.symbol
                made.append(Case(all_of(when, case.when), symbol))
                left -= count_leaves(made[-1].when)
            if len(made) > CASES or left < 0:
                break
        return made


def _find_chain(expression: Binary) -> list[Expression]:
    """The parts of `a && b && c`, or of `a || b || c`."""
    found: list[Expression] = []
    open_: list[Expression] = [expression]
    while open_:
        part = open_.pop()
        if isinstance(part, Binary) and part.op == expression.op:
            open_ += (part.right, part.left)
        else:
            found.append(part)
    return found


def _join_truths(truths: Sequence[Truth]) -> Truth:
    # where each is asked only if all before it are true, it comes to half the square of their number
    if len(truths) <= _CHAIN:
        return reduce(and_, truths)
    half = len(truths) // 2
    return _join_truths(truths[:half]) & _join_truths(truths[half:])


def _combine(operands: Sequence[Cases]) -> Iterator[tuple[Filter, list[Symbol]]]:
    """Every combination of values, with the condition under which it is that."""
    for chosen in product(*operands):
        yield all_of(*(case.when for case in chosen)), [case.symbol for case in chosen]


def _find_lost(symbols: Sequence[Symbol]) -> Lost | None:
    return next((symbol for symbol in symbols if isinstance(symbol, Lost)), None)


_TRUTHS: Mapping[type, Callable[[Compiler, Any], Truth | None]] = {
    Binary: Compiler._truth_of_binary,
    Unary: Compiler._truth_of_unary,
    If: Compiler._truth_of_if,
    Has: Compiler._truth_of_has,
    Is: Compiler._truth_of_is,
    Like: Compiler._truth_of_like,
    OfKind: Compiler._truth_of_kind,
}
_CASES: Mapping[type, Callable[[Compiler, Any], Cases | None]] = {
    Variable: lambda _compiler, _: [Case(EVERY, Row())],
    IdOf: lambda _compiler, _: [Case(EVERY, Text(ID))],
    TypeOf: lambda _compiler, _: [Case(EVERY, Text(TYPE))],
    OpaquePart: lambda _compiler, part: [Case(EVERY, Lost(part.why, part.source))],
    Groups: lambda _compiler, _: [Case(EVERY, Member())],
    Path: lambda compiler, path: members.walk(compiler._ground, path),
    Attribute: Compiler._cases_of_attribute,
    Binary: Compiler._cases_of_binary,
    Unary: Compiler._cases_of_unary,
    If: Compiler._cases_of_if,
    SetOf: Compiler._cases_of_set,
    RecordOf: Compiler._cases_of_record,
    Call: Compiler._cases_of_call,
}
