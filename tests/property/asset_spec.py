"""The slow obvious model of the asset API: what a tenant has, who may do what with it, and what each request does.

Nothing here is shared with the service, and one tenant's model knows nothing of another's. `FILES` are the policies
in the service's own words; `Inventory.may` says the same in Python. Assets are named by kind and key, never by id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

# the administrator, the reader, the member of a team with policies of its own; `eve` is nobody
WHO = ("ada", "rae", "pat", "eve")
FILES = {
    "tenant.yaml": "name: x\nrestricted: [note]\nindexed: [color, tag.env]\n",
    "groups.csv": "g, user:ada, group:Administrators, TENANT\ng, user:rae, group:Users, TENANT\n"
    "g, user:pat, group:red, TENANT\n",
    "own.cedar": """
@id("red-sees")
permit(principal in Group::"red", action == PolicyService::Action::"read", resource)
when { resource has color && resource.color == "red" };
@id("owned-is-seen")
permit(principal in Group::"red", action == PolicyService::Action::"read", resource) when { resource has owner };
@id("north-is-seen")
permit(principal in Group::"red", action == PolicyService::Action::"read", resource in zone::"north");
@id("red-changes")
permit(
  principal in Group::"red",
  action in [PolicyService::Action::"create", PolicyService::Action::"update"],
  resource
)
when { resource has color && resource.color == "red" };
@id("tests-go")
permit(principal in Group::"red", action == PolicyService::Action::"delete", resource)
when { resource.hasTag("env") && resource.getTag("env") == "test" };
@id("sizes-hidden") @hides("size, tag.*")
forbid(principal in Group::"Users", action == PolicyService::Action::"readProperty", resource)
when { resource has frozen };
@id("red-exports")
permit(principal in Group::"red", action == PolicyService::Action::"export", resource)
when { resource has color && resource.color == "red" };
@id("frozen")
@message("what is frozen stays")
forbid(principal, action in [PolicyService::Action::"update", PolicyService::Action::"delete"], resource)
when { resource has frozen && resource.frozen };
""",
    "relationships.yaml": "relationships:\n  owns: {attribute: {on: to, name: owner}}\n  lies_in: {parent: to}\n",
    "entities.json": json.dumps(
        [
            {"uid": {"type": "zone", "id": zone}, "attrs": {"key": zone, "source": "file"}, "parents": []}
            for zone in ("north", "south")
        ]
    ),
}

# an asset by kind and key, or an entity of the file by type and id
Ref: TypeAlias = tuple[str, str]
NORTH: Ref = ("zone", "north")


@dataclass(frozen=True)
class Draft:
    """What is sent: `type` none in a patch; ends are what they name, none where nothing of the tenant is named."""

    kind: str
    key: str
    type: str
    classes: tuple[str, ...]
    name: str | None
    values: dict[str, Any]
    ends: tuple[Ref | None, Ref | None] | None = None


@dataclass(frozen=True)
class Item:
    """An entity or a relationship that is there; `values` are its properties, and its tags as `tag.env`."""

    ref: Ref
    type: str
    classes: tuple[str, ...]
    name: str | None
    values: dict[str, Any]
    version: int
    ends: tuple[Ref, Ref] | None = None


class Told(NamedTuple):
    """What a request is answered: the status, what it shows, how many assets it changed."""

    status: int
    item: Item | None = None
    changed: int = 0


class Step(NamedTuple):
    """A step of a walk; `shown` where the entity itself is shown."""

    depth: int
    relationship: Ref
    other: Ref
    shown: bool


@dataclass
class Inventory:
    """What one tenant has."""

    items: dict[Ref, Item] = field(default_factory=dict)
    # of what is deleted, too
    versions: dict[Ref, int] = field(default_factory=dict)

    def relationships(self) -> list[Item]:
        return [item for item in self.items.values() if item.ends]

    def above(self, ref: Ref) -> set[Ref]:
        """All ancestors."""
        found: set[Ref] = set()
        todo = [ref]
        while todo:
            child = todo.pop()
            for item in self.relationships():
                if item.type == "lies_in" and item.ends and item.ends[0] == child and item.ends[1] not in found:
                    found.add(item.ends[1])
                    todo.append(item.ends[1])
        return found

    def may(self, who: str, action: str, ref: Ref, item: Item | None = None) -> bool:
        """Whether the policies allow it, of an asset as it is or as `item`."""
        item = item or self.items.get(ref)
        values = item.values if item else {}
        if action in ("update", "delete") and values.get("frozen"):
            return False
        owned = any(other.type == "owns" and other.ends and other.ends[1] == ref for other in self.relationships())
        rights = {
            "ada": {"read", "create", "update", "delete", "export"},
            "rae": {"read", "export"},
            "pat": {
                *({"read", "create", "update", "export"} if values.get("color") == "red" else ()),
                *({"read"} if owned or NORTH in {ref, *self.above(ref)} else ()),
                *({"delete"} if values.get("tag.env") == "test" else ()),
            },
        }
        return action in rights.get(who, ())

    def hidden(self, who: str, item: Item | None) -> set[str]:
        """The names that are hidden of an asset, whether it has them or not."""
        return {"size", "tag.env"} if who == "rae" and item and "frozen" in item.values else set()

    def view(self, who: str, item: Item) -> Item:
        """The asset without what is hidden."""
        hidden = self.hidden(who, item)
        return replace(item, values={name: value for name, value in item.values.items() if name not in hidden})

    def find(self, who: str, ref: Ref | None) -> Item | None:
        """The asset, if it is there and may be seen: a relationship with both its ends."""
        item = self.items.get(ref) if ref else None
        if item and all(self.may(who, "read", part) for part in (item.ref, *(item.ends or ()))):
            return item
        return None

    def knows(self, who: str, end: Ref | None) -> bool:
        """Whether an end of a relationship is there, and may be seen."""
        return end is not None and (end in self.items or end[0] == "zone") and self.may(who, "read", end)

    def list(self, who: str, kind: str, type_: str, class_: str) -> list[Ref]:
        return [
            ref
            for ref, item in self.items.items()
            if ref[0] == kind and type_ in ("", item.type) and class_ in ("", *item.classes) and self.find(who, ref)
        ]

    def create(self, who: str, draft: Draft, *, or_replace: bool = False) -> Told:
        ref = (draft.kind, draft.key)
        if draft.ends and not all(self.knows(who, end) for end in draft.ends):
            return Told(409)
        if self.find(who, ref):
            # what is hidden may not be named, but of another kind of thing that is told first
            if self._is_another(self.items[ref], draft) or not self._names_hidden(who, self.items[ref], draft):
                return self._replace(who, self.items[ref], draft) if or_replace else Told(409)
            return Told(403)
        version = self.versions.get(ref, 0) + 1
        # ends that the subject knows are there
        item = Item(ref, draft.type, draft.classes, draft.name, _without_null(draft.values), version, draft.ends)  # type: ignore[arg-type]
        if not self.may(who, "create", ref, item) or ref in self.items:
            return Told(403)
        # what is in the way of drawing is told to who might draw
        if not self._may_draw(who, [item]) or not self._may_part(who, item):
            return Told(403)
        if draft.type == "zone" or (item.ends and not self._may_be_drawn(draft.type, *item.ends)):
            return Told(409)
        self.items[ref] = item
        if not self._may_draw(who, [item]) or not self._may_part(who, item):
            del self.items[ref]
            return Told(403)
        self.versions[ref] = version
        return Told(201, item, 1)

    def replace(self, who: str, ref: Ref | None, draft: Draft, *, stale: bool = False) -> Told:
        before = self.find(who, ref)
        if before is None:
            return Told(404)
        if stale:
            return Told(412)
        if self._names_hidden(who, before, draft):
            return Told(403)
        if draft.ends and not all(self.knows(who, end) for end in draft.ends):
            return Told(409)
        return self._replace(who, before, draft)

    def patch(self, who: str, ref: Ref | None, draft: Draft, *, stale: bool = False) -> Told:
        before = self.find(who, ref)
        if before is None:
            return Told(404)
        if stale:
            return Told(412)
        values = _without_null({**before.values, **draft.values})
        return self._update(who, before, replace(before, classes=draft.classes, values=values))

    def remove(self, who: str, ref: Ref | None, *, stale: bool = False) -> Told:
        before = self.find(who, ref)
        if before is None:
            return Told(404)
        if stale:
            return Told(412)
        if not self.may(who, "delete", before.ref):
            return Told(403)
        gone = [before, *(item for item in self.relationships() if item.ends and before.ref in item.ends)]
        held = dict(self.items)
        allowed = self._may_draw(who, gone, before.ref) and self._may_part(who, before)
        for item in gone:
            del self.items[item.ref]
        if not allowed or not self._may_draw(who, gone, before.ref) or not self._may_part(who, before):
            self.items = held
            return Told(403)
        return Told(204, None, len(gone))

    def walk(
        self, who: str, start: Ref | None, direction: str, types: tuple[str, ...], depth: int
    ) -> list[Step] | None:
        """Steps in no order within a depth; which of two relationships shows the entity that both lead to is open."""
        if not self.find(who, start):
            return None
        steps: list[Step] = []
        seen, level, followed = {start}, {start}, set[Ref]()
        for number in range(1, depth + 1):
            reached: set[Ref | None] = set()
            for item in self.relationships():
                other = _other_end(item, level, direction)
                if other is None or item.ref in followed or (types and item.type not in types):
                    continue
                followed.add(item.ref)
                if self.find(who, item.ref):
                    fresh = other not in seen and other not in reached and other in self.items
                    steps.append(Step(number, item.ref, other, fresh))
                    reached |= {other} if fresh else set()
            seen |= reached
            level = reached
        return steps

    def _replace(self, who: str, before: Item, draft: Draft) -> Told:
        if self._is_another(before, draft):
            return Told(409)
        values = _without_null(draft.values)
        return self._update(who, before, replace(before, classes=draft.classes, name=draft.name, values=values))

    def _is_another(self, before: Item, draft: Draft) -> bool:
        """Whether a draft is of another thing than there is."""
        same = (draft.key, draft.type) == (before.ref[1], before.type)
        return not same or bool(draft.ends and draft.ends != before.ends)

    def _names_hidden(self, who: str, before: Item, draft: Draft) -> bool:
        return not self.hidden(who, before).isdisjoint(draft.values)

    def _update(self, who: str, before: Item, after: Item) -> Told:
        if not self.may(who, "update", before.ref) or not self.may(who, "update", before.ref, after):
            return Told(403)
        if repr(sort(after)) == repr(sort(before)):
            return Told(200, before)
        self.versions[before.ref] = before.version + 1
        self.items[before.ref] = replace(after, version=before.version + 1)
        return Told(200, self.items[before.ref], 1)

    def _may_be_drawn(self, type_: str, from_: Ref, to: Ref) -> bool:
        """Nothing is drawn onto what the file has, and nothing is its own ancestor."""
        if type_ == "owns":
            return to[0] != "zone"
        return type_ != "lies_in" or (from_[0] != "zone" and from_ not in {to, *self.above(to)})

    def _may_draw(self, who: str, items: list[Item], but: Ref | None = None) -> bool:
        """Whether the entities of which these relationships are facts may be updated as they are now."""
        sides = {"owns": 1, "lies_in": 0}
        drawn_on = {item.ends[sides[item.type]] for item in items if item.ends and item.type in sides}
        return all(self.may(who, "update", ref) for ref in drawn_on - {but})

    def _may_part(self, who: str, item: Item) -> bool:
        """Whether the parent that this relationship draws may be updated as it is now."""
        return item.ends is None or item.type != "lies_in" or self.may(who, "update", item.ends[1])


def sort(item: Item) -> Item:
    """The item with its values in order."""
    return replace(item, values=dict(sorted(item.values.items())))


def _without_null(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _other_end(item: Item, level: set[Any], direction: str) -> Ref | None:
    if item.ends and direction != "in" and item.ends[0] in level:
        return item.ends[1]
    if item.ends and direction != "out" and item.ends[1] in level:
        return item.ends[0]
    return None
