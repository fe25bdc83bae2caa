"""Reading a folder of policy files safely: what is in it, its digest, and a fingerprint that costs no reading.

The roots and a tenant's folder may be symlinks: swapping one is the atomic way to deploy. Inside a folder a link
may lead to a file of the same folder and nowhere else, and nothing that is no regular file is ever opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from policy_service.model import Finding
from policy_service.policy.files import is_ignored, most_bytes
from policy_service.policy.scope import LIMITS

Signature: TypeAlias = tuple[object, ...]

DEPTH = 8
ENTRIES = 4 * LIMITS.files  # what is looked at, ignored names too, so that a folder of a million dotfiles is bounded


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one folder at one moment, by path relative to it, and what can't be read of it.

    `changed_at` is when the youngest file or folder was last changed, in seconds of the clock of the disk.
    """

    files: Mapping[str, bytes]
    digest: str
    signature: Signature = ()
    findings: tuple[Finding, ...] = ()
    changed_at: float = 0.0


@dataclass(slots=True)
class _Walk:
    """What a walk met: regular files with where to open them, and what it refused."""

    root: str
    real: str
    files: dict[str, tuple[str, os.stat_result]] = field(default_factory=dict)
    marks: list[tuple[object, ...]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    seen: int = 0
    changed_at: float = 0.0

    def refuse(self, path: str, sentence: str) -> None:
        self.findings.append(Finding(f"{self.root}/{path}" if path else self.root, 1, sentence))


def digest(files: Mapping[str, bytes]) -> str:
    """The SHA-256 of names and contents: the digest of what `pack` writes."""
    state = hashlib.sha256()
    for part in pack(files):
        state.update(part)
    return state.hexdigest()


def pack(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """The files as one text of bytes: `<length of the name> <length of the content>\\n<name><content>`, by name."""
    for name in sorted(files):
        encoded = name.encode("utf-8", "surrogateescape")
        yield b"%d %d\n" % (len(encoded), len(files[name])) + encoded
        yield files[name]


def unpack(packed: bytes) -> dict[str, bytes]:
    """What `pack` wrote; a `ValueError` where it was not `pack`."""
    files: dict[str, bytes] = {}
    position = 0
    while position < len(packed):
        end = packed.index(b"\n", position)
        sizes = packed[position:end].split(b" ")
        name_end = end + 1 + int(sizes[0])
        content_end = name_end + int(sizes[1])
        if len(sizes) != 2 or not end < name_end <= content_end <= len(packed):
            raise ValueError("not a packed layer")
        files[packed[end + 1 : name_end].decode("utf-8", "surrogateescape")] = packed[name_end:content_end]
        position = content_end
    return files


def signature(folder: Path) -> Signature:
    """A fingerprint from names, times, sizes and inodes; empty where there is no folder. Reads no file."""
    walk = _look(folder, "")
    return _sign(walk) if walk else ()


def read_layer(folder: Path, root: str) -> Source:
    """The files of `folder`; findings carry `root`. A folder that is not there is a finding."""
    walk = _look(folder, root)
    if walk is None:
        return Source({}, digest({}), (), (Finding(root, 1, "is no folder that can be read"),))
    _check_sizes(walk)
    files: dict[str, bytes] = {}
    # past a limit nothing is read: that is what the limit is for
    if not walk.findings:
        for path, (place, known) in walk.files.items():
            content = _read(walk, path, place, known)
            if content is not None:
                files[path] = content
    findings = tuple(sorted(walk.findings))
    # what could not be read is part of the digest: the same files without it are another bundle
    told = {f"\n{finding}": b"" for finding in findings}
    return Source(files, digest({**files, **told}), _sign(walk), findings, walk.changed_at)


def _look(folder: Path, root: str) -> _Walk | None:
    """Walk the folder behind `folder`, never following a link to a folder."""
    try:
        real = os.path.realpath(folder, strict=True)
        top = os.stat(real)
    except (OSError, ValueError):
        return None
    if not stat.S_ISDIR(top.st_mode):
        return None
    walk = _Walk(root, real, changed_at=top.st_ctime)
    walk.marks.append(("", real, top.st_dev, top.st_ino))
    open_ = [("", 1)]
    while open_ and walk.seen <= ENTRIES:
        below, depth = open_.pop()
        try:
            with os.scandir(os.path.join(real, below)) as entries:
                for entry in entries:
                    walk.seen += 1
                    if walk.seen > ENTRIES:
                        walk.refuse("", f"more than {ENTRIES} entries, at most {LIMITS.files} files make a bundle")
                        break
                    path = f"{below}/{entry.name}" if below else entry.name
                    if not is_ignored(path) and _meet(walk, path, entry):
                        open_.append((path, depth + 1))
                        if depth >= DEPTH:
                            walk.refuse(path, f"folders nested deeper than {DEPTH} levels, move the files up")
                            return walk
        except OSError as error:
            walk.refuse(below, f"can't be read: {_reason(error)}")
    if len(walk.files) > LIMITS.files:
        walk.refuse("", f"{len(walk.files)} files, at most {LIMITS.files}")
    return walk


def _meet(walk: _Walk, path: str, entry: os.DirEntry[str]) -> bool:
    """Take one entry; whether it is a folder to walk into."""
    if not entry.name.isprintable():
        walk.refuse(ascii(path)[1:-1], "has a name with characters that can't be printed, or no UTF-8, rename it")
        return False
    try:
        known, place = entry.stat(follow_symlinks=False), entry.path
        walk.changed_at = max(walk.changed_at, known.st_ctime)
        # a folder's own times move with names that are ignored, such as an editor's
        times = () if stat.S_ISDIR(known.st_mode) else (known.st_mtime_ns, known.st_ctime_ns, known.st_size)
        walk.marks.append((path, known.st_mode, known.st_ino, *times))
        if stat.S_ISLNK(known.st_mode):
            place = os.path.realpath(entry.path, strict=True)
            known = os.lstat(place)
            walk.marks.append((path, place, known.st_ino, known.st_mtime_ns, known.st_ctime_ns, known.st_size))
            if os.path.commonpath((walk.real, place)) != walk.real:
                walk.refuse(path, "is a link that leads out of the folder, put the file itself here")
                return False
            if stat.S_ISDIR(known.st_mode):
                walk.refuse(path, "is a link to a folder, which is not followed, put the folder itself here")
                return False
    except (OSError, ValueError) as error:
        walk.refuse(path, f"can't be read: {_reason(error)}")
        return False
    if stat.S_ISDIR(known.st_mode):
        return True
    if stat.S_ISREG(known.st_mode):
        walk.files[path] = (place, known)
    else:
        walk.refuse(path, "is no regular file, take it away")
    return False


def _check_sizes(walk: _Walk) -> None:
    total = 0
    for path, (_, known) in walk.files.items():
        total += known.st_size
        if known.st_size > most_bytes(path):
            walk.refuse(path, f"{known.st_size} bytes, at most {most_bytes(path)}, split it")
    if total > LIMITS.layer_bytes:
        walk.refuse("", f"{total} bytes, at most {LIMITS.layer_bytes}")


def _read(walk: _Walk, path: str, place: str, known: os.stat_result) -> bytes | None:
    """The content of one file; never waits, whatever was put in its place since it was looked at."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb", closefd=True) as file:
            opened = os.fstat(handle)
            if not stat.S_ISREG(opened.st_mode):
                walk.refuse(path, "is no regular file, take it away")
                return None
            # a folder on the way may have become a link since, which leads to another tenant's files
            is_same = (opened.st_dev, opened.st_ino) == (known.st_dev, known.st_ino)
            # one byte more than it had: a file that grows while it is read is not read without end
            content = file.read(known.st_size + 1) if is_same else b""
    except OSError as error:
        walk.refuse(path, f"can't be read: {_reason(error)}")
        return None
    if not is_same or len(content) != known.st_size:
        walk.refuse(path, "changes while it is read")
        return None
    return content


def _sign(walk: _Walk) -> Signature:
    return tuple(sorted(walk.marks, key=repr))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
