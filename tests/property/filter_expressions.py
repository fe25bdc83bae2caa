"""Cedar expressions of every kind, some of which fail."""

from __future__ import annotations

from policy_service.model import Value
from tests.property.filter_draws import Draws
from tests.property.filter_scenes import Scene, Vocabulary, draw_constant, draw_text_of, is_name, step
from tests.property.filter_values import (
    MEMBERS,
    NAMES,
    ODD_NAMES,
    TAGS,
    write_pattern,
    write_text,
    write_uid,
    write_value,
)

EXTENSIONS = ("ip", "decimal", "datetime", "duration")
COMPARED = ("<", "<=", ">", ">=")
KINDS = ("text", "long", "bool", "decimal", "entity", "set", "record", "number", "ip", "datetime", "duration")


class Expressions:
    """Writes expressions for one scene."""

    def __init__(self, draws: Draws, scene: Scene) -> None:
        self.draws = draws
        self.scene = scene

    def constant(self, kind: str, value: Value | None = None) -> str:
        """A constant of a kind, mostly this one."""
        made = value if value is not None and self.draws.chance(60) else draw_constant(self.draws, kind, self.scene)
        return write_value(made)

    def constants(self, kind: str, value: Value | None = None) -> str:
        """A set of constants."""
        # of many an index leads to each only up to some number
        count = 40 if self.draws.chance(2) else self.draws.number(0, 3)
        return f"[{', '.join(self.constant(kind, value) for _ in range(count))}]"

    def base(self) -> str:
        """What has attributes: one of the sides, the context, an entity by name, or what one of them refers to."""
        draws, scene = self.draws, self.scene
        match draws.below(10):
            case 0 | 1 | 2 | 3 | 4:
                return scene.unknown
            case 5 | 6:
                return scene.other
            case 7:
                return "context"
            case 8:
                return write_uid(draws.pick(scene.uids))
        return self.read(scene.other, "entity")

    def read(self, base: str, kind: str) -> str:
        """Something of a base, of this kind where anybody has it."""
        draws = self.draws
        places = self._words(base).places
        found = places.get(kind) or [place for some in places.values() for place in some]
        if not found or draws.chance(5):
            return f"{base}{step(draws.pick((*NAMES, *ODD_NAMES)))}"
        place = draws.pick(found)
        if draws.chance(30) and base != "context":
            return self.otherwise(place.guard.replace("{}", base), f"{base}{place.path}", kind)
        return f"{base}{place.path}"

    def otherwise(self, guard: str, expression: str, kind: str) -> str:
        """An expression where a guard holds, else a constant."""
        return f"(if {guard} then {expression} else {self.constant(kind)})"

    def _words(self, base: str) -> Vocabulary:
        if base == "context":
            return self.scene.told
        return self.scene.rows if base == self.scene.unknown else self.scene.known

    def of(self, kind: str, depth: int) -> str:
        """An expression of a kind, or of another, now and then."""
        draws = self.draws
        if depth <= 0 or draws.chance(35):
            return self.read(self.base(), kind) if draws.chance(60) else self.constant(kind)
        if draws.chance(4):
            kind = draws.pick(KINDS)
        if draws.chance(8):
            return f"(if {self.test(depth - 1)} then {self.of(kind, depth - 1)} else {self.of(kind, depth - 1)})"
        return self._make(kind, depth)

    def _make(self, kind: str, depth: int) -> str:
        draws = self.draws
        match kind:
            case "bool":
                return self.test(depth)
            case "long":
                return self._long(depth)
            case "entity":
                return draws.pick((self.scene.unknown, self.scene.other, self.read(self.base(), "entity"), "action"))
            case "set":
                of = draws.pick(("text", "entity", "long", "any", "bool", "record"))
                return f"[{', '.join(self.of(of, depth - 1) for _ in range(draws.number(1, 3)))}]"
            case "record":
                names = draws.some(MEMBERS, 2, 1)
                return "{" + ", ".join(f"{write_text(name)}: {self.of('any', depth - 1)}" for name in names) + "}"
            case "datetime":
                return self._datetime(depth)
            case "duration":
                times = f"{self._datetime(depth - 1)}.durationSince({self._datetime(depth - 1)})"
                return draws.pick((f"{self._datetime(depth - 1)}.toTime()", times))
            case "ip" | "decimal":
                return f"{kind}({self.of('text', depth - 1)})" if draws.chance(30) else self.constant(kind)
            case "any":
                return self.of(draws.pick(KINDS), depth)
        return self.read(self.base(), kind)

    def _long(self, depth: int) -> str:
        draws = self.draws
        match draws.below(5):
            case 0 | 1 | 2:
                return f"({self.of('long', depth - 1)} {draws.pick('+-*')} {self.of('long', depth - 1)})"
            case 3:
                return f"(-{self.of('long', depth - 1)})"
        unit = draws.pick(("toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"))
        return f"{self.of('duration', depth - 1)}.{unit}()"

    def _datetime(self, depth: int) -> str:
        draws = self.draws
        if depth <= 0 or draws.chance(50):
            return f"datetime({write_text(draw_text_of(draws, 'datetime'))})"
        offset = f"{self._datetime(depth - 1)}.offset({self.of('duration', depth - 1)})"
        return draws.pick((offset, f"{self._datetime(depth - 1)}.toDate()"))

    def test(self, depth: int) -> str:
        """A test of any two expressions."""
        draws = self.draws
        depth -= 1
        kind = draws.pick(KINDS)
        match draws.below(14):
            case 0 | 1:
                return f"({self.of(kind, depth)} {draws.pick(('==', '!='))} {self.of(kind, depth)})"
            case 2 | 3:
                kind = draws.pick(("long", "long", "long", "datetime", "duration", "any"))
                return f"({self.of(kind, depth)} {draws.pick(COMPARED)} {self.of(kind, depth)})"
            case 4:
                return f"({self.of('entity', depth)} in {self.of(draws.pick(('entity', 'set')), depth)})"
            case 5:
                return f"{self.of('set', depth)}.contains({self.of('any', depth)})"
            case 6:
                return f"{self.of('set', depth)}.{draws.pick(('containsAll', 'containsAny'))}({self.of('set', depth)})"
            case 7:
                return f"({self.of('text', depth)} like {self.pattern(str(draw_constant(draws, 'text', self.scene)))})"
            case 8:
                return self._has()
            case 9:
                type_ = draws.pick(self.scene.uids).type
                within = f" in {self.of('entity', depth)}" if draws.chance(40) else ""
                return f"({self.of('entity', depth)} is {type_}{within})"
            case 10:
                methods = (
                    "isIpv4()",
                    "isIpv6()",
                    "isLoopback()",
                    "isMulticast()",
                    f"isInRange({self.of('ip', depth)})",
                )
                return f"{self.of('ip', depth)}.{draws.pick(methods)}"
            case 11:
                method = draws.pick(("lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"))
                return f"{self.of('decimal', depth)}.{method}({self.of('decimal', depth)})"
            case 12:
                key = self.of("text", 0) if draws.chance(30) else write_text(draws.pick(TAGS))
                return f"{self.of('entity', depth)}.hasTag({key})"
        return f"{self.of('set', depth)}.isEmpty()"

    def _has(self) -> str:
        draws = self.draws
        name, base = draws.pick((*NAMES, *ODD_NAMES, *self.scene.rows.names)), self.base()
        if is_name(name) and draws.chance(40):
            name = ".".join((name, *(member for member in draws.some(MEMBERS, 2, 1) if is_name(member))))
            return f"({base} has {name})"
        return f"({base} has {name if is_name(name) else write_text(name)})"

    def pattern(self, value: str) -> str:
        """A pattern that the value or another text may be of."""
        draws = self.draws
        text = value if draws.chance(70) else str(draw_constant(draws, "text", self.scene))
        cut = draws.number(0, len(text))
        start, end = text[:cut], text[cut:]
        parts: list[str | None] = draws.pick(
            (
                [start, None, end], [start, None], [None, end], [None, start, None], [text], [None], ["\0", None],
                [None, end, None, start], [start, None, None, end], [None, "\0", None],
            )
        )  # fmt: skip
        return write_pattern(parts)
