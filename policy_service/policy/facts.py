"""The entities a decision may look at, and what the context says: all that an engine is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policy_service.model import Entity, Uid, Value
from policy_service.policy.names import GROUP
from policy_service.policy.request import Question
from policy_service.policy.scope import Needs
from policy_service.policy.values import dumps


@dataclass(frozen=True, slots=True)
class Facts:
    """What one decision sees.

    `needs` is what the policies of the question's slice read. `entities` maps every entity that was looked up
    to what is known, `None` where there is nothing; the attributes are those after the overlay, with `tenant`,
    and `parents` are all ancestors, groups included. `context` holds `now` and `caller` only where the slice
    reads them.
    """

    question: Question
    needs: Needs
    entities: dict[Uid, Entity | None]
    context: dict[str, Value]
    _kept: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def cedar_json(self) -> str:
        """As much of the entities as the slice reads, as Cedar's JSON; written once, for the engine and for the log."""
        text = self._kept.get("cedar")
        if text is None:
            text = self._kept["cedar"] = write_entities(self.entities, self.needs)
        return text

    @property
    def recorded_json(self) -> str:
        """`cedar_json` with the ancestors that told which policies to ask: enough to decide again."""
        if self.needs.hierarchy or not (self.principal.parents or self.resource.parents):
            return self.cedar_json
        return write_entities(self.entities, self.needs._replace(hierarchy=True))

    @property
    def principal(self) -> Entity:
        """The subject of the question."""
        return self._known(self.question.principal)

    @property
    def resource(self) -> Entity:
        """The resource of the question."""
        return self._known(self.question.resource)

    @property
    def action(self) -> Entity:
        """The action of the question, with its ancestors."""
        return self._known(self.question.action)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups the principal is in, sorted."""
        return tuple(sorted(uid.id for uid in self.principal.parents if uid.type == GROUP))

    def ancestors(self, uid: Uid) -> frozenset[Uid]:
        """All ancestors of an entity that was looked up."""
        entity = self.entities.get(uid)
        return entity.parents if entity else frozenset()

    def _known(self, uid: Uid) -> Entity:
        entity = self.entities[uid]
        assert entity is not None, "principal, action and resource are always known"  # noqa: S101
        return entity


def write_entities(entities: Mapping[Uid, Entity | None], needs: Needs) -> str:
    """The Cedar JSON of the entities that are known; their `parents` are all their ancestors.

    Only what `needs` names is written: attributes that are read, and ancestors where the hierarchy is asked
    for (an action's always). What has neither attributes nor tags nor ancestors is left out: to Cedar it is
    the same as an entity that does not exist.
    """
    names = needs.attributes
    sent = []
    for uid, entity in entities.items():
        if entity is None:
            continue
        _, attributes, parents, tags = entity
        if not needs.hierarchy and not (uid.type == "Action" or uid.type.endswith("::Action")):
            parents = frozenset()
        if attributes or parents or tags:
            if names is not None and not names.issuperset(attributes):
                attributes = {name: value for name, value in attributes.items() if name in names}
            above = [{"type": parent.type, "id": parent.id} for parent in parents]
            told = {"uid": {"type": uid.type, "id": uid.id}, "attrs": attributes, "parents": above}
            if tags:
                told["tags"] = tags
            sent.append(told)
    return dumps(sent).decode()
