"""The last good bundles on disk: what was judged good is kept, so that a broken file never unseats it.

    <data>/bundles/<tenant>/pointer.json   what is good, what was refused and why, what was seen last
    <data>/bundles/<tenant>/<digest>       the files of a layer, packed; the name is the digest of the content
    <data>/bundles/<tenant>/lock           held while a verdict is made, so that all workers have the same
    <data>/bundles/@platform/…             the same for the platform's layer

A folder holds all its pointer names (the platform's files as a hard link), so what no pointer names can go
under that folder's lock alone. A damaged store is as one that is not there, and said in the log.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from policy_service.bundles.record import Record, decode, encode
from policy_service.bundles.sources import pack, unpack

PLATFORM = "@platform"
LOCK_SECONDS = 10.0
_LOG = logging.getLogger(__name__)


class Store:
    """The folder of last good bundles. Nothing here raises for a damaged store; `OSError` only where writing fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._text = str(folder)

    def pointer(self, tenant: str) -> Path:
        """Where a tenant's pointer lies."""
        return self.folder / tenant / "pointer.json"

    def mark(self, tenant: str) -> tuple[int, int] | None:
        """A fingerprint of a tenant's pointer, none where there is no pointer."""
        try:
            known = os.stat(f"{self._text}/{tenant}/pointer.json")
        except OSError:
            return None
        return known.st_ino, known.st_mtime_ns

    @contextlib.contextmanager
    def lock(self, tenant: str) -> Iterator[None]:
        """Hold a tenant's lock against all threads and processes; goes on without it where it can't be had in time."""
        try:
            self._make(tenant)
            handle = os.open(self.folder / tenant / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _LOG.error("no lock on the last good bundle of %s: %s", tenant, error)
            yield
            return
        try:
            _acquire(handle, tenant)
            yield
        finally:
            os.close(handle)

    def read(self, tenant: str) -> Record:
        """What a tenant's pointer says; an empty record where there is none or it is damaged."""
        try:
            return decode(json.loads(self.pointer(tenant).read_bytes()))
        except FileNotFoundError:
            return Record()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            _LOG.error("the pointer %s is damaged and not used: %r", self.pointer(tenant), error)
            return Record()

    def write(self, tenant: str, record: Record) -> None:
        """Write a tenant's pointer, whole or not at all, and take away what it no longer names."""
        self._make(tenant)
        self._replace(self.pointer(tenant), json.dumps(encode(record), ensure_ascii=False).encode())
        # layers were written before the pointer that names them, so one wait serves all
        self._settle(tenant)
        kept = {"lock", "pointer.json"}
        for good in (record.good, record.previous):
            kept |= {good.platform, good.tenant} if good else set()
        for name in os.listdir(self.folder / tenant):
            if name not in kept:
                with contextlib.suppress(OSError):
                    os.unlink(self.folder / tenant / name)

    def keep(self, tenant: str, digest: str, files: Mapping[str, bytes]) -> None:
        """Store the files of a layer under its digest, verified by reading them back."""
        self._make(tenant)
        place = self.folder / tenant / digest
        if _is_intact(place, digest):
            return
        shared = self.folder / PLATFORM / digest
        if tenant != PLATFORM and _is_intact(shared, digest):
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
                os.link(shared, place)
                return
        self._replace(place, b"".join(pack(files)))
        if not _is_intact(place, digest):
            raise OSError(f"{place} does not read back as it was written")

    def fetch(self, tenant: str, digest: str) -> dict[str, bytes] | None:
        """The files of a layer; none where they are not there or damaged."""
        place = self.folder / tenant / digest
        try:
            packed = place.read_bytes()
            if hashlib.sha256(packed).hexdigest() == digest:
                return unpack(packed)
            _LOG.error("the stored layer %s is damaged and not used", place)
        except (OSError, ValueError) as error:
            _LOG.error("the stored layer %s can't be read: %s", place, error)
        return None

    def _make(self, tenant: str) -> None:
        (self.folder / tenant).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _replace(self, place: Path, content: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".")
        try:
            with open(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    def _settle(self, tenant: str) -> None:
        """Wait until the names in a tenant's folder are on the disk."""
        folder = os.open(self.folder / tenant, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _acquire(handle: int, tenant: str) -> None:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                _LOG.error("the lock of %s is held for more than %s s, going on without it", tenant, LOCK_SECONDS)
                return
            time.sleep(0.01)
        except OSError as error:
            _LOG.error("no lock on the last good bundle of %s: %s", tenant, error)
            return


def _is_intact(place: Path, digest: str) -> bool:
    try:
        with open(place, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False
