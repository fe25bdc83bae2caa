"""The metadata document of the decision point (AuthZEN 1.0 §9), for the service and for each tenant.

The well-known URL is the identifier of the decision point with `/.well-known/authzen-configuration` put
between host and path, and `policy_decision_point` must be, byte for byte, the identifier it was made from
(§9.2.3). So the answer depends on the path that was asked for; see docs/decisions/0004-authzen-metadata.md.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import orjson

from policy_service.model import is_tenant_name
from policy_service.web.searching import ROLES

WELL_KNOWN = "/.well-known/authzen-configuration"


def find_metadata(public_url: str, path: str) -> bytes | None:
    """The document for a path under the well-known one; `None` where the path names no decision point of ours.

    Any legal tenant name is answered alike, whether there is such a tenant or not, so that the documents list
    nobody.
    """
    rest = path[len(WELL_KNOWN) :]
    parts = urlsplit(public_url)
    if parts.path and (rest == parts.path or rest.startswith(f"{parts.path}/")):
        rest = rest[len(parts.path) :]
    tenant = rest.removeprefix("/tenants") if rest.startswith("/tenants/") else rest
    if not rest:
        return _write(public_url, public_url)
    if tenant.startswith("/") and is_tenant_name(tenant[1:]):
        return _write(f"{public_url}{rest}", f"{public_url}/tenants{tenant}")
    return None


def _write(identifier: str, root: str) -> bytes:
    return orjson.dumps(
        {
            "policy_decision_point": identifier,
            "access_evaluation_endpoint": f"{root}/access/v1/evaluation",
            "access_evaluations_endpoint": f"{root}/access/v1/evaluations",
            **{f"search_{role}_endpoint": f"{root}/access/v1/search/{role}" for role in ROLES},
        }
    )
