"""casbin folders about values of questions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.property.filter_draws import Draws
from tests.property.tree_draws import ACTIONS, IDS

MODEL = """[request_definition]
r = sub, obj, act, ctx, dom
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = {matcher}
"""
FUNCTIONS = (
    "keyMatch", "keyMatch", "keyMatch", "keyMatch2", "keyMatch3", "keyMatch4", "keyMatch5", "regexMatch", "globMatch",
    "ipMatch",
)  # fmt: skip
NAMED = ("alice", "bob", "user:bob", "robot:alice", "group:staff", "group:ops", "a", "docs/1", "user:reader")
ROLES = ("reader", "admin", "group:all", "docs", "user:editor")


class CasbinAuthor:
    """Writes casbin folders about some plain values."""

    def __init__(self, draws: Draws, values: list[Any]) -> None:
        self.draws = draws
        self.values = values

    def matcher(self) -> str:
        """A matcher of few conditions."""
        draws = self.draws
        parts = [self.condition(2) for _ in range(draws.pick((1, 1, 2, 3)))]
        return " && ".join(parts)

    def condition(self, depth: int) -> str:
        """One condition, in brackets."""
        draws = self.draws
        if depth and draws.chance(25):
            one, other = self.condition(depth - 1), self.condition(depth - 1)
            return draws.pick((f"!({one})", f"({one} && {other})", f"({one} || {other})"))
        if draws.chance(20):
            function, who = draws.pick((("g", "r.sub"), ("g2", "r.obj"), ("g", "r.act"), ("g", "r.sub.id")))
            return f"{function}({who}, {draws.pick(('p.sub', 'p.obj', self.text(ROLES)))})"
        if draws.chance(20):
            function = draws.pick(FUNCTIONS)
            pattern = '"10.0.0.0/8"' if function == "ipMatch" else self.text(("docs/*", "*", "a*c", "docs/1", ""))
            return f"{function}({self.chain()}, {pattern})"
        if draws.chance(10):
            return f"{self.attribute()}" if draws.chance(60) else draws.pick(("True", "False"))
        if draws.chance(15):
            return f"{self.side()} {draws.pick(('in', 'not in'))} {self.members()}"
        operators = [draws.pick(("==", "==", "!=", "<", "<=", ">", ">=")) for _ in range(draws.pick((1, 1, 1, 2)))]
        return f"({self.chain()} {' '.join(f'{operator} {self.side()}' for operator in operators)})"

    def chain(self) -> str:
        """Something of the request."""
        whole = ("r.sub", "r.obj", "r.act", "r.sub.type", "r.obj.type", "r.obj.id", "r.dom")
        return self.draws.pick(whole) if self.draws.chance(40) else self.attribute()

    def attribute(self) -> str:
        """An attribute, which is no text of every request."""
        draws = self.draws
        token, name = draws.pick(("r.sub", "r.obj", "r.act", "r.ctx")), draws.pick(("a", "b", "c", "d", "name"))
        return f"{token}.{name}" + (f".{draws.pick(('a', 'id', 'type'))}" if draws.chance(20) else "")

    def side(self) -> str:
        """A side of a comparison."""
        draws = self.draws
        if draws.chance(30):
            return draws.pick(("p.sub", "p.obj", "p.act"))
        return self.chain() if draws.chance(30) else self.constant()

    def constant(self) -> str:
        """A text, a number or a boolean."""
        value = self.draws.pick(self.values)
        if isinstance(value, bool):
            return str(value)
        if isinstance(value, int | float):
            return f"{Decimal(repr(value)):f}"
        return self.text((value if isinstance(value, str) else "a", *IDS[:5], *ROLES))

    def members(self) -> str:
        """What may be on the right of `in`."""
        draws = self.draws
        if draws.chance(40):
            return self.attribute()
        return f"({', '.join(self.constant() for _ in range(draws.number(1, 3)))},)"

    def text(self, texts: tuple[str, ...]) -> str:
        """A text that casbin takes."""
        text = self.draws.pick(texts)
        fine = text.isprintable() and not any(c in "\"'\\#&|!" for c in text) and "p." not in text and "r." not in text
        return f'"{text}"' if fine else '"a"'

    def folder(self, many: int) -> tuple[str, str]:
        """A model and so many policies, and who has which role."""
        matcher = self.matcher()
        return MODEL.format(matcher=matcher), self._lines(many, matcher)

    def _lines(self, many: int, matcher: str) -> str:
        draws = self.draws
        subjects = (*NAMED, *ROLES)
        rows = [
            f"p, {draws.pick(subjects)}, {draws.pick(('docs/1', 'docs/*', 'a', *subjects))}, {draws.pick(ACTIONS)}"
            for _ in range(many)
        ]
        for function in (name for name in ("g", "g2") if f"{name}(r." in matcher):
            names = [*NAMED, *ROLES]
            for _ in range(draws.number(1, 4)):
                # whoever stands further right is above: so there is no circle
                low, high = sorted((draws.below(len(names)), draws.below(len(names))))
                if low != high:
                    rows.append(f"{function}, {names[low]}, {names[high]}")
        return "\n".join(dict.fromkeys(rows)) + "\n"
