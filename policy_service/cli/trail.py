"""`policy-service trail`: who changed what, whether the record is whole, and how others can see that for themselves."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from policy_service.audit.sealer import seal
from policy_service.audit.trail_check import verify
from policy_service.audit.trail_export import export, read_published, write_head
from policy_service.audit.trail_pages import read_entries, read_last_head
from policy_service.cli.options import F, read_settings, require_store, with_settings
from policy_service.cli.output import Commands, console, print_json, visible
from policy_service.cli.times import read_time
from policy_service.cli.trail_text import counting, print_report, read_body, shape_report, write_entry, writing
from policy_service.errors import Conflict
from policy_service.store.door import Store
from policy_service.store.opening import open_store
from policy_service.store.tables import SERVICE

_SHOW = """\b
Examples:
  policy-service trail show acme --since 2h
  policy-service trail show --service --json | jq .by.subject
"""
_VERIFY = """\b
Examples:
  policy-service trail verify acme
  policy-service trail verify acme --head /mnt/elsewhere/acme.heads
"""
_EXPORT = """\b
Examples:
  policy-service trail export acme --out acme.trail
  python3 docs/verify_trail.py acme.trail
"""
_HEAD = """\b
Example:
  policy-service trail head acme >> /mnt/elsewhere/acme.heads
"""


@click.group(cls=Commands, short_help="Read, verify and export the trail of changes.")
def trail() -> None:
    """Read, verify and export the trail: every change by anyone, linked and signed."""


def _with_account(command: F) -> F:
    service = click.option("--service", is_flag=True, help="The trail of the service itself, not of a tenant.")
    return click.argument("tenant", required=False)(service(with_settings("data", "keyring")(command)))


def _account(tenant: str | None, service: bool) -> str:
    if (tenant is None) is not service:
        raise click.UsageError("name a tenant, or --service for the service's own trail")
    return tenant or SERVICE


@contextlib.contextmanager
def _opened(given: dict[str, Any]) -> Iterator[Store]:
    settings = read_settings(given)
    require_store(settings)
    store = open_store(settings).admit_suspended()
    try:
        yield store
    finally:
        store.close()


@trail.command(epilog=_SHOW)
@_with_account
@click.option(
    "--since", metavar="TIME", callback=read_time, help="From this time on: RFC 3339, or how long ago (`2h`)."
)
@click.option("--until", metavar="TIME", callback=read_time, help="Before this time, written likewise.")
@click.option("--json", "as_json", is_flag=True, help="Print whole entries, one JSON object a line.")
def show(
    tenant: str | None, service: bool, since: datetime | None, until: datetime | None, as_json: bool, **given: Any
) -> None:
    """Print the changes of TENANT in order of time."""
    account = _account(tenant, service)
    shown = False
    with _opened(given) as store:
        for entry in read_entries(store, account, _micros(since) or 0, _micros(until)):
            shown = True
            if as_json:
                click.echo(json.dumps({"entry": entry.id, "seq": entry.seq, **read_body(entry)}))
            else:
                console().print(write_entry(entry), soft_wrap=True)
    if not shown:
        click.echo(f"no change in the trail of `{account}` is one of those", err=True)


@trail.command("verify", epilog=_VERIFY, short_help="See whether a trail is whole.")
@_with_account
@click.option(
    "--head",
    "heads",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Heads kept elsewhere, or an earlier export: each must be part of the trail still.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def verify_trail(tenant: str | None, service: bool, heads: Path | None, as_json: bool, **given: Any) -> None:
    """See whether the trail of TENANT is whole: every link, entry and signature. Exit code 1 where it is not."""
    account = _account(tenant, service)
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(heads.open(encoding="utf-8", errors="replace")) if heads else ()
        store = stack.enter_context(_opened(given))
        _seal_first(store, account)
        published = read_published(account, lines, str(heads)) if heads else ()
        with counting("verifying") as progress:
            report = verify(store, account, published=published, progress=progress)
    if as_json:
        print_json(shape_report(account, report))
    else:
        print_report(account, report)
    if report.problems:
        sys.exit(1)


@trail.command("export", epilog=_EXPORT, short_help="Write a trail as lines of JSON.")
@_with_account
@click.option("--out", metavar="FILE", required=True, help="Where to; `-` is standard output.")
def export_trail(tenant: str | None, service: bool, out: str, **given: Any) -> None:
    """Write the trail of TENANT as lines of JSON that docs/verify_trail.py verifies without this service."""
    account = _account(tenant, service)
    with _opened(given) as store, writing(out) as write:
        _seal_first(store, account)
        for line in export(store, account, time.time()):
            write(f"{line}\n")


@trail.command(epilog=_HEAD, short_help="Print the newest signed head.")
@_with_account
def head(tenant: str | None, service: bool, **given: Any) -> None:
    """Print the newest signed head of TENANT's trail, to be kept where nobody who can write the store can."""
    account = _account(tenant, service)
    with _opened(given) as store:
        seal(store, account, everything=True)
        with store.session(account) as session:
            newest = read_last_head(session, account)
    if newest is None:
        click.echo(f"the trail of `{account}` is empty", err=True)
    else:
        click.echo(write_head(account, newest))


def _seal_first(store: Store, account: str) -> None:
    # where the chain's end is broken nothing more is signed, but it can be looked at and given away as it is
    try:
        seal(store, account, everything=True)
    except Conflict as error:
        click.echo(visible(f"policy-service: {error}"), err=True)


def _micros(moment: datetime | None) -> int | None:
    return round(moment.timestamp() * 1_000_000) if moment else None
