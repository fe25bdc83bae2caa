"""The nouns every room shares, as frozen values.

A `Value` is what an attribute can hold once it has been read (`policy.values`): a boolean, an integer
of 64 bits, a string, a `Decimal` exact in four digits, an `Extension` of Cedar, a `Uid` (a reference to
an entity), a list (a set) or a dict (a record). Floats and null never get this far.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


def is_tenant_name(text: str) -> bool:
    """Whether a text can name a tenant, and so a folder directly below the tenants' folder, a file, an account."""
    return _TENANT.fullmatch(text) is not None


class Uid(NamedTuple):
    """An entity's identity: its Cedar type (escaped where Cedar would refuse it) and its id."""

    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}::{self.id!r}"


class Extension(NamedTuple):
    """A value of a Cedar extension type that only files may write: `ip`, `datetime`, `duration`, `decimal`."""

    fn: str
    arg: str


Value: TypeAlias = bool | int | str | Decimal | Extension | Uid | list[Any] | dict[str, Any]


class Entity(NamedTuple):
    """One entity as a decision sees it. `parents` are the direct ones as stored."""

    uid: Uid
    attributes: Mapping[str, Value]
    parents: frozenset[Uid] = frozenset()
    tags: Mapping[str, Value] = {}


class Thing(NamedTuple):
    """A subject or a resource as a request names it (AuthZEN 1.0 §5.1, §5.2): raw JSON properties."""

    type: str
    id: str
    properties: Mapping[str, Any] = {}


class Act(NamedTuple):
    """An action as a request names it (AuthZEN 1.0 §5.3)."""

    name: str
    properties: Mapping[str, Any] = {}


class Request(NamedTuple):
    """One question: may `subject` do `action` on `resource` in `context`? As it was sent."""

    subject: Thing
    action: Act
    resource: Thing
    context: Mapping[str, Any] = {}


class Effect(StrEnum):
    """What a satisfied policy asks for."""

    PERMIT = "permit"
    FORBID = "forbid"


class Engine(StrEnum):
    """Which language a policy is written in; the file's ending names it."""

    CEDAR = "cedar"
    ABAC = "py-abac"
    CASBIN = "casbin"


@dataclass(frozen=True, slots=True)
class Policy:
    """Who a policy is: everything a reason shows. `file` is relative (`tenants/acme/hosts.cedar`), `line` from 1.

    `hides` are the patterns of what a forbid of `PolicyService::readProperty` hides: all, where it names nothing.
    """

    id: str
    effect: Effect
    file: str
    line: int
    engine: Engine
    message: str = ""
    hides: tuple[str, ...] = ("*",)


class Failure(NamedTuple):
    """A policy that could not be evaluated, and the sentence of its engine."""

    policy: Policy
    why: str


class Outcome(NamedTuple):
    """What one engine says: the policies that are satisfied and those that failed to evaluate."""

    satisfied: tuple[Policy, ...] = ()
    failed: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Allow or deny, and why.

    `reasons` are the policies that determined it; `errors` those that failed to evaluate; `unsatisfied`
    the permits that were evaluated and did not hold, only where nothing permitted and nothing forbade.
    """

    allowed: bool
    reasons: tuple[Policy, ...]
    errors: tuple[Failure, ...]
    version: str
    unsatisfied: tuple[Policy, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong with a file, and where: printed as `path:line: sentence`."""

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request carries."""

    tenant: str
    key_id: str
    scopes: frozenset[str] = field(default_factory=frozenset)
    subject: Thing | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """Which files answered: the git commit where there is one, and the digest of the bundle's files."""

    digest: str
    commit: str = ""
    dirty: bool = False

    def __str__(self) -> str:
        commit = f"{self.commit[:12]}{'-dirty' if self.dirty else ''}+" if self.commit else ""
        return f"{commit}{self.digest[:16]}"
