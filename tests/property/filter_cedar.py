"""Cedar policies with every operator, about what the rows of a scene have."""

from __future__ import annotations

from policy_service.model import Uid, Value
from tests.property.filter_expressions import COMPARED, EXTENSIONS, Expressions
from tests.property.filter_scenes import Place, is_name, step
from tests.property.filter_values import MEMBERS, NAMES, ODD_NAMES, TAGS, write_text, write_uid

_SCALARS = ("text", "text", "long", "long", "long", "bool", "decimal", "number", "entity", "record", "set", "set")


class Author(Expressions):
    """Writes policies for one scene."""

    def write_set(self, number: int, most: int = 4) -> list[str]:
        """One to four policies, of which the first mostly permits; ids are unique below `number`."""
        count = self.draws.number(1, most)
        return [
            self.write(f"c{number}-{each}", permits=each == 0 and not self.draws.chance(7)) for each in range(count)
        ]

    def write(self, id_: str, *, permits: bool = False) -> str:
        """A policy."""
        draws = self.draws
        effect = "permit" if permits or draws.chance(45) else "forbid"
        scope = ", ".join((self._scope("principal"), self._action(), self._scope("resource")))
        clauses = []
        for _ in range(draws.pick((1, 1, 1, 1, 1, 2, 0))):
            condition = self.boolean(draws.number(0, 3))
            # a forbid that fails denies: of most rows, unless it is written with care
            if effect == "forbid" and draws.chance(50):
                clauses.append(f"when {{ {self._kept(condition)} }}")
            else:
                clauses.append(f"{'unless' if draws.chance(25) else 'when'} {{ {condition} }}")
        return f'@id("{id_}") {effect}({scope}) {" ".join(clauses)};'

    def _kept(self, condition: str) -> str:
        return f"{self._guarded(self.tell)} && {condition}" if self.draws.chance(50) else self._guarded(self.tell)

    def _scope(self, side: str) -> str:
        draws, scene = self.draws, self.scene
        if not draws.chance(30):
            return side
        unknown = side == scene.unknown
        uid = write_uid(draws.pick(scene.above if unknown and draws.chance(70) else scene.uids))
        type_ = draws.pick(scene.row_uids if unknown else scene.uids).type
        return draws.pick((f"{side} is {type_}", f"{side} in {uid}", f"{side} is {type_} in {uid}", f"{side} == {uid}"))

    def _action(self) -> str:
        own, groups = write_uid(self.scene.action), self.scene.action_groups
        group = write_uid(groups[0]) if groups else own
        return self.draws.pick(
            (f"action == {own}", f"action in [{own}]", f"action in {group}", f"action in [{group}, {own}]")
        )

    # booleans

    def boolean(self, depth: int) -> str:
        """A condition."""
        draws = self.draws
        if depth <= 0 or draws.chance(35):
            return self._guarded(self.tell) if draws.chance(65) else self.tell(None)
        match draws.below(15):
            case 0 | 1 | 2:
                return f"({self.boolean(depth - 1)} && {self.boolean(depth - 1)})"
            case 3 | 4 | 5:
                return f"({self.boolean(depth - 1)} || {self.boolean(depth - 1)})"
            case 6 | 7:
                return f"!({self.boolean(depth - 1)})"
            case 8:
                parts = (self.boolean(depth - 1), self.boolean(depth - 1), self.boolean(depth - 1))
                return "(if {} then {} else {})".format(*parts)
            case 9:
                return f"({self.boolean(depth - 1)} {draws.pick(('==', '!='))} {self.boolean(depth - 1)})"
        return self.test(depth)

    def _guarded(self, tell: object) -> str:
        """A test of a place of the rows, after what makes sure that it is there."""
        place = self._row_place()
        if place is None:
            return self.tell(None)
        side = self.scene.unknown
        return f"({place.guard.replace('{}', side)} && {self.tell(place)})"

    def _row_place(self, kind: str = "") -> Place | None:
        places = self.scene.rows.places
        kinds = [kind] if kind in places else [each for each in _SCALARS if each in places]
        return self.draws.pick(places[self.draws.pick(kinds)]) if kinds and (not kind or kind in places) else None

    def tell(self, place: Place | None) -> str:
        """A test of what rows have, or of where they are."""
        draws, scene = self.draws, self.scene
        if place is None:
            if draws.chance(45):
                return self._hierarchy()
            place = self._row_place()
        if place is None:
            return self._hierarchy()
        field, value = f"{scene.unknown}{place.path}", place.value
        if draws.chance(15):
            return self._against_field(field, value)
        match value:
            case bool():
                return draws.pick((field, f"!{field}", f"({field} == {self.constant('bool')})"))
            case int():
                return self._long_test(field)
            case str():
                return self._text_test(field, value)
            case Uid():
                return self._entity_test(field)
            case list():
                return self._set_test(field, value)
            case dict():
                return self._record_test(field, place)
        return self._decimal_test(field)

    def _long_test(self, field: str) -> str:
        draws = self.draws
        if draws.chance(30):
            field = draws.pick(
                (
                    f"(-{field})",
                    f"({field} + {self.constant('long')})",
                    f"({field} * {self.of('long', 0)})",
                    f"({self.of('long', 0)} - {field})",
                )
            )
        if draws.chance(20):
            return f"{self.constants('long')}.contains({field})"
        return f"({field} {draws.pick(('==', '!=', *COMPARED, *COMPARED))} {self.constant('long')})"

    def _decimal_test(self, field: str) -> str:
        method = self.draws.pick(("lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"))
        compared = f"{field}.{method}({self.constant('decimal')})"
        return self.draws.pick(
            (f"({field} == {self.constant('decimal')})", compared, f"({field} != {self.constant('decimal')})")
        )

    def _text_test(self, field: str, value: str) -> str:
        draws = self.draws
        match draws.below(6):
            case 0 | 1:
                return f"({field} {draws.pick(('==', '!='))} {self.constant('text', value)})"
            case 2 | 3:
                return f"({field} like {self.pattern(value)})"
            case 4:
                return f"{self.constants(draws.pick(('text', 'text', 'any')), value)}.contains({field})"
        if draws.chance(30):
            kind = draws.pick(EXTENSIONS)
            return f"({kind}({field}) == {self.constant(kind)})"
        return f"({field} == {self.read(self.base(), draws.pick(('text', 'any')))})"

    def _entity_test(self, entity: str) -> str:
        """A test of an expression that is an entity."""
        draws, scene = self.draws, self.scene
        uid = write_uid(draws.pick(scene.uids))
        type_ = draws.pick(scene.uids).type
        return draws.pick(
            (
                f"({entity} == {uid})",
                f"({entity} in {uid})",
                f"({entity} is {type_})",
                f"({entity} == {scene.other})",
                f"({entity} is {type_} in {uid})",
                f"({scene.other} in {entity})",
                f"({entity} in {scene.other})",
            )
        )

    def _set_test(self, field: str, value: list[Value]) -> str:
        draws, scene = self.draws, self.scene
        part = draws.pick(value) if value else None
        some = self.constants("any", part)
        tests = [
            f"{field}.contains({self.constant('any', part)})",
            f"{field}.containsAny({some})",
            f"{field}.containsAll({some})",
            f"{some}.containsAll({field})",
            f"{field}.isEmpty()",
            f"({field} == {self.constant('set', value)})",
            f"{some}.containsAny({field})",
            f"({field} != {some})",
            f"{field}.contains({self.read(self.base(), 'any')})",
        ]
        if isinstance(part, Uid) or draws.chance(10):
            uid = write_uid(draws.pick(scene.uids))
            other = scene.other
            tests = [
                f"{field}.contains({other})",
                f"({other} in {field})",
                f"({uid} in {field})",
                f"({scene.unknown} in {field})",
                f"{field}.contains({uid})",
                *tests,
            ]
        return draws.pick(tests)

    def _record_test(self, field: str, place: Place) -> str:
        draws = self.draws
        name = draws.pick((*MEMBERS, "__number", "env"))
        named = name if is_name(name) else write_text(name)
        literal = self.constant("record", place.value)
        member = f"{field}{step(name)}"
        return draws.pick(
            (
                f"({field} == {literal})",
                f"({field} != {literal})",
                f"({field} has {named})",
                f"({member} == {self.constant('any')})",
                f"({field} has {named} && {member} == {self.constant('any')})",
                f"[{literal}].contains({field})",
                f'({field}{step("__number")} like "1*")',
            )
        )

    def _against_field(self, field: str, value: Value) -> str:
        """A test of a place against another of the same row, or of the known side."""
        draws = self.draws
        other = self.read(self.scene.unknown if draws.chance(65) else self.base(), "any")
        tests = [f"({field} == {other})", f"({field} != {other})"]
        if isinstance(value, int) and not isinstance(value, bool):
            number = self.read(self.scene.unknown, "long")
            tests += [
                f"({field} {draws.pick(COMPARED)} {number})",
                f"(({field} {draws.pick('+-*')} {number}) <= {self.of('long', 0)})",
            ]
        if isinstance(value, list):
            tests += [f"{field}.contains({other})", f"{field}.containsAll({self.read(self.scene.unknown, 'set')})"]
        return draws.pick(tests)

    def _hierarchy(self) -> str:
        draws, scene = self.draws, self.scene
        row, other = scene.unknown, scene.other
        above = write_uid(draws.pick(scene.above if draws.chance(70) else scene.uids))
        some = ", ".join(write_uid(draws.pick(scene.uids)) for _ in range(draws.number(0, 3)))
        name = (
            draws.pick((*NAMES, *ODD_NAMES, *scene.rows.names))
            if draws.chance(40)
            else draws.pick(scene.rows.names or ("env",))
        )
        tag = draws.pick((*TAGS, *scene.rows.tags))
        drawn = draws.pick(("owner", "team", "labels"))
        return draws.pick(
            (
                f"({row} in {above})",
                f"({row} in [{some}])",
                f"({row} == {above})",
                f"({row} in {other})",
                f"({row} has {name if is_name(name) else write_text(name)})",
                f"{row}.hasTag({write_text(tag)})",
                f"({row} is {draws.pick(scene.row_uids).type})",
                f"({row} is {draws.pick(scene.row_uids).type} in {above})",
                f"({row} in {self.read(other, 'set')})",
                f"({other} in {row})",
                f"({row} has {drawn} && {other} in {row}.{drawn})",
                f"({row} has {drawn} && {row}.{drawn}.contains({other}))",
                f"({row} has {drawn}.env)",
                f"({row} == {other})",
                f"({row} in {self.read(other, 'entity')})",
                f"({self.read(other, 'entity')} in {row})",
                f"{self.read(other, 'set')}.contains({row})",
                f"({row} has {drawn} && {row}.{drawn}.containsAny([{some}]))",
            )
        )
