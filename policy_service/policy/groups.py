"""Membership kept in files: casbin lines `g, <member>, <group>, <tenant>`, read into who is in what.

Nested groups count at any depth. A million lines load in seconds and nothing recurses, however deep or wide
the groups are: closures are made when they are asked for, and those made are kept up to a bound.
"""

from __future__ import annotations

import re
import unicodedata
from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from policy_service.errors import RequestError
from policy_service.model import Finding, Uid
from policy_service.policy.names import GROUP, entity_text, entity_uid, is_reserved
from policy_service.policy.scope import LIMITS

_NOTHING: frozenset[Uid] = frozenset()
_KEPT = 200_000  # how many groups the kept closures may name together
_MARK = "group:"
_FINDINGS = 100
_GROUPS = 100_000
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\"'`\ufeff\u2028\u2029\x85]")


@dataclass(frozen=True, slots=True)
class Groups:
    """Who is in which group. `parents` holds the groups each member is in directly."""

    parents: Mapping[Uid, frozenset[Uid]] = field(default_factory=dict)
    _closures: dict[frozenset[Uid], frozenset[Uid]] = field(default_factory=dict, repr=False, compare=False)
    _ids: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)
    _members: dict[Uid, list[Uid]] = field(default_factory=dict, repr=False, compare=False)

    def closure(self, uid: Uid) -> frozenset[Uid]:
        """All groups `uid` is in, through other groups too; itself only where it is a group in itself."""
        direct = self.parents.get(uid)
        if not direct:
            return _NOTHING
        known = self._closures.get(direct)
        return self._reach(direct) if known is None else known

    def _reach(self, direct: frozenset[Uid]) -> frozenset[Uid]:
        found, open_ = set(direct), list(direct)
        while open_:
            fresh = self.parents.get(open_.pop(), _NOTHING) - found
            found |= fresh
            open_.extend(fresh)
        closure = frozenset(found)
        # a chain of n groups has closures of n²/2 names together: start over before they fill the memory
        if len(self._closures) * 64 + len(closure) > _KEPT:
            self._closures.clear()
        if len(closure) <= 64:
            self._closures[direct] = closure
        return closure

    def ids_of(self, type_: str) -> tuple[str, ...]:
        """The ids of all members of a type, sorted; all members are looked through once, whatever types are asked."""
        if not self._ids and self.parents:
            found: dict[str, list[str]] = {}
            for member in self.parents:
                found.setdefault(member.type, []).append(member.id)
            # at once, as below
            self._ids.update({name: tuple(sorted(ids)) for name, ids in found.items()})
        return self._ids.get(type_, ())

    def members(self, group: Uid) -> Sequence[Uid]:
        """Who is in a group directly; all groups are looked through once."""
        if not self._members and self.parents:
            found: dict[Uid, list[Uid]] = {}
            for member, groups in self.parents.items():
                for each in groups:
                    found.setdefault(each, []).append(member)
            # at once: another thread that asks meanwhile finds all of it or nothing
            self._members.update(found)
        return self._members.get(group, ())

    def add(self, more: Mapping[str, Sequence[str]]) -> Groups:
        """These groups and more members: `{"editors": ["user:alice"]}`.

        A member that is not typed or reserved, or a cycle, is a `ValueError` with a sentence.
        """
        parents: dict[Uid, set[Uid]] = {}
        for name, members in more.items():
            group = _read_group(_MARK + name.removeprefix(_MARK))
            for member in members:
                parents.setdefault(_read_member(member), set()).add(group)
        added = {uid: frozenset(groups) | self.parents.get(uid, _NOTHING) for uid, groups in parents.items()}
        # hundreds of case files may each add to a million members: neither copied nor walked through again
        joined = ChainMap(added, cast(MutableMapping[Uid, frozenset[Uid]], self.parents))
        cycle = find_cycle(joined, added)
        if cycle:
            raise ValueError(_cycle_sentence(cycle))
        return Groups(joined)


def find_cycle(parents: Mapping[Uid, Iterable[Uid]], starts: Iterable[Uid] | None = None) -> list[Uid]:
    """One cycle of the parents, its least both first and last, or nothing; does not recurse.

    With `starts`, only what can be reached from them is looked at.
    """
    if starts is None:
        # only what is somebody's parent and has parents itself can be on a cycle
        held = {uid for above in set(map(frozenset, parents.values())) for uid in above}
        starts = [uid for uid in parents if uid in held]
    seen: set[Uid] = set()
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        path = {start: None}  # in order, and found fast
        walks = [iter(sorted(parents[start]))]
        while walks:
            for parent in walks[-1]:
                if parent in path:
                    names = list(path)
                    return _rotate(names[names.index(parent) :])
                if parent in parents and parent not in seen:
                    seen.add(parent)
                    path[parent] = None
                    walks.append(iter(sorted(parents[parent])))
                    break
            else:
                walks.pop()
                path.popitem()
    return []


def _rotate(cycle: list[Uid]) -> list[Uid]:
    """A cycle from its least member on: the same files are told the same, whichever worker reads them."""
    start = cycle.index(min(cycle))
    return [*cycle[start:], *cycle[:start], cycle[start]]


def parse_groups(path: str, text: str, tenant: str) -> tuple[Groups, list[Finding]]:
    """The membership that a `groups.csv` states, and what is wrong with it."""
    if text.count("\n") > LIMITS.group_lines:
        return Groups(), [Finding(path, 1, f"more than {LIMITS.group_lines} lines, which is the most")]
    reading = _Reading(path, tenant, odd=_FORBIDDEN.search(text) is not None)
    for number, line in enumerate(text.split("\n"), 1):
        reading.read(number, line)
        if len(reading.findings) >= _FINDINGS:
            break
    return reading.finish()


class _Reading:
    """One pass over the lines: texts that repeat are read once, equal sets of groups are held once."""

    def __init__(self, path: str, tenant: str, *, odd: bool) -> None:
        self.path = path
        self.tenant = tenant
        self.odd = odd  # some line holds a character that is not read
        self.findings: list[Finding] = []
        self.types: dict[str, str] = {}
        self.groups: dict[str, Uid] = {}
        self.folded: dict[str, tuple[str, int]] = {}
        self.parents: dict[Uid, Uid | set[Uid]] = {}
        self.first: dict[Uid, int] = {}

    def read(self, number: int, line: str) -> None:
        fields = line.split(",", 4)
        if len(fields) != 4 or fields[0].strip() != "g" or fields[3].strip() != self.tenant or self.odd:
            sentence = _refuse_line(line, fields, self.tenant)
            if sentence is not None:
                if sentence:
                    self.findings.append(Finding(self.path, number, sentence))
                return
        try:
            member, group = self._member(fields[1].strip(), number), self._group(fields[2].strip(), number)
        except ValueError as error:
            self.findings.append(Finding(self.path, number, str(error)))
            return
        held = self.parents.get(member)
        if held is None:
            self.parents[member] = group
        elif isinstance(held, set):
            held.add(group)
        elif held != group:
            self.parents[member] = {held, group}

    def _member(self, text: str, number: int) -> Uid:
        if text.startswith(_MARK):
            return self._group(text, number)
        kind, _, name = text.partition(":")
        known = self.types.get(kind)
        if known is not None and name and name[0] != ":":
            return Uid(known, name)
        uid = _read_member(text)
        if uid.id == name:
            self.types[kind] = uid.type
        return uid

    def _group(self, text: str, number: int) -> Uid:
        uid = self.groups.get(text)
        if uid is None:
            uid = _read_group(text)
            name = uid.id
            if len(self.groups) >= _GROUPS:
                raise ValueError(f"more than {_GROUPS} groups, which is the most")
            folded = name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()
            other, line = self.folded.setdefault(folded, (name, number))
            if other != name:
                raise ValueError(
                    f"`{text}` differs from `{_MARK}{other}` in line {line} by case only, use one spelling"
                )
            self.groups[text] = uid
            self.first[uid] = number
        return uid

    def finish(self) -> tuple[Groups, list[Finding]]:
        sets: dict[frozenset[Uid], frozenset[Uid]] = {}
        single: dict[Uid, frozenset[Uid]] = {}
        parents: dict[Uid, frozenset[Uid]] = {}
        for member, held in self.parents.items():
            if isinstance(held, set):
                groups = frozenset(held)
                parents[member] = sets.setdefault(groups, groups)
            else:
                parents[member] = single.get(held) or single.setdefault(held, frozenset((held,)))
        cycle = [] if self.findings else find_cycle(parents)
        if cycle:
            line = min(self.first.get(uid, 1) for uid in cycle)
            self.findings.append(Finding(self.path, line, _cycle_sentence(cycle)))
        return (Groups(), self.findings) if self.findings else (Groups(parents), [])


def _refuse_line(line: str, fields: list[str], tenant: str) -> str | None:
    """Why a line is not read: a sentence, an empty one for a blank line and a comment; none where it is."""
    if not line.strip() or line.lstrip().startswith("#"):
        return ""
    odd = _FORBIDDEN.search(line)
    if odd:
        shown = odd[0] if odd[0].isprintable() and odd[0] != "`" else f"U+{ord(odd[0]):04X}"
        return f"`{shown}` is not read in groups, write names without it"
    if len(fields) != 4:
        return f"{line.count(',') + 1} fields, write `g, <member>, <group>, {tenant}`"
    if fields[0].strip() != "g":
        return f"`{fields[0].strip()[:40]}` is no kind of line, write `g, <member>, <group>, {tenant}`"
    if fields[3].strip() != tenant:
        return f"`{fields[3].strip()[:80]}` is another tenant, a group's members are of `{tenant}` alone"
    return None


def _read_group(text: str) -> Uid:
    name = text.removeprefix(_MARK)
    if name == text or not name or name != name.strip():
        raise ValueError(f"`{text[:80]}` is no group, write `group:<name>`")
    return Uid(GROUP, name)


def _read_member(text: str) -> Uid:
    if text.startswith(_MARK):
        return _read_group(text)
    try:
        uid = entity_uid(text)
    except RequestError:
        raise ValueError(f"`{text[:80]}` is not typed, write `user:alice` or `group:editors`") from None
    kind = text[: len(text) - len(uid.id) - 1]
    if is_reserved(kind.replace(".", "::")):
        raise ValueError(f"`{kind[:80]}` is a type of the service's own, write `user:alice` or `group:editors`")
    return uid


def _cycle_sentence(cycle: Sequence[Uid]) -> str:
    named = [entity_text(uid) for uid in cycle]
    shown = named if len(named) <= 8 else [*named[:7], f"… {len(named) - 8} more …", named[-1]]
    return f"groups in a circle: {' in '.join(f'`{name}`' for name in shown)}, take one line out"
