"""A tenant with a million entities: what it holds, and the rows that the writers would make of it.

    50 types with a class each · 5,000 owners · 200 teams · 1,000 folders below 100 below 10 · `environment` is `prod`
    of 10 %, a promoted column · `zone` is one of 1,000, indexed · `secret` is true of 1 %, false of half, and not
    indexed · two labels of 130, a set · an `address`

Owners and teams are drawn attributes, folders are parents. `bench.bulk` puts the rows into tables; that they are those
of the writers is checked before anything is measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from random import Random
from typing import Any, NamedTuple

from policy_service.assets.asset import derive_id
from policy_service.assets.elements import CLASS, Element, make_element
from policy_service.assets.kinds import BITS
from policy_service.assets.layout import Layout, read_wish, write_layout
from policy_service.model import Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.stored_values import write_json

NOW = 1_700_000_000_000
FILES = {
    "tenant.yaml": "name: {tenant}\nindexed: [zone]\n",
    "relationships.yaml": (
        "relationships:\n"
        "  owns: {attribute: {on: to, name: owner}}\n"
        "  team_has: {attribute: {on: to, name: team}}\n"
        "  folder_has: {parent: from}\n"
        "  member: {parent: from}\n"
    ),
}
TEAMS_OF_ONE = 3


class Sizes(NamedTuple):
    """How many there are of each; `folders` from the top down."""

    assets: int
    owners: int = 5_000
    teams: int = 200
    folders: tuple[int, ...] = (10, 100, 1_000)
    zones: int = 1_000
    types: int = 50
    labels: int = 130


class Entity(NamedTuple):
    """An entity as the API is sent it, without what it derives."""

    key: str
    type: str
    class_: str
    properties: dict[str, Any]


class Estate:
    """All entities of a tenant and what is drawn between them, the same for the same tenant and sizes."""

    def __init__(self, tenant: str, sizes: Sizes) -> None:
        self.tenant = tenant
        self.sizes = sizes
        draw, count = Random(tenant), sizes.assets
        self._types = draw.choices(range(sizes.types), k=count)
        self._owners = draw.choices(range(sizes.owners), k=count)
        self._teams = draw.choices(range(sizes.teams), k=count)
        self._folders = draw.choices(range(sizes.folders[-1]), k=count)
        self._zones = draw.choices(range(sizes.zones), k=count)
        self._environments = draw.choices(("prod", "stage", "dev"), weights=(1, 2, 7), k=count)
        self._secrets = draw.choices((True, False, None), weights=(2, 100, 98), k=count)
        self._labels = [draw.choices(range(sizes.labels), k=count) for _ in range(2)]
        self._addresses = draw.choices(range(1 << 16), k=count)

    def uid(self, type_: str, key: str) -> Uid:
        """An entity as policies name it."""
        return Uid(type_, derive_id("entity", self.tenant, "api", "", key))

    def owner(self, number: int) -> Uid:
        """A person who owns assets."""
        return self.uid("person", f"person-{number}")

    def team(self, number: int) -> Uid:
        """A team that has assets, and three of which each person is in."""
        return self.uid("team", f"team-{number}")

    def folder(self, level: int, number: int) -> Uid:
        """A folder, 0 is the top level."""
        return self.uid("folder", f"folder-{level}-{number}")

    def teams_of(self, owner: int) -> list[Uid]:
        """The teams that a person is in."""
        return [self.team((owner + each) % self.sizes.teams) for each in range(min(TEAMS_OF_ONE, self.sizes.teams))]

    def entities(self) -> Iterator[Entity]:
        """All of them, the assets last."""
        for number in range(self.sizes.owners):
            yield Entity(f"person-{number}", "person", "User", {})
        for number in range(self.sizes.teams):
            yield Entity(f"team-{number}", "team", "Team", {})
        for level, count in enumerate(self.sizes.folders):
            for number in range(count):
                yield Entity(f"folder-{level}-{number}", "folder", "Group", {})
        for number in range(self.sizes.assets):
            yield Entity(
                f"asset-{number}", f"type_{self._types[number]}", f"Class{self._types[number]}", self._describe(number)
            )

    def _describe(self, number: int) -> dict[str, Any]:
        high, low = divmod(self._addresses[number], 256)
        labels = sorted({f"label {labels[number]}" for labels in self._labels})
        told = {
            "address": f"10.{high}.{low}.{number % 256}",
            "environment": self._environments[number],
            "labels": labels,
            "note": f"what number {number} is for, in some words",
            "secret": self._secrets[number],
            "zone": f"zone {self._zones[number]}",
        }
        return {name: value for name, value in told.items() if value is not None}

    def relationships(self) -> Iterator[tuple[str, str, str, str]]:
        """The type of each, its key, and the keys of the entities it goes from and to."""
        for number in range(self.sizes.owners):
            for each in range(min(TEAMS_OF_ONE, self.sizes.teams)):
                team = f"team-{(number + each) % self.sizes.teams}"
                yield "member", f"member-{number}-{each}", team, f"person-{number}"
        for level, number, above in self._nested():
            yield "folder_has", f"folder-{level}-{number}", f"folder-{level - 1}-{above}", f"folder-{level}-{number}"
        last = len(self.sizes.folders) - 1
        for number in range(self.sizes.assets):
            asset = f"asset-{number}"
            yield "owns", f"owns-{number}", f"person-{self._owners[number]}", asset
            yield "team_has", f"team-{number}", f"team-{self._teams[number]}", asset
            yield "folder_has", f"in-{number}", f"folder-{last}-{self._folders[number]}", asset

    def _nested(self) -> Iterator[tuple[int, int, int]]:
        """The level and number of each folder that is in another, and the number of that one."""
        for level, (above, count) in enumerate(zip(self.sizes.folders, self.sizes.folders[1:], strict=False), 1):
            for number in range(count):
                yield level, number, number % above

    @cached_property
    def _ids(self) -> list[str]:
        return [derive_id("entity", self.tenant, "api", "", entity.key) for entity in self.entities()]

    def entity_rows(self) -> Iterator[dict[str, Any]]:
        """The columns of each entity, documents as canonical text; in the order in which they were written."""
        for id_, entity in zip(self._ids, self.entities(), strict=True):
            yield {
                "account_id": self.tenant, "id": id_, "type": entity.type, "key": entity.key, "source": "api",
                "scope": "", "display_name": entity.key, "properties": write_json(entity.properties), "tags": "{}",
                "sealed": None, "version": 1, "created_on": NOW, "begin_on": NOW, "end_on": None, "deleted": False,
                "classes": f'["{entity.class_}"]',
            }  # fmt: skip

    def element_rows(self) -> Iterator[tuple[str, str, str]]:
        """The name, the value and the entity of each row of elements, in the order of the primary key."""
        for (name, value), ids in sorted(self._elements.items(), key=lambda pair: pair[0]):
            yield from ((name, value, id_) for id_ in ids)

    @cached_property
    def _elements(self) -> dict[tuple[str, str], list[str]]:
        """The entities that have each name and value, in their order."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        above = self._above()
        bare = len(self._ids) - self.sizes.assets
        people = [[(row.name, row.value) for row in self._draw_member(number)] for number in range(self.sizes.owners)]
        others = people + [[] for _ in range(self.sizes.teams)] + [rows for level in above for rows in level]
        # by number what each value is written as: a million texts are made once for each that differs
        owners = [_key(make_element("@1.owner", self.owner(number))) for number in range(self.sizes.owners)]
        teams = [_key(make_element("@1.team", self.team(number))) for number in range(self.sizes.teams)]
        folders = [self._draw_in(len(above) - 1, number, above) for number in range(self.sizes.folders[-1])]
        labels = [_key(make_element(".labels[]", f"label {number}")) for number in range(self.sizes.labels)]
        zones = [_key(make_element(".zone", f"zone {number}")) for number in range(self.sizes.zones)]
        classes = [_key(make_element(CLASS, f"Class{number}")) for number in range(self.sizes.types)]
        kinds = ["User"] * self.sizes.owners + ["Team"] * self.sizes.teams
        for place in sorted(range(len(self._ids)), key=self._ids.__getitem__):
            id_ = self._ids[place]
            if place < bare:
                kind = kinds[place] if place < len(kinds) else "Group"
                for key in (*others[place], _key(make_element(CLASS, kind))):
                    found[key].append(id_)
                continue
            number = place - bare
            for key in (
                *folders[self._folders[number]],
                *{labels[each[number]] for each in self._labels},
                owners[self._owners[number]],
                teams[self._teams[number]],
                zones[self._zones[number]],
                classes[self._types[number]],
            ):
                found[key].append(id_)
        return found

    def _draw_member(self, number: int) -> list[Element]:
        return [make_element(name, team) for team in self.teams_of(number) for name in ("@1", "@1^")]

    def _above(self) -> list[list[list[tuple[str, str]]]]:
        """The rows of what is above each folder, by level and number."""
        found: list[list[list[tuple[str, str]]]] = [[[] for _ in range(self.sizes.folders[0])]]
        for level, number, above in self._nested():
            if len(found) == level:
                found.append([])
            assert len(found[level]) == number
            found[level].append(self._draw_in(level - 1, above, found))
        return found

    def _draw_in(self, level: int, number: int, above: list[list[list[tuple[str, str]]]]) -> list[tuple[str, str]]:
        """The rows of what is in a folder."""
        folder = self.folder(level, number)
        higher = [key for key in above[level][number] if key[0] == "@1"]
        return [_key(make_element("@1^", folder)), _key(make_element("@1", folder)), *higher]

    def kind_rows(self) -> Iterator[tuple[str, str, str, int]]:
        """The kinds of value that properties have."""
        kinds = {"labels": "set", "secret": "bool", **dict.fromkeys(("address", "environment", "note", "zone"), "text")}
        for name, kind in kinds.items():
            yield "entity", "attribute", name, BITS[kind]  # type: ignore[index]


def write_row_of_layout(bundle: Bundle) -> str:
    """The layout of a store that was made with these files."""
    return write_layout(Layout(1, read_wish(bundle)))


def _key(element: Element) -> tuple[str, str]:
    assert element.whole is None
    return element.name, element.value
