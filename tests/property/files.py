"""Bundles made in memory from texts, for properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_service.model import Act, Decision, Extension, Request, Thing, Version
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.decide import decide
from policy_service.policy.facts import Facts
from policy_service.policy.files import parse_layer
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import ask

NOTHING = '@id("platform-nothing") forbid(principal, action, resource) when { false };\n'


def make_bundle(files: Mapping[str, str], tenant: str = "acme", platform: Mapping[str, str] | None = None) -> Bundle:
    """The bundle of a tenant with these files; fails where there is a finding."""
    base = parse_layer("policies", encode(platform or {"nothing.cedar": NOTHING}), tenant=None)
    layer = parse_layer(f"tenants/{tenant}", encode({"tenant.yaml": f"name: {tenant}\n", **files}), tenant=tenant)
    bundle, findings = join(base, layer, Version("0" * 64))
    assert bundle is not None, [str(finding) for finding in findings]
    return bundle


def encode(files: Mapping[str, str]) -> dict[str, bytes]:
    """The files as they would be read."""
    return {name: text.encode() for name, text in files.items()}


def gather(bundle: Bundle, request: Request, caller: Mapping[str, Any] | None = None) -> Facts:
    """The facts of a request, from the bundle's own entities."""
    return Gatherer(
        bundle,
        lambda uids: {uid: bundle.entities[uid] for uid in uids if uid in bundle.entities},
        lambda: Extension("datetime", "2026-01-01T12:00:00Z"),
        caller or {},
    ).gather(ask(request))


def answer(bundle: Bundle, request: Request) -> Decision:
    """What a bundle decides about a request."""
    return decide(bundle, gather(bundle, request))


def question(
    subject: str = "alice",
    action: str = "read",
    resource: str = "d1",
    subject_type: str = "user",
    resource_type: str = "doc",
    **properties: Any,
) -> Request:
    """A request; further arguments are properties of the subject."""
    return Request(Thing(subject_type, subject, properties), Act(action), Thing(resource_type, resource))
