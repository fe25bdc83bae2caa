"""`policy-service serve`: the decision API over HTTP."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from policy_service import config
from policy_service.audit.decision_log import open_log
from policy_service.bundles.current import Bundles
from policy_service.cli.certificates import require_certificate
from policy_service.cli.listener import find_port, listen, read_bind, require_private, write_address
from policy_service.cli.options import SERVING, read_settings, require_folders, with_settings
from policy_service.config import Settings, check_public_url
from policy_service.store.opening import open_store

_EPILOG = """\b
Example:
  policy-service serve --policies policies --tenants tenants --data data \\
    --bind 127.0.0.1:8080 --workers 2 --public-url https://pdp.example.com
"""
_RENEW = timedelta(days=14)
_ANYWHERE = {"0.0.0.0", "::"}  # noqa: S104  compared, not bound


@click.command(epilog=_EPILOG)
@with_settings(*SERVING)
def serve(**given: Any) -> None:
    """Answer decision requests until interrupted.

    Workers that die are started again; they end when this process ends. Exit code 2 where the platform layer
    is missing, empty or refused, the folder of the tenants missing, the address can't be listened on or is beyond
    loopback without TLS or proxies that speak it, or certificate or store can't be used.
    """
    config.forget_admin_url()
    settings = read_settings(given)
    check_public_url(settings.public_url)
    named = given["public_url"] is not None or settings.public_url != Settings().public_url
    settings = place(settings, named=named)
    require_start(settings)
    click.echo(
        f"policy-service listens on {_scheme(settings)}://{settings.bind}, its API is documented at /docs", err=True
    )
    listen(settings)


def place(settings: Settings, *, named: bool) -> Settings:
    """The settings with an address that can be listened on; the public URL follows it where none was named."""
    host, port = read_bind(settings.bind)
    address = write_address(host, find_port(host, port))
    if named:
        return replace(settings, bind=address)
    reached = write_address("127.0.0.1", read_bind(address)[1]) if host in _ANYWHERE else address
    return replace(settings, bind=address, public_url=f"{_scheme(settings)}://{reached}")


def _scheme(settings: Settings) -> str:
    return "https" if settings.ssl_cert else "http"


def require_start(settings: Settings) -> None:
    """See that workers can start: `Refused` where files, certificate, store or decision log can't be used.

    A first start makes the keyring and the control database.
    """
    require_private(settings)
    if settings.ssl_cert or settings.ssl_key:
        _warn_of_end(require_certificate(settings.ssl_cert, settings.ssl_key, datetime.now(UTC)))
    require_folders(settings, "tenants")
    with contextlib.closing(open_store(settings)) as store:
        open_log(settings, store.keys).close()
    Bundles(settings).platform()


def _warn_of_end(ends: datetime) -> None:
    if ends - datetime.now(UTC) < _RENEW:
        click.echo(f"policy-service: the certificate ends at {ends:%Y-%m-%dT%H:%M:%SZ}, renew it soon", err=True)
