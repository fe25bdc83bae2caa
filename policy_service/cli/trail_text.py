"""What `policy-service trail` prints and writes: entries for people, what a check found, files that are whole."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from policy_service.audit.records import instant
from policy_service.audit.trail_check import Report
from policy_service.audit.trail_export import write_head
from policy_service.audit.trail_pages import Entry
from policy_service.cli.output import visible
from policy_service.errors import Refused


def read_body(entry: Entry) -> dict[str, Any]:
    """The members of an entry; what someone made unreadable is the one member `unreadable`."""
    with contextlib.suppress(ValueError, RecursionError):
        body = json.loads(entry.body)
        if isinstance(body, dict):
            return body
    return {"unreadable": entry.body}


def write_entry(entry: Entry) -> str:
    """An entry on one line for people, with the console's markup; whatever it holds can't steer the terminal."""
    body = read_body(entry)
    by = body.get("by")
    origin = by if isinstance(by, Mapping) else {}
    reasons = body.get("reasons")
    why = ", ".join(str(reason) for reason in reasons) if isinstance(reasons, list) else ""
    sources = (("key", origin.get("key")), ("from", origin.get("address")), ("by", why))
    told = [f"{name} {text}" for name, text in sources if text]
    if entry.seq is None:
        told.append("not sealed yet")
    if "unreadable" in body:
        told.append(f"unreadable: {body['unreadable']}")
    parts = (
        _when(body.get("at")),
        str(origin.get("subject") or _say_operator(body.get("detail"))),
        str(body.get("action", "-")),
        f"{body.get('kind', '-')}:{body.get('id', '-')}",
    )
    return f"{'  '.join(_safe(part) for part in parts)}  [dim]{_safe('; '.join(told))}[/dim]"


def shape_report(account: str, report: Report) -> dict[str, Any]:
    """What a check found, as JSON shows it; `head` is the newest as it is exported."""
    return {
        "account": account,
        "sound": not report.problems,
        "entries": report.entries,
        "links": report.links,
        "heads": report.heads,
        "unsealed": report.unsealed,
        "head": json.loads(write_head(account, report.head)) if report.head else None,
        "problems": [problem._asdict() for problem in report.problems],
    }


def print_report(account: str, report: Report) -> None:
    """What a check found, for people: one line each."""
    for problem in report.problems:
        click.echo(visible(str(problem)))
    waiting = f", {report.unsealed} not sealed yet" if report.unsealed else ""
    counts = f"{report.entries} entries, {report.links} links, {report.heads} heads{waiting}"
    verdict = "is not what was written" if report.problems else "is whole"
    click.echo(visible(f"the trail of {account} {verdict}: {counts}"))


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows on a terminal how far it is; nothing is written to a pipe."""
    shown = False

    def show(done: int, whole: int) -> None:
        nonlocal shown
        if sys.stderr.isatty():
            click.echo(f"\r{what} {done:,} of {whole:,}", nl=False, err=True)
            shown = True

    try:
        yield show
    finally:
        if shown:
            click.echo(err=True)


@contextlib.contextmanager
def writing(out: str) -> Iterator[Callable[[str], Any]]:
    """Write to standard output (`-`), or to a file of mode 0600 that takes its name when it is whole."""
    if out == "-":
        yield sys.stdout.write
        return
    path = Path(out)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        _sweep(path)
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                yield file.write
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(f"`{out}` can't be written: {(error.strerror or str(error)).lower()}") from error


def _sweep(path: Path) -> None:
    """Remove what processes that were killed left beside the file: it holds what the file was to hold."""
    for part in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        pid = part.name[len(path.name) + 1 : -len(".part")]
        if pid.isdecimal() and not _is_running(int(pid)):
            part.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True


def _say_operator(detail: Any) -> str:
    user = detail.get("user") if isinstance(detail, Mapping) else None
    return f"{user} at the command line" if user else "the command line"


def _when(at: Any) -> str:
    try:
        return instant(at / 1_000_000)
    except (TypeError, ValueError, OverflowError, OSError):
        return "-"


def _safe(text: str) -> str:
    return escape(visible(text))
