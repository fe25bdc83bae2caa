"""API keys: `psk_<tenant>_<id>_<secret>_<checksum>`, given out once and kept as a hash.

The tenant stands in the key, so it is found without a search; `KeyRing.find` is the one way from a key to
its caller, so that a database can join behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from policy_service.errors import Refused, Unauthenticated, UnknownTenant
from policy_service.identity import key_files
from policy_service.identity.base62 import checksum, draw
from policy_service.identity.key_files import SCOPES, Key
from policy_service.model import Caller, is_tenant_name

_ID_LENGTH = 12
_SECRET_LENGTH = 43  # at least 256 bits
_DURATION = re.compile(r"(\d{1,6})([hdw])", re.ASCII)
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}

_warn = logging.getLogger(__name__).warning


def _never(_: str) -> bool:
    return False


_NOT_FOUND = "the key is missing, wrong, expired or revoked, send `Authorization: Bearer <key>`"
_DUMMY_DIGEST = hashlib.sha256(os.urandom(32)).hexdigest()
# no tenant can have this name, so that what is no key costs the same look at the disk
_DUMMY_TENANT = "_"
# a file may change again within one tick of its file system's clock without looking different
_TICK_SECONDS = 1.0


def create(
    tenants: Path,
    tenant: str,
    *,
    scopes: Sequence[str] = ("decide",),
    subject: str | None = None,
    expires: str | None = None,
    now: float,
) -> tuple[str, Key]:
    """A new key: the token, which is stored nowhere, and its entry in `keys.yaml`.

    `subject` is the `type:id` the key acts as; `expires` a time in RFC 3339 or a duration from `now`:
    `12h`, `90d`, `4w`. `UnknownTenant` where there is no such tenant; `Refused` for another scope, subject or
    expiry, and where the tenant's `keys.yaml` can't be read or written.
    """
    _find_tenant(tenants, tenant)
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Refused(f"`{', '.join(scopes)}` is no list of scopes, choose from {', '.join(SCOPES)}")
    actor = None if subject is None else key_files.read_subject(subject)
    moment = datetime.fromtimestamp(int(now), UTC)
    end = None if expires is None else _read_expiry(expires, moment)
    with _edit(tenants, tenant) as keys:
        key_id = draw(_ID_LENGTH)
        while any(key.id == key_id for key in keys):
            key_id = draw(_ID_LENGTH)
        start = f"psk_{tenant}_{key_id}_{draw(_SECRET_LENGTH)}"
        token = f"{start}_{checksum(start)}"
        key = Key(key_id, _digest(token), frozenset(scopes), moment, actor, end)
        keys.append(key)
    return token, key


def revoke(tenants: Path, tenant: str, key_id: str) -> Key:
    """Take a key back, and give what its entry was; an id that is not there is `Refused`."""
    _find_tenant(tenants, tenant)
    with _edit(tenants, tenant) as keys:
        found = [key for key in keys if key.id == key_id]
        if not found:
            raise Refused(f"tenant `{tenant}` has no key `{key_id}`, see `policy-service key list {tenant}`")
        keys.remove(found[0])
    return found[0]


def revoke_all(tenants: Path, tenant: str) -> None:
    """Take every key of a tenant back, whatever its file holds; nothing to do where there is no such file."""
    path = tenants / tenant / key_files.NAME
    try:
        if os.path.lexists(path):
            with key_files.lock_folder(path.parent):
                key_files.replace_file(path, key_files.write_text(()))
    except OSError as error:
        raise Refused(f"{_place(tenant)}:1: can't be written: {error.strerror}") from error


def entries(tenants: Path, tenant: str) -> tuple[Key, ...]:
    """The keys of a tenant as its file has them; a file that can't be read is `Refused`."""
    _find_tenant(tenants, tenant)
    try:
        return key_files.parse(key_files.read_file(tenants / tenant / key_files.NAME)[1])
    except FileNotFoundError:
        return ()
    except Refused as error:
        raise Refused(f"{_place(tenant)}:{error}") from None
    except OSError as error:
        raise Refused(f"{_place(tenant)}:1: can't be read: {error.strerror}") from None


class KeyRing:
    """Finds callers by their keys; a change of a `keys.yaml` counts from the next `find` on.

    Each `find` asks the file system once whether the file changed; at most `held` files are kept parsed. `report`
    takes a sentence for each file that is refused, once until it changes. `is_shut` says of a tenant whether its keys
    are no better than wrong ones; each `find` asks, and what it raises is raised, whatever the key is.
    """

    def __init__(
        self,
        tenants: Path,
        *,
        held: int = 1_000,
        report: Callable[[str], None] = _warn,
        is_shut: Callable[[str], bool] = _never,
    ) -> None:
        self._tenants = os.fspath(tenants)
        self._held = held
        self._report = report
        self._is_shut = is_shut
        self._files: OrderedDict[str, _KeyFile] = OrderedDict()

    def find(self, token: str | None, *, tenant: str | None = None, now: float) -> Caller:
        """Whose key `token` is, at the time `now`; `tenant` is the one that the request names, if it does.

        Whatever is wrong with it is the same `Unauthenticated` after the same work, so that an answer says
        nothing about which tenants and keys there are.
        """
        text = token or ""
        parts = text.split("_", 5)
        legal = len(parts) == 5 and parts[0] == "psk" and is_tenant_name(parts[1])
        name = parts[1] if legal else _DUMMY_TENANT
        shut = self._is_shut(name)
        entry = self._file(name).keys.get(parts[2] if legal else "")
        same = hmac.compare_digest(_digest(text), entry.sha256 if entry else _DUMMY_DIGEST)
        if not same or entry is None or shut or tenant not in {None, name} or now >= entry.expires:
            raise Unauthenticated(_NOT_FOUND)
        return entry.caller

    def problem(self, tenant: str) -> str | None:
        """Why no key of a tenant is valid, as `path:line: sentence`; `None` where its file is in order."""
        return self._file(tenant).problem if is_tenant_name(tenant) else None

    def _file(self, tenant: str) -> _KeyFile:
        path = f"{self._tenants}/{tenant}/{key_files.NAME}"
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            self._files.pop(tenant, None)
            return _NO_KEYS
        except OSError as error:
            return _broken(tenant, f"1: can't be read: {error.strerror}")
        held = self._files.get(tenant)
        if held is None or not held.settled or held.signature != _sign(status):
            held = self._load(path, tenant, status, held)
        with contextlib.suppress(KeyError):  # another thread may have let it go
            self._files.move_to_end(tenant)
        return held

    def _load(self, path: str, tenant: str, status: os.stat_result, held: _KeyFile | None) -> _KeyFile:
        started = time.time()
        digest = ""
        try:
            status, text = key_files.read_file(path)
            digest = hashlib.sha256(text).hexdigest()
            if held is not None and held.digest == digest:
                loaded = held
            else:
                loaded = _KeyFile({key.id: _enter(tenant, key) for key in key_files.parse(text)})
        except Refused as error:
            loaded = _broken(tenant, str(error))
            if held is None or held.problem != loaded.problem:
                self._report(f"no key of `{tenant}` is valid: {loaded.problem}")
        except OSError as error:
            # it may be readable again without having changed, so it is not kept
            return _broken(tenant, f"1: can't be read: {error.strerror}")
        settled = started - status.st_ctime > _TICK_SECONDS
        loaded = loaded._replace(signature=_sign(status), digest=digest, settled=settled)
        self._files[tenant] = loaded
        while len(self._files) > self._held:
            self._files.popitem(last=False)
        return loaded


class _Entry(NamedTuple):
    sha256: str
    expires: float
    caller: Caller


class _KeyFile(NamedTuple):
    """A parsed file, and how it looked when it was read; `settled` when a later change must look different."""

    keys: Mapping[str, _Entry]
    problem: str | None = None
    signature: tuple[int, ...] = ()
    digest: str = ""
    settled: bool = False


_NO_KEYS = _KeyFile({})


def _enter(tenant: str, key: Key) -> _Entry:
    expires = key.expires.timestamp() if key.expires else float("inf")
    return _Entry(key.sha256, expires, Caller(tenant, key.id, key.scopes, key.subject))


def _broken(tenant: str, sentence: str) -> _KeyFile:
    return _KeyFile({}, f"{_place(tenant)}:{sentence}")


def _sign(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns, status.st_dev


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _place(tenant: str) -> str:
    return f"tenants/{tenant}/{key_files.NAME}"


def _find_tenant(tenants: Path, tenant: str) -> None:
    if not is_tenant_name(tenant) or not (tenants / tenant / "tenant.yaml").is_file():
        raise UnknownTenant(f"there is no tenant `{tenant}` in {tenants}, a tenant is a folder with a `tenant.yaml`")


def _read_expiry(text: str, now: datetime) -> datetime:
    match = _DURATION.fullmatch(text)
    try:
        end = now + timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else key_files.read_instant(text)
    except OverflowError:
        raise Refused(f"`{text}` is too far away, name an earlier time") from None
    except Refused as error:
        raise Refused(f"{error}, or as a duration: `12h`, `90d`, `4w`") from None
    if end <= now:
        raise Refused(f"a key that expires at `{text}` could never be used, name a later time")
    return end.replace(microsecond=0)


@contextlib.contextmanager
def _edit(tenants: Path, tenant: str) -> Iterator[list[Key]]:
    """The keys of a tenant, to change: written back when the block ends well, while other writers wait."""
    path = tenants / tenant / key_files.NAME
    try:
        with key_files.lock_folder(path.parent):
            if path.is_symlink():
                raise Refused(f"{_place(tenant)}:1: this is a link, change the file that it names")
            keys = list(entries(tenants, tenant))
            yield keys
            text = key_files.write_text(keys)
            if len(text.encode()) > key_files.FILE_BYTES:
                raise Refused(f"{_place(tenant)}:1: more than {key_files.FILE_BYTES} bytes, revoke keys first")
            # a file that could not be read back would take every other key with it
            if key_files.parse(text.encode()) != tuple(keys):
                raise Refused("a subject holds a character that YAML can't, choose another")
            key_files.replace_file(path, text)
    except OSError as error:
        raise Refused(f"{_place(tenant)}:1: can't be written: {error.strerror}") from error
