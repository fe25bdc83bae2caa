"""What commands print: for people on a terminal, JSON for programs, and why something was refused."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from policy_service.errors import PolicyServiceError, Refused, Unavailable
from policy_service.model import Finding


def print_json(value: Any) -> None:
    """One value as indented JSON on standard output."""
    click.echo(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode())


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table for people; on a pipe it is as wide as it needs to be."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(visible(cell)) for cell in row))
    console().print(table)


def visible(text: str) -> str:
    """The text with an escape for each character that is none to look at.

    Whoever sends a request chooses its ids: a line feed in one would be a line of its own in what is printed, and an
    escape sequence would steer the terminal.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def console() -> Console:
    """Standard output, as it is now (tests and pipes replace it)."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False)


def print_findings(findings: Iterable[Finding], *, warning: bool = False) -> None:
    """Findings as `path:line: sentence`, one a line, so that editors can open them."""
    for finding in findings:
        click.echo(visible(f"{finding}{' (warning)' if warning else ''}"))


class Commands(click.Group):
    """A group whose refusals are sentences: 2 where the call is to be changed, 1 where the service can't."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PolicyServiceError as error:
            # it quotes files, and a file that is imported is its author's
            click.echo(visible(f"policy-service: {error}"), err=True)
            for finding in error.findings if isinstance(error, Refused) else ():
                click.echo(visible(f"  {finding}"), err=True)
            ctx.exit(1 if isinstance(error, Unavailable) else 2)
