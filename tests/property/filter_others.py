"""py-abac policies and casbin models about what the rows of a scene have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policy_service.model import Value
from policy_service.policy.values import NUMBER, plain
from tests.property.filter_draws import Draws
from tests.property.filter_scenes import Scene, draw_constant, is_name
from tests.property.filter_values import NAMES, TEXTS

_MODEL = """[request_definition]
r = sub, obj, act, ctx
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = {matcher}
"""
_ORDERS = ("Eq", "Neq", "Gt", "Gte", "Lt", "Lte")
_TEXTUAL = ("Equals", "NotEquals", "Contains", "NotContains", "StartsWith", "EndsWith")
_SETS = ("AllIn", "AllNotIn", "AnyIn", "AnyNotIn")
_PAIRS = ("EqualsAttribute", "NotEqualsAttribute", "IsInAttribute", "IsNotInAttribute")
_SET_PAIRS = ("AllInAttribute", "AllNotInAttribute", "AnyInAttribute", "AnyNotInAttribute")


def write_abac(draws: Draws, scene: Scene, number: int) -> list[dict[str, Any]]:
    """One or two policies."""
    return [_write_abac(draws, scene, f"a{number}-{each}") for each in range(draws.number(1, 2))]


def _write_abac(draws: Draws, scene: Scene, id_: str) -> dict[str, Any]:
    side = "resource" if scene.unknown == "resource" else "subject"
    rules: dict[str, Any] = {side: _write_rule(draws, scene, side)}
    if draws.chance(15):
        other = "subject" if side == "resource" else "resource"
        rules[other] = {_path(draws, scene): _write_condition(draws, scene, "text", other)}
    targets: dict[str, Any] = {"action_id": scene.action.id}
    if draws.chance(20):
        uid = draws.pick(scene.uids)
        targets[f"{side}_id"] = draws.pick(
            (uid.id, f"{uid.id[:3]}*" if "[" not in uid.id else "*", "*0*", [uid.id, "*1"])
        )
    return {"uid": id_, "effect": "deny" if draws.chance(40) else "allow", "rules": rules, "targets": targets}


def _write_rule(draws: Draws, scene: Scene, side: str) -> Any:
    rules = []
    for _ in range(draws.pick((1, 1, 2))):
        conditions = {}
        for _ in range(draws.pick((1, 1, 2))):
            name, value = _draw_place(draws, scene)
            if draws.chance(15):
                name, value = draws.pick(
                    (("type", draws.pick(scene.row_uids).type), ("id", draws.pick(scene.row_uids).id))
                )
            conditions[_write_path(name)] = _write_condition(draws, scene, value, side)
        rules.append(conditions)
    return rules[0] if len(rules) == 1 else rules


def _draw_place(draws: Draws, scene: Scene) -> tuple[str, Value]:
    name = draws.pick(scene.rows.names or ("env",))
    values = [place.value for places in scene.rows.places.values() for place in places if place.path == f".{name}"]
    return name, draws.pick(values) if values else "a"


def _path(draws: Draws, scene: Scene) -> str:
    return _write_path(draws.pick((*NAMES, *scene.rows.names)))


def _write_path(name: str) -> str:
    if is_name(name):
        return f"$.{name}"
    usable = name and not any(c in "'\"\\" or c < " " for c in name)
    return f"$['{name}']" if usable else "$.env"


def _write_condition(draws: Draws, scene: Scene, value: Value, side: str, depth: int = 2) -> dict[str, Any]:
    """A condition that a value may meet."""
    if depth and draws.chance(25):
        parts = [_write_condition(draws, scene, value, side, depth - 1) for _ in range(draws.number(1, 3))]
        return draws.pick(
            (
                {"condition": "Not", "value": parts[0]},
                {"condition": "AllOf", "values": parts},
                {"condition": "AnyOf", "values": parts},
            )
        )
    if draws.chance(15):
        return {"condition": draws.pick(("Exists", "NotExists", "Any"))}
    if draws.chance(12):
        pair = draws.pick(_SET_PAIRS if isinstance(value, list) else _PAIRS)
        return {"condition": pair, "ace": draws.pick((side, side, "subject", "resource")), "path": _path(draws, scene)}
    if draws.chance(15):
        value = draw_constant(draws, draws.pick(("text", "long", "bool", "set")), scene)
    match value:
        case bool():
            return {"condition": draws.pick(("IsIn", "IsNotIn")), "values": [value, *_scalars(draws, scene)]}
        case int() | Decimal():
            number = plain(value) if draws.chance(70) else draws.pick((0, 1, 2, 1.5, 1e300))
            return draws.pick(
                (
                    {"condition": draws.pick(_ORDERS), "value": number},
                    {"condition": draws.pick(_ORDERS), "value": number},
                    {"condition": "IsIn", "values": [number, *_scalars(draws, scene)]},
                )
            )
        case str():
            return _write_text_condition(draws, scene, value)
        case list():
            some = [plain(part) for part in value if not isinstance(part, list | dict)][:2] + _scalars(draws, scene)
            return draws.pick(
                (
                    {"condition": draws.pick(_SETS), "values": some or ["a"]},
                    {"condition": draws.pick(("IsEmpty", "IsNotEmpty"))},
                    {"condition": draws.pick(_SETS), "values": some or [1]},
                )
            )
        case dict() if NUMBER not in value:
            return {"condition": "EqualsObject", "value": plain(value)}
    return {"condition": draws.pick(("Exists", "NotExists"))}


def _write_text_condition(draws: Draws, scene: Scene, value: str) -> dict[str, Any]:
    text = (value or "a") if draws.chance(70) else draws.pick(TEXTS)
    if draws.chance(8):
        return {"condition": "RegexMatch", "value": draws.pick(("^a", "b$", "[0-9]+", "."))}
    if draws.chance(5):
        return {"condition": "CIDR", "value": "10.0.0.0/8"}
    if draws.chance(20):
        return {"condition": draws.pick(("IsIn", "IsNotIn")), "values": [text, *_scalars(draws, scene)]}
    cut = text[: draws.number(0, len(text))]
    made: dict[str, Any] = {"condition": draws.pick(_TEXTUAL), "value": draws.pick((text, cut))}
    return {**made, "case_insensitive": True} if draws.chance(15) else made


def _scalars(draws: Draws, scene: Scene) -> list[Any]:
    kinds = ("text", "text", "long", "bool", "decimal")
    return [plain(draw_constant(draws, draws.pick(kinds), scene)) for _ in range(draws.number(0, 3))]


def write_casbin(draws: Draws, scene: Scene) -> tuple[str, str]:
    """A model and its lines."""
    side = "obj" if scene.unknown == "resource" else "sub"
    parts = [f"({_write_part(draws, scene, side)})" for _ in range(draws.number(1, 3))]
    joined = parts[0]
    for part in parts[1:]:
        joined = f"({joined} {draws.pick(('&&', '||'))} {part})"
    matcher = f"r.act == p.act && {joined}"
    if draws.chance(40):
        matcher += " && g(r.sub, p.sub)"
    lines = [_write_line(draws, scene, number == 0) for number in range(draws.number(1, 3))]
    return _MODEL.format(matcher=matcher), "\n".join(lines) + "\n" + ("g, user:x, reader\n" if "g(" in matcher else "")


def _write_line(draws: Draws, scene: Scene, first: bool) -> str:
    uid = draws.pick(scene.uids)
    subject = draws.pick(("group:g1", "group:g2", "reader", _column(uid.id), _column(f"{uid.type}:{uid.id}")))
    thing = draws.pick((_column(draw_constant(draws, "text", scene)), _column(uid.id)))
    return f"p, {subject}, {thing}, {scene.action.id}, {'allow' if first or draws.chance(50) else 'deny'}"


def _column(value: Value) -> str:
    text = str(value).strip()
    fine = text and text.isprintable() and len(text) < 100 and not any(c in '",#' for c in text)
    return text if fine else "a"


def _write_part(draws: Draws, scene: Scene, side: str) -> str:
    """A condition of a matcher."""
    name, value = _draw_place(draws, scene)
    field = f"r.{side}.{name}" if is_name(name) else f"r.{side}.env"
    operator = draws.pick(("==", "!=", "<", "<=", ">", ">="))
    if draws.chance(25):
        patterns = ("keyMatch", "keyMatch2", "regexMatch", "globMatch") if draws.chance(40) else ("keyMatch",)
        fixed = f'r.{side}.type == "{draws.pick(scene.row_uids).type}"'
        return draws.pick(
            (fixed, f"r.{side} == p.obj", f"{draws.pick(patterns)}({field}, p.obj)", f"{field} == r.{side}.env")
        )
    match value:
        case bool():
            return draws.pick((field, f"!{field}", f"{field} == True"))
        case int() | Decimal():
            return draws.pick(
                (f"{field} {operator} {_number(draws, value)}", f"{field} in (1, 2, {_number(draws, value)})")
            )
        case list():
            return draws.pick((f"p.obj in {field}", f"1 in {field}", f'"a" in {field}', f"r.{side}.env in {field}"))
    return draws.pick(
        (f"{field} {operator} p.obj", f'{field} in ("a", "b", "prod")', f"{field} == p.obj", f"!({field} == p.obj)")
    )


def _number(draws: Draws, value: int | Decimal) -> str:
    return f"{value:f}" if draws.chance(60) else draws.pick(("0", "1", "2", "1.5", "-1"))


def to_files(number: int, abac: list[dict[str, Any]], casbin: tuple[str, str] | None) -> Mapping[str, str]:
    """What a tenant's folder holds of them."""
    files = {f"a{number}.abac.json": json.dumps(abac, ensure_ascii=False)} if abac else {}
    if casbin:
        files |= {f"k{number}.casbin/model.conf": casbin[0], f"k{number}.casbin/policy.csv": casbin[1]}
    return files
