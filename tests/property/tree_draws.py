"""Questions, py-abac policies and casbin folders in which Python's meaning of values meets Cedar's."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from policy_service.model import Act, Entity, Extension, Request, Thing, Uid, Value
from policy_service.policy.facts import Facts
from policy_service.policy.names import GROUP
from policy_service.policy.request import ask
from policy_service.policy.scope import Needs
from policy_service.policy.values import NUMBER, plain, read_set, read_value
from tests.property.filter_draws import Draws
from tests.property.filter_values import IPS, NUL_TEXTS, TEXTS, draw_extension, draw_nested

NAMES = ("a", "b", "c", "d", "type", "id", "name", "groups")
MEMBERS = ("a", "id", "type", "x-y")
TYPES = ("user", "robot", "api-key")
IDS = (
    "alice", "bob", "reader", "admin", "a", "user:bob", "robot:alice", "group:staff", "docs/1", "docs/1/x", "", "*",
    "user:reader", "a:b:c", "group:", "é", "a\nb", "\0reader", "docs/2\n",
)  # fmt: skip
GROUPS = ("staff", "ops", 'q"', "a!", "a", "")
ACTIONS = ("read", "write", "Press::read", "reader")
NUMBERS = (
    0, 1, -1, 2, 1.5, 0.1, 0.12345, -0.00005, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**12, 1_700_000_000_000,
    1e15, 900_000_000_000_000, 922337203685477.5807, 1e30, -1e30, 1e-300,
)  # fmt: skip
# what is equal to one of these to Python, or nearly
DECIMALS = ("1.0", "0.0", "1.5", "0.1", "900000000000000.0001", "1700000000000.0001", "-0.0001", "922337203685477.5807")


def draw_value(draws: Draws) -> Value:
    """A value of facts, those of files among them."""
    match draws.below(10):
        case 0:
            return draws.chance(50)
        case 1 | 2:
            return draws.pick(("a", "alice", "docs/1", *TEXTS, *NUL_TEXTS, *IPS))
        case 3 | 4:
            number = draws.pick(NUMBERS)
            return read_value(number if isinstance(number, int) else Decimal(repr(number)))
        case 5:
            return Decimal(draws.pick(DECIMALS))
        case 6:
            return draws.pick((Uid("user", "bob"), Uid("user", "alice"), Uid("robot", "a")))
        case 7:
            return draw_extension(draws, draws.pick(("ip", "datetime", "duration")))
        case 8:
            return read_set([draw_value(draws) for _ in range(draws.number(0, 3))])
    if draws.chance(30):
        return read_value(draw_nested(draws))
    return {name: draw_value(draws) for name in draws.some(MEMBERS, 3)}


def draw_facts(draws: Draws) -> Facts:
    """A question, with all that is known for it."""

    def attributes() -> dict[str, Value]:
        return {name: draw_value(draws) for name in draws.some(NAMES, 6)}

    subject, resource = (Thing(draws.pick(TYPES), draws.pick(IDS)) for _ in range(2))
    question = ask(Request(subject, Act(draws.pick(ACTIONS)), resource))
    action = {name: value for name, value in attributes().items() if _is_sent(value)}
    context = attributes() | ({"now": Extension("datetime", "2026-01-01T00:00:00Z")} if draws.chance(30) else {})
    question.action_attributes.update(action)
    question.context.update(context)
    entities: dict[Uid, Entity | None] = {
        uid: Entity(uid, {"tenant": "acme", **attributes()}, _draw_parents(draws))
        for uid in (question.principal, question.resource)
    }
    entities[question.action] = Entity(question.action, question.action_attributes)
    return Facts(question, Needs(), entities, question.context)


def _is_sent(value: Value) -> bool:
    return not isinstance(value, Uid | Extension)


def _draw_parents(draws: Draws) -> frozenset[Uid]:
    groups = [Uid(GROUP, name) for name in draws.some(GROUPS, 3)]
    return frozenset([*groups, Uid("folder", "f")])


def take_values(draws: Draws, scenes: list[Facts]) -> list[Any]:
    """Plain values that policies may be about: those of questions, and others."""
    found: list[Any] = [draws.pick(NUMBERS), draws.pick(IDS), draws.pick(GROUPS), draws.chance(50)]
    for facts in scenes:
        question = facts.question
        found += [question.principal.id, question.resource.id, question.subject_type]
        records = (facts.principal.attributes, facts.resource.attributes, question.action_attributes, facts.context)
        found += [_write_numbers(plain(value)) for record in records for value in record.values()]
    return found


def _write_numbers(value: Any) -> Any:
    """The value with numbers where they are records to policies."""
    match value:
        case list():
            return [_write_numbers(part) for part in value]
        case dict() if NUMBER in value:
            number = Decimal(value[NUMBER])
            return int(number) if number == int(number) else float(number)
        case dict():
            return {name: _write_numbers(part) for name, part in value.items()}
    return value


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
