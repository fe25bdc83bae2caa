"""What a run compared, and which operators it met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from policy_service.policy import tree
from policy_service.policy.operators import BINARY, UNARY
from policy_service.policy.residual.filter import Each, Field, Filter, Sum, Test, find_opaque


@dataclass
class Tally:
    """Counts: rows compared by what was compared, operators of policies, and leaves of filters by kind."""

    counts: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    leaves: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """How many rows a store lists, or does not, as is decided of them, or as a search means."""
        return self.counts["listed, entity"] + self.counts["listed, relationship"]

    def meet_rule(self, rule: tree.Rule) -> None:
        """Count the operators of a policy."""
        for condition in rule.conditions:
            for node in walk(condition):
                op = getattr(node, "op", "")
                self.operators[f"{type(node).__name__} {op}".strip()] += 1

    def meet(self, filter_: Filter, decided: Mapping[str, bool]) -> None:
        """Count a filter and its leaves, and the rows that were decided."""
        if decided:
            self.counts["filters"] += 1
            self.counts["filters, exact"] += next(find_opaque(filter_), None) is None
            self.counts["filters, of some rows"] += 0 < sum(decided.values()) < len(decided)
            self.counts["decided"] += len(decided)
        for node in walk(filter_):
            match node:
                case Test(op, left, right):
                    other = "field" if isinstance(right, Field | Sum) else ""
                    self.leaves[f"{op} {getattr(left, 'kind', 'sum')} {other}".strip()] += 1
                case Each(op, of, _):
                    self.leaves[f"{op} of {of.path[0]}"] += 1
                case _:
                    self.leaves[type(node).__name__] += 1

    def write(self) -> str:
        """The counts as lines."""
        parts = [f"  {name}: {count:,}" for name, count in sorted(self.counts.items())]
        for title, counted in (("operators", self.operators), ("leaves", self.leaves)):
            told = ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))
            parts.append(f"  {len(counted)} {title}: {told}")
        return "\n".join(parts)


def walk(node: Any) -> Iterator[Any]:
    """A tree's nodes."""
    if is_dataclass(node):
        if not isinstance(node, Field):
            yield node
        for each in fields(node):
            yield from walk(getattr(node, each.name))
    elif isinstance(node, tuple):
        for part in node:
            yield from walk(part)


# every operator that a policy can have: a run of any length meets them all
OPERATORS = frozenset(
    {
        *(f"Unary {op}" for op in UNARY),
        *(f"Binary {op}" for op in (*BINARY, "and", "or", "in", "has_tag", "get_tag")),
        *("Attribute", "Has", "If", "Like", "Is", "SetOf", "RecordOf", "Constant", "Variable"),
    }
)
