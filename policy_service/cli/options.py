"""Options that several commands share: each setting is an option and a variable of the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from policy_service import config
from policy_service.config import PREFIX, Settings
from policy_service.errors import Refused
from policy_service.store.opening import is_made

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False)
_NUMBER = click.IntRange(min=1)
_SETTINGS: dict[str, dict[str, Any]] = {
    "policies": {"type": _FOLDER, "metavar": "DIR", "help": "Folder of the platform layer."},
    "tenants": {"type": _FOLDER, "metavar": "DIR", "help": "Folder with a folder for each tenant."},
    "data": {"type": _FOLDER, "metavar": "DIR", "help": "Folder the service writes: log, bundles, store."},
    "bind": {"metavar": "HOST:PORT", "help": "Address to listen on; port 0 takes a free one."},
    "workers": {"type": _NUMBER, "metavar": "N", "help": "Processes that answer."},
    "public_url": {"metavar": "URL", "help": "What clients call the service; else made from --bind."},
    "log_sync": {"is_flag": True, "flag_value": True, "help": "Wait for the disk before each answer (power loss)."},
    "log_bytes": {"type": _NUMBER, "metavar": "N", "help": "Size of the decision log, oldest segments go first."},
    "log_days": {"type": _NUMBER, "metavar": "N", "help": "Age of the decision log."},
    "log_segment_bytes": {"type": _NUMBER, "metavar": "N", "help": "Size at which a segment is closed."},
    "log_mask": {"metavar": "PATHS", "help": "Fields to replace in records: `subject.id,context.ip`."},
    "bundles": {"type": _NUMBER, "metavar": "N", "help": "Tenants held in memory for each worker."},
    "stores": {"type": _NUMBER, "metavar": "N", "help": "Tenants' stores held open for each worker."},
    "keyring": {
        "metavar": "FILE",
        "help": "Where the key encryption keys are: a file, or aws-kms:KEY_ID.",
    },
    "ssl_cert": {"type": _FILE, "metavar": "FILE", "help": "Certificate to speak TLS with, and its issuers', PEM."},
    "ssl_key": {"type": _FILE, "metavar": "FILE", "help": "Private key of the certificate, PEM."},
    "behind_proxy": {"metavar": "NETWORKS", "help": "Proxies that are believed about the client: `10.1.2.0/24`."},
}
_LISTS = {"log_mask", "behind_proxy"}
# the database is named by DATABASE_URL alone: its password would stand in the list of processes
SERVING = tuple(_SETTINGS)
FILES = ("policies", "tenants", "data", "keyring")


def with_settings(*names: str) -> Callable[[F], F]:
    """Add the options of these settings; the command gets those that were given as keywords, for `read_settings`."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            flag = f"--{name.replace('_', '-')}"
            variable = f"{PREFIX}{name.upper()}"
            shown = {**_SETTINGS[name], "help": f"{_SETTINGS[name]['help']}  [{variable}{_say_default(name)}]"}
            command = click.option(flag, name, default=None, **shown)(command)
        return command

    return decorate


def _say_default(name: str) -> str:
    default = getattr(Settings(), name)
    if name == "keyring":
        return ", else keyring.json in --data"
    return "" if name == "public_url" or not default else f", else {default}"


def read_settings(given: dict[str, Any]) -> Settings:
    """The settings of the environment under those that were given as options; `Refused` where one can't be read."""
    options = {name: value for name, value in given.items() if value is not None}
    for name in _LISTS & options.keys():
        options[name] = tuple(part.strip() for part in options[name].split(",") if part.strip())
    return replace(config.read(), **options)


def require_folders(settings: Settings, *names: str) -> None:
    """See that the folders of these settings are there: a misspelt one would look like one without tenants."""
    for name in names:
        folder = getattr(settings, name)
        if not folder.is_dir():
            raise Refused(f"there is no folder {folder}, name the right one with --{name}")


def require_store(settings: Settings) -> None:
    """See that there is a store: to open one in the wrong folder would make it, and a keyring, and find it empty."""
    if not is_made(settings):
        raise Refused(f"there is no store in {settings.data}, name the data folder of `serve` with --data")
