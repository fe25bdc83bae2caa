"""Files that hold keys: readable by their owner alone, replaced whole, on the disk before we go on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from policy_service.errors import NoKey

FILE_BYTES = 1024 * 1024


def read_private(path: Path) -> tuple[tuple[int, ...], bytes]:
    """What is in a file, and its signature (see `sign`); `NoKey` where others may read it, or it is no file."""
    try:
        # a pipe in the place of the file must not make us wait for someone to write
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NoKey(_say(path, error)) from None
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise NoKey(f"{path} is no file, put the file that holds the key in its place")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            raise NoKey(f"{path} has mode {mode}, others could read the keys in it, run `chmod 600 {path}`")
        with open(file, "rb", closefd=False) as reader:
            text = reader.read(FILE_BYTES + 1)
        if len(text) > FILE_BYTES:
            raise NoKey(f"{path} has more than {FILE_BYTES} bytes, that is no file of keys")
        return sign(status), text
    except OSError as error:
        raise NoKey(_say(path, error)) from None
    finally:
        os.close(file)


def sign(status: os.stat_result) -> tuple[int, ...]:
    """What differs when a file was replaced, written or got another mode."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other writers of the files in a folder waiting; `NoKey` where there is no such folder."""
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NoKey(_say(folder, error)) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def replace_private(path: Path, text: bytes) -> None:
    """Put a file (mode 0600) in the place of the old one at once; it is on the disk when this returns.

    A link stays, what it names is replaced; the owner stays the same where root writes. `NoKey` where it can't be.
    """
    target = Path(os.path.realpath(path))
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write(fresh, text, target)
            fresh.replace(target)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        settle(target.parent)
    except OSError as error:
        raise NoKey(f"{path} can't be written: {error.strerror}") from None


def settle(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _write(fresh: Path, text: bytes, target: Path) -> None:
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(file, "wb") as writer:
        if os.geteuid() == 0:
            # a rotation by root must not lock the service's user out
            with contextlib.suppress(FileNotFoundError):
                status = target.stat()
                os.fchown(file, status.st_uid, status.st_gid)
        writer.write(text)
        writer.flush()
        os.fsync(file)


def _say(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no {path}, put it back from a backup, or name the right place"
    return f"{path} can't be read: {error.strerror}"
