"""Questions in which Python's meaning of values meets Cedar's."""

from __future__ import annotations

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
