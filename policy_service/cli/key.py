"""`policy-service key`: API keys of a tenant. A key is shown once; what is kept is its hash."""

from __future__ import annotations

import time
from typing import Any

import click

from policy_service.cli.options import read_settings, with_settings
from policy_service.cli.output import Commands, print_json, print_table
from policy_service.identity import keys
from policy_service.identity.key_files import SCOPES, Key, instant_text, subject_text

_NEW = """\b
Examples:
  policy-service key new acme --tenants tenants
  policy-service key new acme --scope decide --scope read --subject service:crm --expires 90d
"""
_LIST = """\b
Example:
  policy-service key list acme --json
"""
_REVOKE = """\b
Example:
  policy-service key revoke acme 3fKq0bX9aZtM
"""


@click.group(cls=Commands, short_help="Give out API keys, list them, take them back.")
def key() -> None:
    """Give out API keys, list them, take them back; a change is live at once in every worker."""


@key.command(epilog=_NEW, short_help="Make a key and print it.")
@click.argument("tenant")
@with_settings("tenants")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may do; `decide` if absent.")
@click.option("--subject", metavar="TYPE:ID", help="The subject it acts as, such as `user:alice`.")
@click.option("--expires", metavar="TIME", help="When it ends: RFC 3339, or from now (`12h`, `90d`, `4w`).")
def new(tenant: str, scopes: tuple[str, ...], subject: str | None, expires: str | None, **given: Any) -> None:
    """Make a key for TENANT and print it, alone on the last line of standard output."""
    folder = read_settings(given).tenants
    token, entry = keys.create(
        folder, tenant, scopes=scopes or ("decide",), subject=subject, expires=expires, now=time.time()
    )
    click.echo(f"key `{entry.id}` of tenant `{tenant}`: {_say(entry)}; it is shown this once", err=True)
    click.echo(token)


@key.command("list", epilog=_LIST, short_help="Show the keys of a tenant, without their secrets.")
@click.argument("tenant")
@with_settings("tenants")
@click.option("--json", "as_json", is_flag=True, help="Print the keys as JSON.")
def list_keys(tenant: str, as_json: bool, **given: Any) -> None:
    """Show the keys of TENANT: never the keys themselves, which are stored nowhere."""
    rows = [_shape(entry) for entry in keys.entries(read_settings(given).tenants, tenant)]
    if as_json:
        print_json(rows)
    elif rows:
        cells = [[row["id"], ", ".join(row["scopes"]), row["subject"], row["created"], row["expires"]] for row in rows]
        print_table(f"keys of {tenant}", ["id", "scopes", "subject", "created", "expires"], cells)
    else:
        click.echo(f"tenant `{tenant}` has no keys, make one with `policy-service key new {tenant}`", err=True)


@key.command(epilog=_REVOKE)
@click.argument("tenant")
@click.argument("key_id", metavar="ID")
@with_settings("tenants")
def revoke(tenant: str, key_id: str, **given: Any) -> None:
    """Take the key ID of TENANT back."""
    keys.revoke(read_settings(given).tenants, tenant, key_id)
    click.echo(f"key `{key_id}` of tenant `{tenant}` is revoked", err=True)


def _shape(entry: Key) -> dict[str, Any]:
    return {
        "id": entry.id,
        "scopes": [scope for scope in SCOPES if scope in entry.scopes],
        "subject": subject_text(entry.subject) if entry.subject else "",
        "created": instant_text(entry.created),
        "expires": instant_text(entry.expires) if entry.expires else "",
    }


def _say(entry: Key) -> str:
    shape = _shape(entry)
    end = f"expires {shape['expires']}" if shape["expires"] else "never expires"
    actor = f", acts as `{shape['subject']}`" if shape["subject"] else ""
    return f"scopes {', '.join(shape['scopes'])}{actor}, {end}"
