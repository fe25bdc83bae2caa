"""Gathering the facts of a question: the request's own entities, their ancestors, and what is dereferenced.

What is pure about facts is here; where stored entities come from is a `Fetch` that the caller passes in
(`access.facts` in the service, `entities.json` and a case's own entities in cases).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from policy_service.model import Entity, Uid, Value
from policy_service.policy.bundle import Bundle
from policy_service.policy.facts import Facts
from policy_service.policy.groups import Groups
from policy_service.policy.names import GROUP
from policy_service.policy.request import Question
from policy_service.policy.residual.asked import Asked, Unknown
from policy_service.policy.scope import Needs

# answers those entities that exist, with their direct parents
Fetch: TypeAlias = Callable[[Collection[Uid]], Mapping[Uid, Entity]]


class Gatherer:
    """Gathers facts for questions that are asked together: what is stored is fetched once.

    `now` is asked only where a slice reads `context.now`; `caller` is what `context.caller` says.
    """

    def __init__(
        self,
        bundle: Bundle,
        fetch: Fetch,
        now: Callable[[], Value],
        caller: Mapping[str, Value],
        groups: Groups | None = None,
    ) -> None:
        self._bundle = bundle
        self._fetch = fetch
        self._now = now
        self._caller = caller
        self._groups = bundle.groups if groups is None else groups
        self._stored: dict[Uid, Entity | None] = {}
        self._known: dict[Uid, Entity] = {}

    def gather(self, question: Question) -> Facts:
        """The facts for one question: what the bundle's policies that can match it read."""
        self.load((question.principal, question.resource))
        principal = self._entity(question, question.principal)
        resource = self._entity(question, question.resource)
        action = Entity(question.action, question.action_attributes, self._bundle.action_ancestors(question.action))
        needs = self._bundle.index.find(principal, action, resource).needs
        entities: dict[Uid, Entity | None] = {
            question.principal: principal,
            question.resource: resource,
            question.action: action,
        }
        if needs.depth or needs.roots:
            self._follow(question, entities, needs.roots, needs.depth)
        return Facts(question, needs, entities, self._context(question, needs))

    def gather_open(
        self, question: Question, unknown: Unknown = "resource", drawn: Collection[str] | None = None
    ) -> Asked:
        """The facts for a question whose unknown side is any row, and was asked as `ANY`.

        `drawn` are the attributes that relationships draw in the store, by default those that the bundle tells of.
        """
        uid, other = question.principal, question.resource
        if unknown == "principal":
            uid, other = other, uid
        self.load((uid,))
        known = self._entity(question, uid)
        action = Entity(question.action, question.action_attributes, self._bundle.action_ancestors(question.action))
        policies, needs = self._bundle.index.find_open(known, action, unknown)
        entities: dict[Uid, Entity | None] = {uid: known, question.action: action}
        if needs.depth or needs.roots:
            self._follow(question, entities, needs.roots, needs.depth)
        overlay = question.overlay.get(other, {})
        # the row may be one of these: then the overlay of the one is the other's too
        twofold = entities if overlay else {uid} & question.overlay.keys()
        return Asked(
            unknown,
            known,
            action,
            overlay,
            self._context(question, needs),
            entities,
            policies,
            needs,
            self._bundle.drawn if drawn is None else frozenset(drawn),
            frozenset(uid for uid in twofold if self._is_row(uid)),
        )

    def _context(self, question: Question, needs: Needs) -> dict[str, Value]:
        context = question.context
        if needs.now or needs.caller:
            context = dict(context)
            if needs.now:
                context["now"] = self._now()
            if needs.caller:
                context["caller"] = dict(self._caller)
        return context

    def _is_row(self, uid: Uid) -> bool:
        return self._stored.get(uid) is not None and uid not in self._bundle.entities

    def load(self, uids: Collection[Uid]) -> None:
        """Fetch the entities and all above them in one go, before questions about each of them are gathered."""
        missing = [uid for uid in uids if uid not in self._stored]
        while missing:
            found = self._fetch(missing)
            for uid in missing:
                self._stored[uid] = found.get(uid)
            parents = {parent for entity in found.values() for parent in entity.parents}
            missing = [uid for uid in parents if uid not in self._stored]

    def see(self, uid: Uid) -> Entity:
        """An entity as a decision sees it of which no request says anything."""
        self.load((uid,))
        return self._make(uid, None)

    def _entity(self, question: Question, uid: Uid) -> Entity:
        """An entity with overlay, tenant and ancestors; one that is not stored has what the request says."""
        return self._make(uid, question.overlay.get(uid))

    def _make(self, uid: Uid, overlay: Mapping[str, Value] | None) -> Entity:
        if overlay is None and uid in self._known:
            return self._known[uid]
        stored = self._stored[uid]
        attributes: dict[str, Value] = {"tenant": self._bundle.tenant}
        if stored:
            attributes.update(stored.attributes)
        if overlay:
            attributes.update(overlay)
        entity = Entity(uid, attributes, self._ancestors(uid, stored), stored.tags if stored else {})
        if overlay is None:
            self._known[uid] = entity
        return entity

    def _ancestors(self, uid: Uid, stored: Entity | None) -> frozenset[Uid]:
        groups = self._groups.closure(uid)
        if not stored or not stored.parents:
            return groups
        found: set[Uid] = set(groups)
        open_ = list(stored.parents)
        while open_:
            parent = open_.pop()
            if parent not in found:
                found.add(parent)
                found |= self._groups.closure(parent)
                above = self._stored.get(parent)
                if above:
                    open_.extend(above.parents)
        return frozenset(found)

    def _follow(
        self, question: Question, entities: dict[Uid, Entity | None], roots: Collection[Uid], depth: int
    ) -> None:
        """Look up what policies name, and what attributes refer to, `depth` references deep."""
        edge: set[Uid] = set(roots)
        starts = [entity for entity in entities.values() if entity]
        for step in range(depth + 1):
            if step:
                edge = {uid for entity in starts for uid in references(entity.attributes, entity.tags)}
            new = [uid for uid in edge if uid not in entities]
            self.load(new)
            for uid in new:
                entities[uid] = self._find(question, uid)
            found = [entity for uid in new if (entity := entities[uid])]
            starts = starts + found if step == 0 else found

    def _find(self, question: Question, uid: Uid) -> Entity | None:
        """What is known of an entity that is followed, nothing where nothing is."""
        if self._stored[uid] is not None or uid.type == GROUP:
            return self._entity(question, uid)
        # an action that a policy names or an attribute refers to is in the groups that the schema says, too
        groups = self._bundle.action_ancestors(uid)
        return Entity(uid, {}, groups) if groups else None


def references(*records: Mapping[str, Value]) -> set[Uid]:
    """Every entity that values refer to, at any depth of sets and records."""
    found: set[Uid] = set()
    open_: list[Value] = [value for record in records for value in record.values()]
    while open_:
        value = open_.pop()
        if isinstance(value, Uid):
            found.add(value)
        elif isinstance(value, list):
            open_.extend(value)
        elif isinstance(value, dict):
            open_.extend(value.values())
    return found
