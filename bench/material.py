"""Policies, entities and requests to measure with."""

from __future__ import annotations

from collections.abc import Mapping

from policy_service.model import Act, Extension, Request, Thing, Version
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.files import parse_layer
from policy_service.policy.gathering import Gatherer

PLATFORM = {"nothing.cedar": b'@id("platform") forbid(principal, action == Action::"never", resource);\n'}


def make_bundle(files: Mapping[str, str], tenant: str = "bench") -> Bundle:
    """A bundle of these tenant files over a platform layer that matches nothing."""
    platform = parse_layer("policies", PLATFORM, tenant=None)
    encoded = {name: text.encode() for name, text in {"tenant.yaml": f"name: {tenant}\n", **files}.items()}
    bundle, findings = join(platform, parse_layer(f"tenants/{tenant}", encoded, tenant=tenant), Version("0" * 64))
    if bundle is None:
        raise SystemExit("\n".join(map(str, findings)))
    return bundle


def relevant(count: int) -> str:
    """Policies that all concern the request that is measured; one of them permits."""
    return "\n".join(
        f'@id("p{number}") permit(principal in Group::"g{number}", action == Action::"read", resource)'
        f" when {{ resource.level < {number + 1} && principal.tenant == resource.tenant }};"
        for number in range(count)
    )


def ungrouped(count: int) -> str:
    """As `relevant`, for anyone."""
    return "\n".join(
        f'@id("p{number}") permit(principal, action == Action::"read", resource)'
        f" when {{ resource.level < {number + 1} && principal.tenant == resource.tenant }};"
        for number in range(count)
    )


def irrelevant(count: int) -> str:
    """Policies of other actions, principals and resources."""
    return "\n".join(
        f'@id("x{number}") permit(principal == user::"x{number}", action == Action::"act{number % 50}", resource)'
        f" when {{ resource.level < {number} }};"
        for number in range(count)
    )


def groups(count: int, members: int = 1) -> str:
    """Every user in `count` groups."""
    return "".join(f"g, user:u{user}, group:g{number}, bench\n" for user in range(members) for number in range(count))


def request(number: int = 0, user: str = "u0") -> Request:
    """A request as an application sends it."""
    return Request(
        Thing("user", user, {"department": "sales", "clearance": 3}),
        Act("read"),
        Thing("doc", f"d{number}", {"level": 0, "owner": "u7"}),
        {"channel": "web"},
    )


def gatherer(bundle: Bundle) -> Gatherer:
    """Facts from the bundle's own entities."""
    stored = bundle.entities
    return Gatherer(
        bundle,
        lambda uids: {uid: stored[uid] for uid in uids if uid in stored},
        lambda: Extension("datetime", "2026-01-01T12:00:00Z"),
        {},
    )
