"""`policy-service tenant`: a tenant made, listed, moved, shut, erased. What is interrupted can be run again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from policy_service.cli.options import FILES, read_settings, require_folders, require_store, with_settings
from policy_service.cli.output import Commands
from policy_service.cli.trail_text import counting, writing
from policy_service.config import Settings
from policy_service.store.door import Store
from policy_service.store.opening import is_made, open_admin_store, open_store
from policy_service.tenancy import importing, suspending
from policy_service.tenancy.creating import create as create_tenant
from policy_service.tenancy.erasing import erase as erase_tenant
from policy_service.tenancy.exporting import export as export_tenant
from policy_service.tenancy.listing import Listed, list_all

_CREATE = """\b
Example:
  policy-service tenant create acme
"""
_LIST = """\b
Examples:
  policy-service tenant list --counts
  policy-service tenant list --json | jq -r 'select(.state == "suspended").name'
"""
_EXPORT = """\b
Examples:
  policy-service tenant export acme --out acme.ndjson
  policy-service tenant export acme --out - | age -r age1… > acme.ndjson.age
"""
_IMPORT = """\b
Examples:
  policy-service tenant import acme acme.ndjson
  policy-service tenant import acme docs/examples/acme.ndjson
"""
_ERASE = """\b
Examples:
  policy-service tenant export acme --out acme.ndjson
  policy-service tenant erase acme
"""
_SUSPEND = """\b
Example:
  policy-service tenant suspend acme
"""
_RESUME = """\b
Example:
  policy-service tenant resume acme
"""
# a tenant's name is 63 characters at most, few are that long
_WIDTH = 24
_PLURALS = {
    "entity": "entities",
    "relationship": "relationships",
    "entry": "entries",
    "link": "links",
    "head": "heads",
}


@click.group(cls=Commands, short_help="Make, list, move, shut and erase tenants.")
def tenant() -> None:
    """Make, list, move, shut and erase tenants. On PostgreSQL this is done as the role of DATABASE_ADMIN_URL."""


@contextlib.contextmanager
def opened(given: dict[str, Any], *, make: bool = False) -> Iterator[tuple[Settings, Store]]:
    """The settings and the store as its owner opens it, made where there is none if `make`, closed after the block."""
    settings = read_settings(given)
    if not make:
        require_store(settings)
    store = open_admin_store(settings)
    try:
        yield settings, store
    finally:
        store.close()


@tenant.command(epilog=_CREATE, short_help="Make a tenant: folder, key, store.")
@click.argument("name")
@with_settings(*FILES)
def create(name: str, **given: Any) -> None:
    """Make the tenant NAME: a folder with `tenant.yaml` where there is none, then its key and its store."""
    with opened(given, make=True) as (settings, store):
        fresh = create_tenant(settings, store, name)
        folder = settings.tenants / name
    said = f"{folder / 'tenant.yaml'} is new, put policies beside it" if fresh else f"its policies are in {folder}"
    click.echo(f"the tenant `{name}` has a store; {said}", err=True)
    click.echo(f"give out a key with `policy-service key new {name}`", err=True)


@tenant.command("list", epilog=_LIST, short_help="Show the tenants there are.")
@with_settings(*FILES)
@click.option("--counts", is_flag=True, help="Count entities and relationships: opens each store.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_tenants(counts: bool, as_json: bool, **given: Any) -> None:
    """Show every tenant: its name, its state, and since when. One without a store decides from its files."""
    settings = read_settings(given)
    require_folders(settings, "tenants")
    store = open_store(settings) if is_made(settings) else None
    any_shown = False
    try:
        for listed in list_all(settings, store, counts=counts):
            any_shown = True
            click.echo(json.dumps(_shape(listed)) if as_json else _write(listed))
    finally:
        if store:
            store.close()
    if not any_shown:
        click.echo("there are no tenants, make one with `policy-service tenant create`", err=True)


@tenant.command(epilog=_EXPORT, short_help="Write everything a tenant owns as lines of JSON.")
@click.argument("name")
@with_settings(*FILES)
@click.option("--out", metavar="FILE", required=True, help="Where to; `-` is standard output.")
def export(name: str, out: str, **given: Any) -> None:
    """Write everything the tenant NAME owns as lines of JSON: entities, relationships, its trail, and a manifest.

    It is one consistent state, and can be imported again. Restricted properties are readable in it: a file is made
    with mode 0600, and is the tenant's.
    """
    with opened(given) as (settings, store), writing(out) as write, counting("exporting") as report:
        manifest = export_tenant(settings, store, name, lambda line: write(line.decode()), report)
    click.echo(f"the tenant `{name}` is exported: {_say_counts(manifest['counts'])}", err=True)


@tenant.command("import", epilog=_IMPORT, short_help="Import an export, or lines of entities and relationships.")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@with_settings(*FILES)
def import_file(name: str, file: Path, **given: Any) -> None:
    """Import FILE into the tenant NAME, all of it or nothing.

    An export makes the store that was exported, where there is none. Any other file has an entity or a relationship
    on each line, as the API takes them, in any order: those that are there are replaced, for a store that is there.
    """
    with opened(given, make=True) as (settings, store), counting("importing") as report:
        done = importing.import_file(settings, store, name, file, report)
    if done.already:
        click.echo(f"the tenant `{name}` is already as {file} has it, nothing was changed", err=True)
        return
    click.echo(f"{file} is imported into the tenant `{name}`: {_say_counts(done.counts)}", err=True)
    if done.dropped:
        click.echo(f"{done.dropped:,} entries of `_rawData` were dropped: they are never stored", err=True)


@tenant.command(epilog=_SUSPEND, short_help="Shut a tenant; its data stay.")
@click.argument("name")
@with_settings("data", "keyring")
def suspend(name: str, **given: Any) -> None:
    """Shut the tenant NAME: its keys answer as wrong ones until `policy-service tenant resume`."""
    with opened(given) as (_, store):
        done = suspending.suspend(store, name)
    click.echo(f"the tenant `{name}` {'is' if done else 'was already'} suspended", err=True)


@tenant.command(epilog=_RESUME, short_help="Open a suspended tenant again.")
@click.argument("name")
@with_settings("data", "keyring")
def resume(name: str, **given: Any) -> None:
    """Open the suspended tenant NAME again."""
    with opened(given) as (_, store):
        done = suspending.resume(store, name)
    click.echo(f"the tenant `{name}` {'is' if done else 'was already'} active", err=True)


@tenant.command(epilog=_ERASE, short_help="Destroy a tenant's data and keys.")
@click.argument("name")
@with_settings(*FILES)
@click.option("--yes", is_flag=True, help="Don't ask for the name again.")
def erase(name: str, yes: bool, **given: Any) -> None:
    """Destroy what the service holds of the tenant NAME: data, keys, stored bundles. Nothing brings it back.

    Its records in the decision log were sealed with its keys: nobody can open them any more. Its folder of policies
    is left as it is, and decides nothing until `policy-service tenant create`.
    """
    if not yes and click.prompt(f"everything of `{name}` is destroyed, type its name to go on", err=True) != name:
        raise click.UsageError("that is another name, nothing was erased")
    with opened(given, make=True) as (settings, store):
        held = erase_tenant(settings, store, name)
        folder = settings.tenants / name
    if held is None:
        click.echo(f"the tenant `{name}` was erased before", err=True)
        return
    click.echo(f"the tenant `{name}` is erased: {_say_held(held)}", err=True)
    click.echo("what the decision log holds of it can't be opened any more: the keys are gone", err=True)
    if folder.exists():
        click.echo(f"{folder} is left, and decides nothing until `policy-service tenant create {name}`", err=True)


def _shape(listed: Listed) -> dict[str, Any]:
    entities, relationships = listed.counts or (None, None)
    return {
        "name": listed.name,
        "state": listed.state or "files only",
        "since": _instant(listed.since) if listed.since else None,
        "folder": listed.folder,
        "entities": entities,
        "relationships": relationships,
    }


def _write(listed: Listed) -> str:
    shape = _shape(listed)
    counts = f"  {listed.counts[0]:,} entities, {listed.counts[1]:,} relationships" if listed.counts else ""
    since = f"  since {shape['since']}" if shape["since"] else ""
    folder = "" if listed.folder or listed.state == "erased" else "  no folder"
    return f"{listed.name:<{_WIDTH}}  {shape['state']:<10}{since}{folder}{counts}".rstrip()


def _say_counts(counts: Mapping[str, int]) -> str:
    told = []
    for what, count in counts.items():
        kind, _, done = what.partition(" ")
        told.append(f"{count:,} {kind if count == 1 else _PLURALS[kind]} {done}".rstrip())
    return ", ".join(told) or "nothing"


def _instant(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _say_held(held: dict[str, Any]) -> str:
    names = ("entities", "relationships", "trail", "keys")
    known = {"trail": "entries of its trail", "keys": "keys"}
    parts = [f"{held[name]:,} {known.get(name, name)}" for name in names if held.get(name) is not None]
    return ", ".join(parts) or "nobody could count what it had"
