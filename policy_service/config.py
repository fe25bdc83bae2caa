"""Settings, and the only reader of the environment.

Every option of `policy-service serve` is also a variable `POLICY_SERVICE_<OPTION>`; workers read the
variables that the serving process wrote with `Settings.environment`.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeAlias

from policy_service.errors import Refused

PREFIX = "POLICY_SERVICE_"
GIBIBYTE = 1024**3

Network: TypeAlias = IPv4Network | IPv6Network

# databases are named by the variables that other software names them by
_PLAIN = {"database_url": "DATABASE_URL"}
_ADMIN_URL = "DATABASE_ADMIN_URL"

# scheme, host with an optional port, path of plain segments; no query, fragment, user or slash at the end
_URL = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/(?!\.)[A-Za-z0-9._~-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process needs to know before it can answer.

    policies           folder of the platform layer
    tenants            folder with a folder for each tenant
    data               folder the service writes: decision log, last good bundles
    bind               HOST:PORT to listen on
    workers            processes that answer
    public_url         what clients call the service, without a slash at the end
    log_sync           wait for the disk before each answer (survives power loss, not only `kill -9`)
    log_bytes          the decision log is cut to this size, oldest segments first
    log_days           and to this age
    log_segment_bytes  a segment is closed when it is larger
    log_mask           fields of a record to replace, as dotted paths: `subject.id,context.ip`
    bundles            tenants held in memory per worker; the least recently used go
    stores             tenants' files held open per worker; the least recently used are closed
    keyring            where the key encryption keys are: a file (`data/keyring.json` where empty), or `aws-kms:KEY_ID`
    ssl_cert           file with the certificate chain that `serve` shows, PEM
    ssl_key            file with its private key, PEM
    behind_proxy       networks whose proxies are believed about the client: `10.0.0.0/8`
    database_url       PostgreSQL as the role that owns nothing (`DATABASE_URL`); empty: files in the data folder
    """

    policies: Path = Path("policies")
    tenants: Path = Path("tenants")
    data: Path = Path("data")
    bind: str = "127.0.0.1:8080"
    workers: int = 2
    public_url: str = "http://127.0.0.1:8080"
    log_sync: bool = False
    log_bytes: int = 10 * GIBIBYTE
    log_days: int = 30
    log_segment_bytes: int = 64 * 1024 * 1024
    log_mask: tuple[str, ...] = ()
    bundles: int = 1_000
    stores: int = 256
    keyring: str = ""
    ssl_cert: str = ""
    ssl_key: str = ""
    behind_proxy: tuple[str, ...] = ()
    database_url: str = field(default="", repr=False)

    def environment(self) -> dict[str, str]:
        """The variables that `read` turns into these settings again."""
        return {_variable(known.name): _text(getattr(self, known.name)) for known in fields(self)}


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process; a value that can't be read is `Refused` with the variable's name."""
    source = os.environ if environment is None else environment
    given: dict[str, Any] = {}
    for known in fields(Settings):
        text = source.get(_variable(known.name))
        if text:
            given[known.name] = _parse(known.name, text, known.default)
    return Settings(**given)


def read_admin_url(environment: Mapping[str, str] | None = None) -> str:
    """`DATABASE_ADMIN_URL`, PostgreSQL as the role that owns the tables; empty where it is not given.

    Only commands that change a tenant's life or the tables read it, never a process that answers requests.
    """
    return (os.environ if environment is None else environment).get(_ADMIN_URL, "")


def forget_admin_url() -> None:
    """Take `DATABASE_ADMIN_URL` out of this process's environment, and so out of its workers'.

    Unsetting leaves the text where the process was given it, and `/proc/PID/environ` shows it: it is written over.
    """
    value = os.environ.get(_ADMIN_URL)
    if value is not None:
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        if place := getenv(_ADMIN_URL.encode()):
            ctypes.memset(place, ord("x"), len(os.fsencode(value)))
        del os.environ[_ADMIN_URL]


def write(settings: Settings) -> None:
    """Put the settings into this process's environment, for the workers it starts."""
    os.environ.update(settings.environment())


def check_public_url(url: str) -> str:
    """The URL itself, or `Refused`: AuthZEN (§9) identifies a decision point by a URL without query and fragment."""
    if not _URL.fullmatch(url):
        raise Refused(f"the public URL is `{url}`, write it as `https://pdp.example.com` or `https://example.com/pdp`")
    return url


def read_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks of `behind_proxy`, an address alone being one; `Refused` for what is none, and for all addresses."""
    found = []
    for text in texts:
        try:
            network = ip_network(text)
        except ValueError:
            raise Refused(f"`{text}` is no network of proxies, write it as `10.1.2.0/24` or `2001:db8::/64`") from None
        if network.prefixlen == 0:
            raise Refused(f"`{text}` is every address, name the proxies alone: whoever is named is believed")
        found.append(network)
    return tuple(found)


def _variable(name: str) -> str:
    return _PLAIN.get(name, PREFIX + name.upper())


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return "1" if value is True else "0" if value is False else str(value)


def _parse(name: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        if text.lower() not in {"0", "1", "true", "false", "yes", "no"}:
            raise Refused(f"{PREFIX}{name.upper()} is `{text}`, write 1 or 0")
        return text.lower() in {"1", "true", "yes"}
    if isinstance(default, int):
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise Refused(f"{PREFIX}{name.upper()} is `{text}`, write a whole number from 1")
        return int(text)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return Path(text) if isinstance(default, Path) else text
