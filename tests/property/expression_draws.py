"""Cedar policies with every operator, about whatever there is; some of them fail."""

from __future__ import annotations

from decimal import Decimal

from policy_service.model import Value
from policy_service.policy.extensions import Datetime, Duration, Ip, Known
from tests.property.expression_scenes import (
    ACTIONS,
    KINDS,
    NAMES,
    ODD_NAMES,
    TAGS,
    UIDS,
    draw_literal,
    draw_text,
    draw_value,
)
from tests.property.filter_draws import Draws
from tests.property.filter_values import write_pattern, write_text, write_uid, write_value

EXTENSIONS = ("ip", "decimal", "datetime", "duration")
_UNITS = ("toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays")
# what breaks a literal of an extension
_LETTERS = "0123456789.:/-+TZdhms fé\u0660"


def write_known(value: Known) -> str:
    """A value as a Cedar expression that has it, however it came to be."""
    match value:
        case Datetime(milliseconds):
            return f'datetime("1970-01-01").offset({write_known(Duration(milliseconds))})'
        case Duration(milliseconds):
            return f'duration("{milliseconds}ms")'
        case Ip(version, number, prefix):
            groups = [f"{number >> shift & 0xFFFF:x}" for shift in range(112, -1, -16)]
            parts = [str(number >> shift & 0xFF) for shift in (24, 16, 8, 0)]
            return f'ip("{":".join(groups) if version == 6 else ".".join(parts)}/{prefix}")'
        case list():
            return f"[{', '.join(map(write_known, value))}]"
        case dict():
            return "{" + ", ".join(f"{write_text(name)}: {write_known(part)}" for name, part in value.items()) + "}"
        case Decimal():
            return f'decimal("{value:.4f}")'
    return write_value(value)


def draw_mutation(draws: Draws, kind: str) -> str:
    """A text like that of an extension value, with a few letters changed."""
    text = draw_literal(draws, kind)
    for _ in range(draws.number(1, 3)):
        at = draws.below(len(text) + 1)
        letter = draws.pick(_LETTERS)
        # one is taken out, put in, or put in the place of another
        text = text[:at] + draws.pick(("", letter)) + text[at + draws.below(2) :]
    return text


class Author:
    """Writes policies and expressions."""

    def __init__(self, draws: Draws, values: list[Value]) -> None:
        self.draws = draws
        self.values = values

    def scope(self) -> str:
        """The scope of a policy."""
        draws = self.draws
        own = write_uid(draws.pick(ACTIONS))
        action = draws.pick(
            ("action", "action", "action", f"action == {own}", f"action in {own}", f"action in [{own}]")
        )
        return f"{self._side('principal')}, {action}, {self._side('resource')}"

    def _side(self, side: str) -> str:
        if not self.draws.chance(25):
            return side
        type_, uid = self.draws.pick(UIDS).type, write_uid(self.draws.pick(UIDS))
        return self.draws.pick(
            (f"{side} is {type_}", f"{side} in {uid}", f"{side} is {type_} in {uid}", f"{side} == {uid}")
        )

    def base(self, depth: int) -> str:
        """What has attributes."""
        draws = self.draws
        match draws.below(10):
            case 0 | 1 | 2:
                return "resource"
            case 3 | 4:
                return "principal"
            case 5 | 6:
                return "context"
            case 7:
                return draws.pick(("action", write_uid(draws.pick(UIDS))))
        if depth <= 0:
            return "context"
        return draws.pick((f"{self.base(depth - 1)}.e", f"{self.base(depth - 1)}.r", self.of("entity", depth - 1)))

    def read(self, kind: str, depth: int) -> str:
        """An attribute, mostly of a kind, or a tag."""
        draws, base = self.draws, self.base(depth)
        if draws.chance(5):
            return f"{base}[{write_text(draws.pick(ODD_NAMES))}]"
        if draws.chance(5):
            return f"{base}.getTag({write_text(draws.pick(TAGS))})"
        names = [name for name, of in NAMES.items() if of in (kind, "any")] or list(NAMES)
        return f"{base}.{draws.pick(names)}"

    def constant(self, kind: str) -> str:
        """A literal, now and then of what somebody has."""
        draws = self.draws
        if kind in EXTENSIONS and draws.chance(4):
            return f"{kind}({write_text(draw_mutation(draws, kind))})"
        value = draws.pick(self.values) if self.values and draws.chance(15) else draw_value(draws, kind)
        # an extension value of a file is written as it is there
        return write_value(value)

    def of(self, kind: str, depth: int) -> str:
        """An expression of a kind, or of another, now and then."""
        draws = self.draws
        if draws.chance(3) or kind == "any":
            kind = draws.pick(KINDS)
        if depth <= 0:
            return self.read(kind, 0) if draws.chance(50) else self.constant(kind)
        match draws.below(10):
            case 0:
                return (
                    f"(if {self.of('bool', depth - 1)} then {self.of(kind, depth - 1)} else {self.of(kind, depth - 1)})"
                )
            case 1 | 2:
                return self.read(kind, depth - 1)
        return str(getattr(self, f"_{kind}")(depth - 1))

    def _text(self, depth: int) -> str:
        return self.read("text", depth) if self.draws.chance(50) else self.constant("text")

    def _long(self, depth: int) -> str:
        draws = self.draws
        match draws.below(6):
            case 0 | 1 | 2:
                return f"({self.of('long', depth)} {draws.pick('+-*')} {self.of('long', depth)})"
            case 3:
                return f"(-{self.of('long', depth)})"
        return f"{self.of('duration', depth)}.{draws.pick(_UNITS)}()"

    def _entity(self, depth: int) -> str:
        return self.draws.pick(("principal", "resource", "action", self.constant("entity"), self.read("entity", depth)))

    def _set(self, depth: int) -> str:
        of = self.draws.pick(("any", "entity", "text", "long", "bool", "decimal", "record"))
        return f"[{', '.join(self.of(of, depth) for _ in range(self.draws.number(0, 3)))}]"

    def _record(self, depth: int) -> str:
        names = self.draws.some((*NAMES, *ODD_NAMES), 3)
        members = ", ".join(f"{write_text(name)}: {self.of(NAMES.get(name, 'any'), depth)}" for name in names)
        return self.draws.pick((f"{{{members}}}", "context"))

    def _ip(self, depth: int) -> str:
        return self._made("ip", depth)

    def _decimal(self, depth: int) -> str:
        return self._made("decimal", depth)

    def _datetime(self, depth: int) -> str:
        offset = f"{self.of('datetime', depth)}.offset({self.of('duration', depth)})"
        return self.draws.pick((self._made("datetime", depth), offset, f"{self.of('datetime', depth)}.toDate()"))

    def _duration(self, depth: int) -> str:
        since = f"{self.of('datetime', depth)}.durationSince({self.of('datetime', depth)})"
        return self.draws.pick((self._made("duration", depth), since, f"{self.of('datetime', depth)}.toTime()"))

    def _made(self, kind: str, depth: int) -> str:
        if self.draws.chance(15):
            return f"{kind}({self.of('text', depth)})"
        if self.draws.chance(15):
            chosen = self.of("bool", depth), *(write_text(draw_literal(self.draws, kind)) for _ in "ab")
            return f"{kind}(if {chosen[0]} then {chosen[1]} else {chosen[2]})"
        return self.constant(kind)

    def _bool(self, depth: int) -> str:
        draws = self.draws
        match draws.below(12):
            case 0 | 1:
                return f"({self.of('bool', depth)} {draws.pick(('&&', '||'))} {self.of('bool', depth)})"
            case 2:
                return f"!({self.of('bool', depth)})"
            case 3 | 4:
                kind = draws.pick(KINDS)
                return f"({self.of(kind, depth)} {draws.pick(('==', '!='))} {self.of(kind, depth)})"
            case 5:
                kind = draws.pick(("long", "datetime", "duration", "any"))
                return f"({self.of(kind, depth)} {draws.pick(('<', '<=', '>', '>='))} {self.of(kind, depth)})"
            case 6:
                return f"({self.of('entity', depth)} in {self.of(draws.pick(('entity', 'set')), depth)})"
            case 7:
                within = f" in {self.of(draws.pick(('entity', 'entity', 'set')), depth)}" if draws.chance(50) else ""
                return f"({self.of('entity', depth)} is {draws.pick(UIDS).type}{within})"
            case 8:
                return self._has(depth)
            case 9:
                return self._like(depth)
            case 10:
                return self._of_set(depth)
        return self._of_extension(depth)

    def _has(self, depth: int) -> str:
        draws, base = self.draws, self.base(depth)
        if draws.chance(25):
            key = write_text(draws.pick(TAGS)) if draws.chance(70) else self.of("text", depth)
            return f"{self.of('entity', depth)}.hasTag({key})"
        names = ".".join(draws.some(tuple(NAMES), 3, 1))
        return draws.pick((f"({base} has {names})", f"({base} has {write_text(draws.pick(ODD_NAMES))})"))

    def _of_set(self, depth: int) -> str:
        draws, left = self.draws, self.of("set", depth)
        match draws.below(4):
            case 0:
                return f"{left}.isEmpty()"
            case 1:
                return f"{left}.contains({self.of('any', depth)})"
        return f"{left}.{draws.pick(('containsAll', 'containsAny'))}({self.of('set', depth)})"

    def _of_extension(self, depth: int) -> str:
        draws = self.draws
        if draws.chance(40):
            method = draws.pick(("lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"))
            return f"{self.of('decimal', depth)}.{method}({self.of('decimal', depth)})"
        methods = ("isIpv4()", "isIpv6()", "isLoopback()", "isMulticast()", f"isInRange({self.of('ip', depth)})")
        return f"{self.of('ip', depth)}.{draws.pick(methods)}"

    def _like(self, depth: int) -> str:
        draws = self.draws
        text = next((value for value in self.values if isinstance(value, str)), "ab") if draws.chance(50) else ""
        text = text or draw_text(draws)
        cut = draws.number(0, len(text))
        start, end = text[:cut], text[cut:]
        other = draw_text(draws)
        parts: list[str | None] = draws.pick(
            (
                [start, None, end], [start, None], [None, end], [None, start, None], [text], [None], [], ["*"],
                [None, end, None, start], [start, None, None, end], [None, "\0", None], [other, None, end],
                [start, None, end[1:]], [start, None, end[:1], None, end[1:]], [None, text, None, text],
            )
        )  # fmt: skip
        return f"({self.of('text', depth)} like {write_pattern(parts)})"
