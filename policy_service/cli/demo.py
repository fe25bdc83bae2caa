"""`policy-service demo`, which `make run` calls: the service on loopback with the demo tenants, and what to try."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from policy_service import config
from policy_service.cli.demo_tries import OWNERS, describe
from policy_service.cli.listener import find_port, listen, read_bind, write_address
from policy_service.cli.options import FILES, read_settings, with_settings
from policy_service.cli.serve import require_start
from policy_service.config import Settings
from policy_service.errors import Refused
from policy_service.identity import keys
from policy_service.store.control import State
from policy_service.store.opening import open_admin_store
from policy_service.tenancy.creating import create
from policy_service.tenancy.importing import import_file, is_empty

TENANTS = ("citadel", "acme")
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "acme.ndjson"
_WAIT_SECONDS = 60


@click.command(hidden=True, epilog="Example: policy-service demo")
@with_settings(*FILES)
@with_settings("bind", "workers")
def demo(**given: Any) -> None:
    """Serve the demo tenants on loopback, with keys for who is in them until it is stopped."""
    settings = _find_place(read_settings(given))
    require_start(settings)
    furnish(settings)
    config.forget_admin_url()
    made = _make_keys(settings)
    try:
        listen(settings, on_start=partial(_announce_later, settings, {name: key.token for name, key in made.items()}))
    finally:
        for key in made.values():
            keys.revoke(settings.tenants, key.tenant, key.id)


def furnish(settings: Settings) -> None:
    """Make the stores of the demo tenants, and fill acme's: once, whatever becomes of it then."""
    with contextlib.closing(open_admin_store(settings)) as store:
        for tenant in _present(settings):
            if store.look(tenant) in (None, State.CREATING):
                create(settings, store, tenant)
        if "acme" in _present(settings) and store.has_store("acme") and is_empty(store, "acme") and EXAMPLE.exists():
            import_file(settings, store, "acme", EXAMPLE, lambda *_: None)


def _present(settings: Settings) -> list[str]:
    return [tenant for tenant in TENANTS if (settings.tenants / tenant / "tenant.yaml").is_file()]


def _find_place(settings: Settings) -> Settings:
    """The address that was asked for, or the same host with a free port where it is taken."""
    host, port = read_bind(settings.bind)
    try:
        port = find_port(host, port)
    except Refused:
        port = find_port(host, 0)
    address = write_address(host, port)
    return replace(settings, bind=address, public_url=f"http://{address}")


class _Key(NamedTuple):
    token: str
    tenant: str
    id: str


def _make_keys(settings: Settings) -> dict[str, _Key]:
    """A key of this run for each who is in a demo tenant that is there; they end by themselves if the run is killed."""
    made = {}
    present = _present(settings)
    for name, owner in OWNERS.items():
        if owner.tenant in present:
            token, entry = keys.create(
                settings.tenants,
                owner.tenant,
                scopes=owner.scopes,
                subject=owner.subject,
                expires="24h",
                now=time.time(),
            )
            made[name] = _Key(token, owner.tenant, entry.id)
    return made


def _announce_later(settings: Settings, tokens: Mapping[str, str]) -> None:
    # a process and not a thread: the workers are forked next, and a lock that a thread holds would stay held in them
    multiprocessing.get_context("fork").Process(target=_announce, args=(settings, tokens), daemon=True).start()


def _announce(settings: Settings, tokens: Mapping[str, str]) -> None:
    """Wait until the service can decide, then say what to try."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{settings.public_url}/healthz", timeout=5):  # noqa: S310  our own loopback URL
                click.echo(describe(settings.public_url, tokens))
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    click.echo(f"the service does not answer at {settings.public_url}/healthz, see what is printed above", err=True)
