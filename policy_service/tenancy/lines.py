"""An export as lines of JSON: a header, what the tenant owns, a manifest of counts and digests.

    {"format", "tenant", "at", "schema", "restricted", "keys"}           the first line
    {"entity": …}, {"relationship": …}                                   as the API shows them, deleted ones too
    {"entry": {"id", "body"}}, {"link": {"seq", "entry", "hash"}}        the trail, its chain
    {"head": {"seq", "hash", "at", "key", "signature"}}                  and its signed heads
    {"manifest": {"counts", "digests", "digest"}}                        the last line

Each kind is in the order of its ids and the kinds are in this order, so that equal stores have equal digests:
SHA-256 over the lines of a kind, and over all lines before the manifest. `keys` are the public halves of the keys
that signed the heads, by version; hashes, keys and signatures are hexadecimal.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

from policy_service.errors import Refused
from policy_service.policy.stored_values import write_json
from policy_service.policy.values import NotJson, read_json

FORMAT = "policy-service tenant v1"
KINDS = ("entity", "relationship", "entry", "link", "head")
LINE_BYTES = 16 * 1024 * 1024
# the store that is made goes on from the highest version, and what is sealed has four bytes for it
_LAST_VERSION = 2**31
_STARTS = {f'{{"{kind}":'.encode(): kind for kind in KINDS}
_MANIFEST = b'{"manifest":'


@dataclass(slots=True)
class Tally:
    """Counts and digests of the lines that were taken."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    _kinds: dict[str, Any] = field(default_factory=lambda: {kind: hashlib.sha256() for kind in KINDS})
    _whole: Any = field(default_factory=hashlib.sha256)

    def take(self, line: bytes, kind: str | None = None) -> None:
        """The next line, with its end; the header is of no kind."""
        self._whole.update(line)
        if kind is not None:
            self.counts[kind] += 1
            self._kinds[kind].update(line)

    def manifest(self) -> dict[str, Any]:
        """What the last line says of all before it."""
        digests = {kind: digest.hexdigest() for kind, digest in self._kinds.items()}
        return {"counts": dict(self.counts), "digests": digests, "digest": self._whole.hexdigest()}


@dataclass(frozen=True, slots=True)
class Export:
    """An exported file that is whole: what its first and its last line say."""

    tenant: str
    restricted: frozenset[str]
    keys: dict[int, bytes]
    manifest: dict[str, Any]

    def is_equal(self, manifest: dict[str, Any]) -> bool:
        """Whether another manifest tells of the same data."""
        return all(self.manifest[name] == manifest[name] for name in ("counts", "digests"))


def write_line(kind: str, value: object, **others: object) -> bytes:
    """A line, with its end; only the header has `others`."""
    return write_json({kind: value, **others}).encode() + b"\n"


def read_lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers and their ends, from its start; `Refused` where one is too long."""
    file.seek(0)
    number = 0
    while line := file.readline(LINE_BYTES + 1):
        number += 1
        if len(line) > LINE_BYTES:
            refuse(name, number, f"a line of more than {LINE_BYTES} bytes")
        yield number, line


def is_export(file: BinaryIO) -> bool:
    """Whether a file begins as an export does."""
    file.seek(0)
    start = file.readline(LINE_BYTES)
    return b'"format"' in start and b'"_key"' not in start


def verify(file: BinaryIO, name: str) -> Export:
    """See that an exported file is what was written, without looking at what it tells; else `Refused`."""
    tally, header, manifest = Tally(), None, None
    number = 0
    for number, line in read_lines(file, name):
        if manifest is not None:
            refuse(name, number, "there is more after the manifest, which is the last line")
        if header is None:
            header = _read_header(line, name)
            tally.take(line)
        elif line.startswith(_MANIFEST):
            manifest = read_value(line, name, number)["manifest"]
        else:
            tally.take(line, kind_of(line, name, number))
    if header is None or manifest is None:
        refuse(name, max(1, number), "the file ends without a manifest: it is not whole, export it again")
    if manifest != tally.manifest():
        refuse(name, number, "the manifest tells of other lines than these: the file was changed")
    tenant, restricted, keys = header
    return Export(tenant, restricted, keys, manifest)


def kind_of(line: bytes, name: str, number: int) -> str:
    """The kind of a line; `Refused` where it is of none."""
    found = next((kind for start, kind in _STARTS.items() if line.startswith(start)), None)
    if found is None:
        refuse(name, number, f"this is no line of an export, whose lines are {', '.join(KINDS)}")
    return found


def read_value(line: bytes, name: str, number: int) -> Any:
    """The JSON of a line; `Refused` where it is none."""
    try:
        return read_json(line)
    except NotJson as error:
        refuse(name, number, str(error))


def refuse(name: str, number: int, sentence: str) -> NoReturn:
    """Refuse a file for one of its lines."""
    raise Refused(f"{os.fspath(name)}:{number}: {sentence}")


def _read_header(line: bytes, name: str) -> tuple[str, frozenset[str], dict[int, bytes]]:
    said = read_value(line, name, 1)
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        refuse(name, 1, f"this is no export of the format `{FORMAT}`, which this version reads")
    try:
        keys = {int(version): bytes.fromhex(public) for version, public in said["keys"].items()}
        if not all(0 < version <= _LAST_VERSION for version in keys):
            raise ValueError
        return str(said["tenant"]), frozenset(map(str, said["restricted"])), keys
    except (KeyError, TypeError, ValueError, AttributeError):
        refuse(name, 1, "the header of the export can't be read, export it again")
