"""One folder's files, parsed: the platform's or a tenant's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policy_service.model import Entity, Finding, Uid
from policy_service.policy.cases import Case
from policy_service.policy.engines.abac import AbacPolicy
from policy_service.policy.engines.casbin import CasbinLine
from policy_service.policy.engines.cedar import CedarPolicy
from policy_service.policy.groups import Groups
from policy_service.policy.relationships import Drawing
from policy_service.policy.scope import Compiled


@dataclass(frozen=True, slots=True)
class Layer:
    """What the files of one folder say. A layer with any finding is refused whole, so it then holds nothing else.

    root           `policies` or `tenants/<tenant>`, what every path in it starts with
    tenant         none for the platform
    files          the paths that were read, relative to the root, sorted
    settings       `tenant.yaml`
    schema         the text of `schema.cedarschema`, empty without one
    relationships  `relationships.yaml`, by the type of relationship
    """

    root: str
    tenant: str | None
    files: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    cedar: tuple[CedarPolicy, ...] = ()
    abac: tuple[AbacPolicy, ...] = ()
    casbin: tuple[CasbinLine, ...] = ()
    groups: Groups = field(default_factory=Groups)
    entities: Mapping[Uid, Entity] = field(default_factory=dict)
    schema: str = ""
    relationships: Mapping[str, Drawing] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def policies(self) -> tuple[Compiled, ...]:
        """The policies of all three engines, by file and position."""
        return (*self.cedar, *self.abac, *self.casbin)

    @property
    def indexed(self) -> frozenset[str]:
        """The properties and tags that lists are often asked by, by `tenant.yaml`: `env`, `tag.env`."""
        return frozenset(self.settings.get("indexed", ()))
