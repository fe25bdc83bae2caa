"""`policy-service db`: the databases' tables brought up to date, and whether they are."""

from __future__ import annotations

import sys
from typing import Any

import click

from policy_service.assets.rebuilding import rebuild
from policy_service.bundles.load import load
from policy_service.cli.options import FILES, read_settings, require_store, with_settings
from policy_service.cli.output import Commands, print_json
from policy_service.cli.trail_text import counting
from policy_service.errors import Refused
from policy_service.store import migrate
from policy_service.store.opening import is_made, open_store
from policy_service.store.revisions import Standing, look_over
from policy_service.store.upgrading import count_states
from policy_service.store.upgrading import upgrade as upgrade_all

_UPGRADE = """\b
Examples:
  policy-service db upgrade
  DATABASE_URL=postgresql://runtime@db/policies DATABASE_ADMIN_URL=postgresql://owner@db/policies \\
    policy-service db upgrade
"""
_STATUS = """\b
Example:
  policy-service db status --json
"""
_REINDEX = """\b
Example:
  policy-service db reindex acme
"""
# a pipe hears from a long upgrade this often
_EVERY = 500


@click.group(cls=Commands, short_help="Bring the databases up to date.")
def db() -> None:
    """Bring the databases up to date, and see whether they are."""


@db.command(epilog=_UPGRADE, short_help="Bring every database up to date.")
@with_settings("data", "keyring")
def upgrade(**given: Any) -> None:
    """Bring every database up to date. It can be run at any time, and again after it was interrupted.

    On files each tenant's is upgraded when it is first opened: this does all at once, before they are needed. On
    PostgreSQL it makes the tables and the rights of the role in DATABASE_URL, as the role in DATABASE_ADMIN_URL.
    """
    settings = read_settings(given)

    with counting("upgrading") as show:

        def report(done: int, whole: int, _name: str) -> None:
            show(done, whole)
            if not sys.stderr.isatty() and done % _EVERY == 0 and 0 < done < whole:
                click.echo(f"{done:,} of {whole:,} databases", err=True)

        count = upgrade_all(settings, report)
    click.echo(f"{count:,} {'database is' if count == 1 else 'databases are'} up to date", err=True)


@db.command(epilog=_STATUS, short_help="Show whether the databases are up to date.")
@with_settings("data", "keyring")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def status(ctx: click.Context, /, as_json: bool, **given: Any) -> None:
    """Show how many tenants there are in which state, and whose databases are not up to date: exit code 1.

    Nothing is upgraded. On PostgreSQL a database that is not up to date is refused with a sentence.
    """
    settings = read_settings(given)
    if not is_made(settings):
        click.echo(f"there is no store in {settings.data} yet, `policy-service tenant create` makes one", err=True)
        return
    store = open_store(settings)
    try:
        states = count_states(store)
        with counting("looking at") as report:
            found = look_over(store, report)
        backend = store.backend
    finally:
        store.close()
    if as_json:
        others = [{"tenant": database.tenant, "state": database.standing, "why": database.why} for database in found]
        schema = {history: migrate.head(history) for history in ("control", "tenant")}
        print_json({"backend": backend, "schema": schema, "tenants": states, "not_up_to_date": others})
    else:
        for database in found:
            click.echo(f"{database.tenant}: {database.standing}{': ' if database.why else ''}{database.why}")
        told = ", ".join(f"{count:,} {state}" for state, count in states.items()) or "no tenants"
        behind = sum(database.standing is Standing.BEHIND for database in found)
        click.echo(f"{backend}: {told}; {len(found):,} not up to date", err=True)
        if behind:
            click.echo("run `policy-service db upgrade`", err=True)
    ctx.exit(1 if found else 0)


@db.command(epilog=_REINDEX, short_help="Rebuild what a tenant's lists start from, now.")
@click.argument("tenant")
@with_settings(*FILES)
def reindex(tenant: str, **given: Any) -> None:
    """Rebuild what lists and counts of TENANT start from, all of it, by its files as they are now.

    A running service does it by itself where files ask for something else, and never needs this. It can be run while
    the service answers and writes, and again after it was interrupted: it goes on where it was. Until it is done all
    answers are by what was there before.
    """
    settings = read_settings(given)
    require_store(settings)
    bundle, findings = load(settings.policies, settings.tenants, tenant)
    if bundle is None:
        raise Refused(f"the files of tenant `{tenant}` don't load, mend what is wrong with them first", findings)
    store = open_store(settings)
    try:
        with counting("looking at row") as show:
            done = rebuild(
                store, bundle, anew=True, rest=0.1, report=lambda progress: show(progress.done, progress.whole)
            )
    finally:
        store.close()
    click.echo(f"the lists of `{tenant}` are rebuilt" if done else f"`{tenant}` has nothing stored yet", err=True)
