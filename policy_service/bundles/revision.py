"""Which git commit a folder's files are of, and whether they differ from it.

What is compared is what was read: each file's blob name is computed from its bytes and looked for in the commit's
tree, so no index is refreshed, no hook or filter runs, and no lock is taken. Without git, outside a repository and
for files that git does not know there is no commit.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from policy_service.policy.files import is_ignored

SECONDS = 2.0
_LOG = logging.getLogger(__name__)
_OPTIONS = (
    *("-c", "core.fsmonitor=", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*"),
    *("-c", "core.quotePath=false", "--no-optional-locks", "--no-replace-objects"),
    # a repository that lacks an object may name a program to fetch it with; git before 2.39.4 knows no other way out
    *("-c", "protocol.allow=never"),
)


class Revision(NamedTuple):
    """A commit, empty where there is none; whether files differ from it; where its repository lies."""

    commit: str = ""
    dirty: bool = False
    repository: str = ""

    def join(self, other: Revision) -> Revision:
        """The revision of two layers together: the first's commit where both have one, dirty if either is."""
        return Revision(self.commit or other.commit, self.dirty or other.dirty, self.repository or other.repository)


def find_revision(folder: Path, files: Mapping[str, bytes]) -> Revision:
    """The commit that is checked out around `folder`, and whether exactly these files are other than in it."""
    try:
        real = os.path.realpath(folder, strict=True)
        if not _is_in_repository(real):
            return Revision()
        head = _git(real, "rev-parse", "HEAD", "--absolute-git-dir")
        commit, _, repository = head.decode().strip().partition("\n")
        tree = _read_tree(_git(real, "ls-tree", "-r", "-z", commit)) if repository else {}
    except FileNotFoundError:  # neither a folder nor git
        return Revision()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        if not isinstance(error, subprocess.CalledProcessError):
            _LOG.warning("no git revision of %s: %s", folder, error)
        return Revision()
    if not tree:  # the repository holds nothing of this folder
        return Revision(dirty=bool(files))
    algorithm = "sha256" if len(commit) == 64 else "sha1"
    here = {path: _name(_content(real, path, content), algorithm) for path, content in files.items()}
    return Revision(commit, here != tree, repository)


def look_at_head(repository: str) -> tuple[object, ...]:
    """A fingerprint that changes when another commit is checked out or made; reads no file."""
    marks: list[object] = []
    for name in ("HEAD", "logs/HEAD", "packed-refs", "refs/heads"):
        try:
            known = os.stat(os.path.join(repository, name))
            marks.append((known.st_ino, known.st_mtime_ns, known.st_size))
        except OSError:
            marks.append(None)
    return tuple(marks)


def _is_in_repository(folder: str) -> bool:
    """Whether a `.git` lies above: without one there is no need to start git."""
    while not os.path.lexists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    return True


def _git(folder: str, *arguments: str) -> bytes:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    quiet = {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C",
    }
    done = subprocess.run(
        ["git", *_OPTIONS, "-C", folder, *arguments],
        env=kept | quiet,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=SECONDS,
        check=True,
    )
    return done.stdout


def _read_tree(listing: bytes) -> dict[str, str]:
    """Blob names by path, for what would be part of a bundle; submodules are none."""
    tree = {}
    for entry in listing.split(b"\0"):
        about, _, raw = entry.partition(b"\t")
        path = os.fsdecode(raw)
        if path and not is_ignored(path) and about.split(b" ")[1] == b"blob":
            tree[path] = about.split(b" ")[2].decode()
    return tree


def _content(real: str, path: str, content: bytes) -> bytes:
    """What git holds for a path: of a link, where it leads."""
    place = os.path.join(real, path)
    return os.fsencode(os.readlink(place)) if os.path.islink(place) else content


def _name(content: bytes, algorithm: str) -> str:
    return hashlib.new(algorithm, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
