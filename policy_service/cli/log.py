"""`policy-service log`: the decision log, as it was and as it comes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import Any

import click
from rich.markup import escape

from policy_service.audit.reader import read
from policy_service.audit.records import dumps
from policy_service.cli.options import read_settings, with_settings
from policy_service.cli.output import console, visible
from policy_service.cli.times import read_time
from policy_service.config import Settings
from policy_service.errors import NoKey
from policy_service.store.door import Store
from policy_service.store.opening import open_store

_EPILOG = """\b
Examples:
  policy-service log --tenant acme --decision deny --since 1h
  policy-service log --follow --json | jq .reasons
"""


def _read_subject(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and ":" not in value:
        raise click.BadParameter(f"`{value}` names no subject, write `TYPE:ID`, for example `user:alice`")
    return value


@click.command(epilog=_EPILOG)
@with_settings("data", "keyring")
@click.option("--tenant", help="Only decisions of this tenant.")
@click.option("--subject", metavar="TYPE:ID", callback=_read_subject, help="Only decisions about this subject.")
@click.option("--decision", type=click.Choice(["allow", "deny"]), help="Only allows or only denies.")
@click.option(
    "--since", metavar="TIME", callback=read_time, help="From this time on: RFC 3339, or how long ago (`2h`)."
)
@click.option("--until", metavar="TIME", callback=read_time, help="Before this time, written likewise.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written later, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print whole records, one JSON object a line.")
def log(as_json: bool, data: Any, keyring: Any, **filters: Any) -> None:
    """Read the decision log in order of time.

    Records are sealed with their tenant's data key: it takes the keyring and the store that `serve` uses.
    """
    settings = read_settings({"data": data, "keyring": keyring})
    folder = settings.data / "log"
    if not folder.is_dir():
        click.echo(f"there is no decision log in {folder} yet, name the data folder of `serve` with --data", err=True)
        if not filters["follow"]:
            return
    with contextlib.closing(_open_store(settings)) as store:
        records = read(folder, store.keys, report=lambda sentence: click.echo(visible(sentence), err=True), **filters)
        shown = False
        with contextlib.suppress(KeyboardInterrupt):
            for record in records:
                shown = True
                _print(record, as_json=as_json)
    if not shown and not filters["follow"]:
        click.echo(f"no decision in {folder} is one of those", err=True)


def _open_store(settings: Settings) -> Store:
    """The store `serve` has used; `NoKey` where it is not there, since opening would begin a new one."""
    control = settings.data / "store" / "control.db"
    if not settings.database_url and not control.is_file():
        raise NoKey(
            f"the keys of the decision log are in {control}, which is missing: name the data folder of `serve` with "
            "--data, or its database with DATABASE_URL"
        )
    return open_store(settings)


def _print(record: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(dumps(record).decode())
    else:
        console().print(_line(record), soft_wrap=True)
    sys.stdout.flush()


def _line(record: Mapping[str, Any]) -> str:
    decision = "[green]allow[/green]" if record.get("decision") else "[red]deny [/red]"
    action = record.get("action") or {}
    parts = [
        _show(record.get("time", "")),
        decision,
        _show(record.get("tenant", "")),
        _show(_name(record.get("subject"))),
        _show(action.get("name", action) if isinstance(action, Mapping) else action),
        _show(_name(record.get("resource"))),
        f"[dim]{_show(_why(record), empty='')}[/dim]",
    ]
    return "  ".join(parts)


def _show(value: Any, empty: str = "-") -> str:
    return escape(visible(str(value))) or empty


def _name(thing: Any) -> str:
    """A subject or resource as people write it; nothing where an item of a batch could not be read so far."""
    if not isinstance(thing, Mapping):
        return str(thing)
    kind, name = thing.get("type"), thing.get("id")
    return f"{kind}:{name}" if kind or name else ""


def _why(record: Mapping[str, Any]) -> str:
    if record.get("refused"):
        return f"refused: {record['refused']}"
    rows = record.get("rows")
    if isinstance(rows, Mapping):
        if "counted" in rows:
            return f"{rows['counted']} rows counted"
        withheld = len(rows.get("withheld") or ())
        return f"{rows.get('shown')} rows shown" + (f", {withheld} withheld" if withheld else "")
    errors = [f"failed: {failure.get('id')}" for failure in record.get("errors") or ()]
    return ", ".join([*(str(reason.get("id")) for reason in record.get("reasons") or ()), *errors])
