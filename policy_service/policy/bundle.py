"""A tenant's bundle: the platform's files and the tenant's own, joined, indexed, immutable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from policy_service.model import Entity, Finding, Policy, Uid, Version
from policy_service.policy.endings import RELATIONSHIPS
from policy_service.policy.engines import cedar_schema
from policy_service.policy.engines.cedar import CedarPolicy
from policy_service.policy.groups import Groups
from policy_service.policy.hiding import HIDES, READ_PROPERTY
from policy_service.policy.layer import Layer
from policy_service.policy.names import action_uid
from policy_service.policy.relationships import Drawing
from policy_service.policy.residual.plans import Plans
from policy_service.policy.slices import Index, keys_of

_NOTHING: frozenset[Uid] = frozenset()


@dataclass(frozen=True, slots=True)
class Bundle:
    """All that decides for one tenant. Nothing in it changes after `join`, but for the slices and plans it keeps ready.

    `relationships` says what stored ones draw, of both layers; `file_types` are the types of `entities.json`, of
    which nothing is stored elsewhere.
    """

    tenant: str
    version: Version
    version_text: str
    platform: Layer
    layer: Layer
    index: Index
    actions: Mapping[Uid, frozenset[Uid]]
    relationships: Mapping[str, Drawing]
    file_types: frozenset[str]
    plans: Plans = field(default_factory=Plans, compare=False, repr=False)

    @property
    def groups(self) -> Groups:
        """Membership as `groups.csv` gives it."""
        return self.layer.groups

    @property
    def entities(self) -> Mapping[Uid, Entity]:
        """The entities of `entities.json`, by uid."""
        return self.layer.entities

    @property
    def restricted(self) -> frozenset[str]:
        """The names of properties that are sealed where they are stored, by `tenant.yaml`."""
        return frozenset(self.layer.settings.get("restricted", ()))

    @property
    def indexed(self) -> frozenset[str]:
        """The properties and tags that lists are often asked by, by `tenant.yaml`: `env`, `tag.env`."""
        return self.layer.indexed

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the attributes that stored relationships draw."""
        return frozenset(drawing.attribute.name for drawing in self.relationships.values() if drawing.attribute)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Who is in the bundle, the platform's first."""
        return tuple(policy.policy for layer in (self.platform, self.layer) for policy in layer.policies)

    def action_ancestors(self, action: Uid) -> frozenset[Uid]:
        """The action groups an action is in, by the schemas."""
        return self.actions.get(action, _NOTHING)


def join(platform: Layer, layer: Layer, version: Version) -> tuple[Bundle | None, list[Finding]]:
    """One bundle of both layers, or none and the findings that the two only have together."""
    findings = [*platform.findings, *layer.findings, *_clashes(platform, layer)]
    schema = platform.schema
    if not findings and layer.schema:
        schema, found = cedar_schema.join_schemas(platform.schema, layer.schema, f"{layer.root}/schema.cedarschema")
        findings += found or cedar_schema.validate(layer.cedar, schema)
    if findings:
        return None, findings
    # most tenants have no schema and share what the platform's says
    actions = _platform_actions(schema) if schema == platform.schema else cedar_schema.action_parents(schema)
    findings = list(_misplaced([*platform.cedar, *layer.cedar], actions))
    if findings:
        return None, findings
    index = Index([*platform.policies, *layer.policies])
    drawn = {**platform.relationships, **layer.relationships}
    types = frozenset(uid.type for uid in layer.entities)
    return Bundle(layer.tenant or "", version, str(version), platform, layer, index, actions, drawn, types), []


@lru_cache(maxsize=2)
def _platform_actions(schema: str) -> Mapping[Uid, frozenset[Uid]]:
    return cedar_schema.action_parents(schema) if schema else {}


def _misplaced(policies: Iterable[CedarPolicy], actions: Mapping[Uid, frozenset[Uid]]) -> Iterator[Finding]:
    """Forbids whose `@hides` says nothing, as they are asked about other actions than reading a property."""
    action = action_uid(READ_PROPERTY)
    keys = keys_of(action, actions.get(action, _NOTHING))
    for policy in policies:
        scope = policy.scope.action
        if HIDES in policy.rule.annotations and scope is not None and keys.isdisjoint(scope):
            sentence = (
                f'`@{HIDES}` is for a forbid of `{action.type}::"{action.id}"`, name that action or a group of it'
            )
            yield Finding(policy.policy.file, policy.policy.line, sentence)


def _clashes(platform: Layer, layer: Layer) -> list[Finding]:
    taken = {policy.policy.id: policy.policy for policy in platform.policies}
    drawn = [
        Finding(
            f"{layer.root}/{RELATIONSHIPS}",
            drawing.line,
            f"what `{kind}` draws is told by {platform.root}/{RELATIONSHIPS}:{platform.relationships[kind].line}, "
            "take it out",
        )
        for kind, drawing in layer.relationships.items()
        if kind in platform.relationships
    ]
    return drawn + [
        Finding(
            policy.policy.file,
            policy.policy.line,
            f"the policy id `{policy.policy.id}` is taken by {taken[policy.policy.id].file}:"
            f"{taken[policy.policy.id].line}, give it another",
        )
        for policy in layer.policies
        if policy.policy.id in taken
    ]
