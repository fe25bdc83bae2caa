"""The names of policy files: the ending tells what reads a file, and these few are read at the top of a folder."""

from __future__ import annotations

MODEL, LINES = "model.conf", "policy.csv"
SCHEMA, SETTINGS, ENTITIES, GROUPS = "schema.cedarschema", "tenant.yaml", "entities.json", "groups.csv"
RELATIONSHIPS = "relationships.yaml"
TENANT_ONLY = frozenset({SETTINGS, ENTITIES, GROUPS})


def explain_unknown(path: str, tenant: str | None) -> str:
    """What to do with a file that nothing reads: it may hold rules, which would be lost."""
    name = path.rpartition("/")[2]
    if path in TENANT_ONLY and tenant is None:
        return f"belongs to a tenant, move it to `tenants/<tenant>/{path}`"
    if name in {SCHEMA, RELATIONSHIPS, *TENANT_ONLY}:
        return f"is not read here, move `{name}` to the top of the folder"
    return (
        "has an ending that nothing reads, so its rules would be lost: policies end in `.cedar` or `.abac.json` or lie "
        "in a `.casbin` folder, cases in `cases/*.yaml`; rename or delete it"
    )
