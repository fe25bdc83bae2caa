"""What is known where the row is not: the facts of a question, and what it says of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policy_service.model import Extension, Uid, Value
from policy_service.policy.evaluate import Failed, Unsaid, World, evaluate
from policy_service.policy.extensions import Known
from policy_service.policy.operators import read_extension
from policy_service.policy.residual.symbols import Drawn, Fixed, Lost, Place, Symbol
from policy_service.policy.tree import Constant, Expression, Name


@dataclass(frozen=True, slots=True)
class Ground:
    """The facts of a question whose `unknown` side is any row.

    `given` are attributes that are the same of every row; `drawn` those that stored relationships draw.
    """

    unknown: Name
    world: World
    given: Mapping[str, Value]
    drawn: frozenset[str]

    def evaluate(self, expression: Expression) -> Fixed | Lost | None:
        """The value of an expression that does not ask for the row; none where it fails."""
        try:
            return Fixed(evaluate(expression, self.world))
        except Failed:
            return None
        except Unsaid as error:
            return Lost(str(error))

    def attribute(self, name: str) -> Symbol:
        """An attribute of the row, if it has it."""
        if name in self.given:
            value = self.given[name]
            return Fixed(read_extension(value) if isinstance(value, Extension) else value)
        path = ("attribute", name)
        return Drawn(path) if name in self.drawn else Place(path)

    def reach(self, uid: Uid) -> list[Uid]:
        """An entity and all its ancestors."""
        return [uid, *sorted(self.world.find(uid).parents)]

    def tags(self, uid: Uid) -> Mapping[str, Value]:
        """The tags of a known entity."""
        return self.world.find(uid).tags


def known(value: Known) -> Constant:
    """A known value as an expression."""
    return Constant(value)  # type: ignore[arg-type]
