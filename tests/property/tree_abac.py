"""py-abac policies about values of questions."""

from __future__ import annotations

import json
from typing import Any

from tests.property.filter_draws import Draws
from tests.property.tree_draws import IDS, MEMBERS, NAMES, NUMBERS

CASED = ("Equals", "NotEquals", "Contains", "NotContains", "StartsWith", "EndsWith")
PAIRS = tuple(f"{name}Attribute" for name in ("Equals", "NotEquals", "IsIn", "IsNotIn"))
LISTS = ("AllIn", "AllNotIn", "AnyIn", "AnyNotIn")


class AbacAuthor:
    """Writes py-abac policies about some plain values."""

    def __init__(self, draws: Draws, values: list[Any]) -> None:
        self.draws = draws
        self.values = values

    def policy(self, number: int) -> dict[str, Any]:
        """One policy, with few conditions, so that each is decisive now and then."""
        draws = self.draws
        aces = draws.some(("subject", "resource", "action", "context"), 2)
        rules = {ace: self.rule() if draws.chance(90) else [self.rule(), self.rule()] for ace in aces}
        targets = {f"{ace}_id": self.target() for ace in ("subject", "resource", "action") if draws.chance(15)}
        return {"uid": f"p{number}", "effect": "allow", "rules": rules, "targets": targets}

    def rule(self) -> dict[str, Any]:
        """The conditions on one element."""
        return {self.path(): self.condition(2) for _ in range(self.draws.pick((1, 1, 1, 2)))}

    def target(self) -> Any:
        """Ids and patterns."""
        draws = self.draws
        id_ = draws.pick((*IDS[:9], "read"))
        half = id_[: len(id_) // 2]
        ways = (id_, f"{half}*", f"*{half}", f"*{half}*", f"{id_[:1]}*{id_[-1:]}", f"{half}?", f"[{id_[0]}]*", "*")
        return draws.pick(ways) if draws.chance(60) else [draws.pick(ways), draws.pick(ways)]

    def path(self) -> str:
        """A path, which often leads somewhere."""
        steps = [self.draws.pick(NAMES), *self.draws.some(MEMBERS, 1)]
        return "$" + "".join(f".{step}" if step.isidentifier() else f"['{step}']" for step in steps)

    def condition(self, depth: int) -> dict[str, Any]:
        """A condition on one path."""
        draws = self.draws
        if depth and draws.chance(25):
            parts = [self.condition(depth - 1) for _ in range(draws.number(1, 3))]
            many = {"condition": draws.pick(("AllOf", "AnyOf")), "values": parts}
            return draws.pick(({"condition": "Not", "value": parts[0]}, many))
        if draws.chance(15):
            return {"condition": draws.pick(("Exists", "NotExists", "Any", "IsEmpty", "IsNotEmpty"))}
        if draws.chance(20):
            name = draws.pick((*PAIRS, *(f"{name}Attribute" for name in LISTS)))
            ace = draws.pick(("subject", "resource", "action", "context"))
            return {"condition": name, "ace": ace, "path": self.path()}
        return self.leaf(draws.pick(self.values))

    def leaf(self, value: Any) -> dict[str, Any]:
        """A condition that this value could meet."""
        draws = self.draws
        others = [draws.pick(self.values) for _ in range(draws.number(0, 3))]
        if isinstance(value, bool) or draws.chance(20):
            return {"condition": draws.pick(("IsIn", "IsNotIn")), "values": [value, *others]}
        if isinstance(value, int | float):
            number = draws.pick((value, value, draws.pick(NUMBERS)))
            return {"condition": draws.pick(("Eq", "Neq", "Gt", "Gte", "Lt", "Lte")), "value": number}
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {"condition": "EqualsObject", "value": value}
        scalars = [part for part in (*value, *others) if not isinstance(part, list | dict)]
        return {"condition": draws.pick(LISTS), "values": scalars or ["a"]}

    def text(self, value: str) -> dict[str, Any]:
        """A condition on a text."""
        draws = self.draws
        if draws.chance(8):
            return {"condition": "RegexMatch", "value": draws.pick(("^a", "b$", "[0-9]+", "."))}
        if draws.chance(8):
            return {"condition": "CIDR", "value": draws.pick(("10.0.0.0/8", "::/0"))}
        cut = value[draws.number(0, len(value)) :] if draws.chance(40) else value
        made: dict[str, Any] = {"condition": draws.pick(CASED), "value": cut}
        return {**made, "case_insensitive": True} if draws.chance(20) else made

    def file(self, many: int) -> str:
        """A file of so many policies."""
        return json.dumps([self.policy(number) for number in range(many)])
