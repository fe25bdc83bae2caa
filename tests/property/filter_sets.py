"""Sets of policies, each about an action of its own, so that many are one bundle; and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policy_service.model import Entity, Finding, Thing, Uid, Value, Version
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.files import parse_layer
from policy_service.policy.layer import Layer
from policy_service.policy.names import request_type
from policy_service.policy.values import read_record
from tests.property.files import encode
from tests.property.filter_cedar import Author
from tests.property.filter_draws import Draws
from tests.property.filter_others import to_files, write_abac, write_casbin
from tests.property.filter_scenes import Scene, Side, read_vocabulary
from tests.property.filter_store import Stored
from tests.property.filter_values import NAMES, draw_nested, draw_property
from tests.property.filter_worlds import ACCOUNT, GROUPS, NOBODY, PEOPLE, TEAMS, World

SETS = 16
_ACTIONS = "".join(
    f"action a{number} in [odd, all];\n" if number % 2 else f"action a{number} in [all];\n" for number in range(SETS)
)
_SCHEMA = f"""entity Group in [Group]; entity Nothing;
action none appliesTo {{ principal: Nothing, resource: Nothing }};
action all; action odd in [all];
{_ACTIONS}"""


@dataclass(frozen=True)
class Asking:
    """A question with one side unknown: who or what is known, and what a request says of either side."""

    action: str
    unknown: Side
    known: Thing
    overlay: Mapping[str, Any]
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Sets:
    """Texts of policies by file, and the questions about each; `scenes` in the order of actions."""

    files: Mapping[str, str]
    askings: Sequence[Asking]

    def about(self, action: str) -> dict[str, str]:
        """The files of the set that is about an action."""
        number = action.removeprefix("a")
        names = (f"c{number}-", f"a{number}.", f"k{number}.")
        return {name: text for name, text in self.files.items() if name.startswith(names)}


def draw_sets(draws: Draws, everyone: Everyone, count: int, askings: int = 2) -> Sets:
    """So many sets, each with so many questions."""
    files: dict[str, str] = {}
    asked: list[Asking] = []
    for number in range(count):
        context = {name: draw_property(draws, kind) for name, kind in draws.some(tuple(NAMES.items()), 4)}
        if draws.chance(20):
            context["r"] = draw_nested(draws)
        unknown: Side = "principal" if draws.chance(25) else "resource"
        scene = everyone.scene(number, unknown, read_record(context))
        files |= _write_files(draws, scene, number)
        for each in range(askings):
            known = draws.pick(everyone.known)
            says = draw_overlay(draws) if draws.chance(15) else {}
            overlay = draw_overlay(draws) if draws.chance(10) else {}
            thing = Thing(request_type(known.type), known.id, says)
            asked.append(
                Asking(f"a{number}", unknown, thing, overlay, context if each == 0 else {**context, "env": "prod"})
            )
    return Sets(files, asked)


def draw_overlay(draws: Draws) -> dict[str, Any]:
    """Properties that a request sends."""
    return {name: draw_property(draws, kind) for name, kind in draws.some(tuple(NAMES.items()), 3, 1)}


def _write_files(draws: Draws, scene: Scene, number: int) -> dict[str, str]:
    language = draws.below(100)
    files: dict[str, str] = {}
    if language < 85:
        files |= {f"c{number}-{each}.cedar": text for each, text in enumerate(Author(draws, scene).write_set(number))}
    abac = write_abac(draws, scene, number) if language >= 78 and language < 93 else []
    casbin = write_casbin(draws, scene) if language >= 92 or 75 <= language < 80 else None
    return files | to_files(number, abac, casbin)


class Everyone:
    """What scenes of one world share."""

    def __init__(self, stored: Stored) -> None:
        rows = [row.entity for kind in stored.rows.values() for row in kind]
        self.drawn = stored.drawn
        self.rows = read_vocabulary(rows)
        self.filed = read_vocabulary([*stored.filed.values(), *rows[:3]])
        self.row_uids = tuple(row.uid for row in rows) or (Uid("host", "none"),)
        drawn = {parent for row in rows for parent in row.parents}
        self.above = (*sorted(drawn), *GROUPS, *TEAMS)
        self.uids = (*self.row_uids, *PEOPLE, *TEAMS, *NOBODY, *GROUPS)
        self.known = (*PEOPLE, *PEOPLE, *self.row_uids, *TEAMS, *NOBODY)

    def scene(self, number: int = 0, unknown: Side = "resource", context: Mapping[str, Value] | None = None) -> Scene:
        """The scene of one set."""
        action = Uid("Action", f"a{number}")
        groups = [Uid("Action", "odd")] if number % 2 else []
        told = read_vocabulary([Entity(Uid("x", "x"), context or {})])
        return Scene(
            unknown,
            action,
            groups,
            self.rows,
            self.filed,
            told,
            self.uids,
            self.row_uids,
            self.above,
            self.drawn,
        )


def _platform() -> Layer:
    text = '@id("nothing") forbid(principal, action, resource) when { false };'
    return parse_layer("policies", encode({"nothing.cedar": text, "schema.cedarschema": _SCHEMA}), tenant=None)


_PLATFORM = _platform()


def make_bundle(world: World, files: Mapping[str, str]) -> tuple[Bundle, list[Finding]]:
    """The bundle of a world with those of the policies in which nothing is found wrong, and what was."""
    left, found = dict(files), []
    while True:
        texts = {**world.files, **left}
        bundle, findings = join(
            _PLATFORM, parse_layer(f"tenants/{ACCOUNT}", encode(texts), tenant=ACCOUNT), Version("0" * 64)
        )
        if bundle is not None:
            return bundle, found
        found += findings
        wrong = {finding.path.removeprefix(f"tenants/{ACCOUNT}/").split("/")[0] for finding in findings}
        kept = {name: text for name, text in left.items() if name.split("/")[0] not in wrong}
        assert len(kept) < len(left), findings
        left = kept
