"""`policy-service keyring`: the keys that wrap every tenant's data key: how they are, and their rotation."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from policy_service.audit.trail import Change, Origin, note
from policy_service.cli.options import read_settings, require_store, with_settings
from policy_service.cli.output import Commands, print_json, print_table
from policy_service.cli.trail_text import counting
from policy_service.config import Settings
from policy_service.errors import PolicyServiceError
from policy_service.store.door import Store
from policy_service.store.keyring import keyring_path, open_keyring
from policy_service.store.opening import open_admin_store, open_store
from policy_service.store.rotation import Rotation, move
from policy_service.store.rotation import rotate as rotate_keyring
from policy_service.store.tables import SERVICE
from policy_service.tenancy.acts import name_operator
from policy_service.tenancy.rekeying import rekey as rekey_tenant

_STATUS = """\b
Example:
  policy-service keyring status --json
"""
_ROTATE = """\b
Examples:
  policy-service keyring rotate
  policy-service keyring rotate --to aws-kms:alias/policy-service
"""
_REKEY = """\b
Example:
  policy-service keyring rekey acme
"""
_EVERY = 500


@click.group(cls=Commands, short_help="Look after the keys that wrap every tenant's data key.")
def keyring() -> None:
    """Look after the keys that wrap every tenant's data key."""


@keyring.command(epilog=_STATUS, short_help="Show the keyring, its age, and what it wraps.")
@with_settings("data", "keyring")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(as_json: bool, **given: Any) -> None:
    """Show the keyring, how old its key is, and how many data keys each of its keys wraps."""
    settings = read_settings(given)
    health = open_keyring(settings).health()
    counts = _count(settings)
    created = datetime.fromtimestamp(health.created_on / 1000, UTC).isoformat(timespec="seconds")
    if as_json:
        print_json({**health._asdict(), "created_on": created, "data_keys": counts})
        return
    rows = [[kek, "wraps" if kek == health.current else "opens", str(count)] for kek, count in counts.items()]
    print_table(f"keyring {health.provider}", ["key", "still", "data keys"], rows)
    click.echo(health.sentence, err=True)


@keyring.command(epilog=_ROTATE, short_help="Wrap every data key by a new key.")
@with_settings("data", "keyring")
@click.option("--to", "to", metavar="KEYRING", help="Move to this keyring, a file or aws-kms:KEY_ID; stop the service.")
def rotate(to: str | None, **given: Any) -> None:
    """Wrap every data key by a new key; the data stay as they are, and the service may run.

    What was interrupted is finished by running it again. It does not help where a data key leaked: that takes
    `policy-service keyring rekey`.
    """
    settings = read_settings(given)
    open_keyring(settings)  # where it is missing nothing is to be made
    store = open_admin_store(settings)
    try:
        done = _move(settings, store, to) if to else rotate_keyring(settings, store.key_table, _report)
        detail = {"rewrapped": done.rewrapped, "moved": bool(to), "user": name_operator()}
        change = Change("rotate", "keyring", done.kek, None, None, Origin(), detail=detail)
        with store.session(SERVICE, write=True) as session:
            note(session, [change], time.time())
    finally:
        store.close()
    start = "an earlier rotation is finished" if done.resumed else "done"
    click.echo(f"{start}: {done.rewrapped} data keys are wrapped anew by the key `{done.kek}`", err=True)
    if to:
        click.echo(f"start the service with `POLICY_SERVICE_KEYRING={to}` from now on", err=True)


@keyring.command(epilog=_REKEY, short_help="Give a tenant another data key.")
@click.argument("tenant")
@with_settings("data", "keyring")
def rekey(tenant: str, **given: Any) -> None:
    """Give TENANT another data key, for when one leaked: what it opens is encrypted anew.

    On files the tenant is shut meanwhile, about a second for 100 MB, and there must be room for a copy. What was
    interrupted is finished by running it again.
    """
    settings = read_settings(given)
    require_store(settings)
    store = open_admin_store(settings)
    try:
        with counting("resealing") as report:
            version = rekey_tenant(store, tenant, lambda step: click.echo(f"{step}…", err=True), report)
    finally:
        store.close()
    click.echo(f"version {version} of the data key of `{tenant}` is active; older ones still open the log", err=True)


def say_overdue(settings: Settings) -> str | None:
    """What there is to do about the keyring, as a sentence; `None` where it is in order or there is none yet."""
    try:
        path = keyring_path(settings)
        if path is not None and not path.exists() and not (settings.database_url or _has_store(settings)):
            return None
        health = open_keyring(settings).health()
    except PolicyServiceError as error:
        return str(error)
    return health.sentence if health.overdue else None


def _move(settings: Settings, store: Store, to: str) -> Rotation:
    return move(
        store.key_table, open_keyring(settings), open_keyring(replace(settings, keyring=to), create=True), _report
    )


def _count(settings: Settings) -> dict[str, int]:
    """How many data keys each KEK wraps; without making a store where there is none."""
    if not (settings.database_url or _has_store(settings)):
        return {}
    store = open_store(settings)
    try:
        return dict(Counter(row.kek for row in store.key_table.all()))
    finally:
        store.close()


def _has_store(settings: Settings) -> bool:
    return (settings.data / "store").exists()


def _report(done: int, total: int) -> None:
    if done % _EVERY == 0 or done == total:
        click.echo(f"{done} of {total} data keys", err=True)
