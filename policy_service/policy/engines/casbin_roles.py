"""Roles of one casbin folder: its own `g` lines, at any depth.

A name on the right of a `g` line, and `group:…`, is a role: no request has it by carrying it as an id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from policy_service.errors import RequestError
from policy_service.model import Uid
from policy_service.policy.names import entity_uid

GROUP_PREFIX: Final = "group:"


class Link(NamedTuple):
    """One line `g, member, role`."""

    function: str
    member: str
    role: str
    line: int


@dataclass(frozen=True, slots=True)
class Roles:
    """Who leads to whom, for each role function (`g`, `g2`…).

    `up` and `down` are the lines read in both directions, `roles` all names on the right of a line, `typed`
    the names that the folder writes as `<type>:<id>`, by the entity they name, and `longest` how long names are.
    """

    up: Mapping[str, Mapping[str, tuple[str, ...]]]
    down: Mapping[str, Mapping[str, tuple[str, ...]]]
    roles: frozenset[str]
    typed: Mapping[Uid, tuple[str, ...]]
    longest: int

    def is_role(self, name: str) -> bool:
        """Whether no request has `name` by carrying it as an id."""
        return name in self.roles or name.startswith(GROUP_PREFIX)

    def climb(self, function: str, starts: Iterable[str]) -> frozenset[str]:
        """The names themselves and all roles that the folder's lines lead to from them."""
        return frozenset(_walk(self.up.get(function, {}), starts))

    def start(self, uid: Uid, groups: Iterable[str]) -> tuple[set[str], set[str]]:
        """The names that are an entity's own: those that are sure, and its id where it reads as another entity."""
        sure = {f"{GROUP_PREFIX}{name}" for name in groups}
        sure.update(self.typed.get(uid, ()))
        # an id that is longer than every name of the folder is none of them: it may be as long as a request
        if len(uid.id) > self.longest or self.is_role(uid.id):
            return sure, set()
        other = read_typed(uid.id)
        if other is None or other.type == uid.type:
            return sure | {uid.id}, set()
        return sure, {uid.id}

    def descend(self, function: str, role: str, limit: int) -> frozenset[str] | None:
        """The name itself and all names that lead to it; `None` where there are more than `limit`."""
        found = _walk(self.down.get(function, {}), (role,), limit)
        return None if len(found) > limit else frozenset(found)


def build_roles(links: Iterable[Link], named: Iterable[str]) -> Roles:
    """The roles that `links` make; `named` are further names that lines use as a role."""
    up: dict[str, dict[str, list[str]]] = {}
    down: dict[str, dict[str, list[str]]] = {}
    names = set(named)
    roles = set()
    for link in links:
        up.setdefault(link.function, {}).setdefault(link.member, []).append(link.role)
        down.setdefault(link.function, {}).setdefault(link.role, []).append(link.member)
        names.add(link.member)
        roles.add(link.role)
    typed: dict[Uid, list[str]] = {}
    for name in sorted(names):
        uid = read_typed(name)
        if uid is not None and name not in roles and not name.startswith(GROUP_PREFIX):
            typed.setdefault(uid, []).append(name)
    by_uid = {uid: tuple(texts) for uid, texts in typed.items()}
    longest = max(map(len, (*names, *roles)), default=0)
    return Roles(_freeze(up), _freeze(down), frozenset(roles), by_uid, longest)


def read_typed(name: str) -> Uid | None:
    """The entity that `name` spells as `<type>:<id>`, `None` where it is no such text."""
    try:
        return entity_uid(name)
    except RequestError:
        return None


def find_cycles(links: Iterable[Link]) -> list[tuple[int, str]]:
    """Lines that close a cycle of roles, each with a sentence; one for each role function."""
    found: list[tuple[int, str]] = []
    by_function: dict[str, list[Link]] = {}
    for link in links:
        by_function.setdefault(link.function, []).append(link)
    for function, own in by_function.items():
        up: dict[str, list[Link]] = {}
        waiting: dict[str, int] = {}
        for link in own:
            up.setdefault(link.member, []).append(link)
            waiting[link.role] = waiting.get(link.role, 0) + 1
        open_ = [member for member in up if member not in waiting]
        while open_:
            for link in up.pop(open_.pop(), ()):
                waiting[link.role] -= 1
                if not waiting[link.role]:
                    open_.append(link.role)
        if up:
            found.append(_trace(function, up))
    return found


def _trace(function: str, left: Mapping[str, Sequence[Link]]) -> tuple[int, str]:
    """One circle among members of which each has a link from another one to it."""
    below = {link.role: link for links in left.values() for link in links}
    name = next(iter(left))
    path: list[Link] = []
    seen: dict[str, int] = {}
    while name not in seen:
        seen[name] = len(path)
        path.append(below[name])
        name = below[name].member
    circle = path[seen[name] :][::-1]
    names = [f"`{link.member}`" for link in circle[:8]] + ["…"] * (len(circle) > 8) + [f"`{circle[0].member}`"]
    line = max(link.line for link in circle)
    return line, f"the `{function}` lines go in a circle, take one out: {' → '.join(names)}"


def _walk(steps: Mapping[str, Sequence[str]], starts: Iterable[str], limit: int | None = None) -> set[str]:
    found = set(starts)
    open_ = list(found)
    while open_ and (limit is None or len(found) <= limit):
        for name in steps.get(open_.pop(), ()):
            if name not in found:
                found.add(name)
                open_.append(name)
    return found


def _freeze(steps: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, dict[str, tuple[str, ...]]]:
    return {function: {name: tuple(names) for name, names in own.items()} for function, own in steps.items()}
