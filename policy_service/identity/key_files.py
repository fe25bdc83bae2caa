"""`tenants/<tenant>/keys.yaml`: the hashes of the keys given out, read strictly and replaced whole.

A file of which anything can't be read holds no valid key: half a list of keys is not what its author meant.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from policy_service.errors import Refused, RequestError
from policy_service.model import Thing
from policy_service.policy.names import entity_uid, is_reserved, request_type
from policy_service.policy.yaml_text import Document, NotYaml, read_document

NAME = "keys.yaml"
SCOPES = ("decide", "read", "write", "ingest", "act")
FILE_BYTES = 1024 * 1024

_ID = re.compile(r"[0-9A-Za-z]{1,32}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)  # RFC 3339 §5.6
_MEMBERS = frozenset({"id", "sha256", "scopes", "created", "subject", "expires"})
_HEADER = "# Hashes of this tenant's API keys, written by `policy-service key`; a change is live at once.\n"


@dataclass(frozen=True, slots=True)
class Key:
    """One key as its file has it: the SHA-256 of the token, never the token."""

    id: str
    sha256: str
    scopes: frozenset[str]
    created: datetime
    subject: Thing | None = None
    expires: datetime | None = None


def read_subject(text: str) -> Thing:
    """The subject `type:id` that a key acts as; a group, a reserved type or another form is `Refused`."""
    try:
        uid = entity_uid(text)
        kind = request_type(uid.type)
        uid.id.encode()
    except (RequestError, UnicodeError) as error:
        raise Refused(str(error) if isinstance(error, RequestError) else "a subject is UTF-8 text") from None
    if is_reserved(kind):
        raise Refused(f"a key can't act as `{text}`, only the service makes entities of the type `{kind}`")
    return Thing(kind, uid.id)


def subject_text(subject: Thing) -> str:
    """A subject as `keys.yaml` has it: the inverse of `read_subject`."""
    return f"{subject.type.replace('::', '.')}:{subject.id}"


def read_instant(text: str) -> datetime:
    """A time in RFC 3339, in UTC; another form is `Refused`."""
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Refused(f"`{text}` is no time, write it as `2027-01-31T12:00:00Z`")


def instant_text(moment: datetime) -> str:
    """A time as `keys.yaml` has it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def parse(text: bytes) -> tuple[Key, ...]:
    """The keys of a file; where anything in it can't be read, `Refused` as `line: sentence`."""
    try:
        document = read_document(text.decode())
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise Refused(f"{line}: invalid UTF-8") from None
    except NotYaml as error:
        raise Refused(f"{error.line}: {error}") from None
    value = document.value
    if value is None:
        return ()
    if not isinstance(value, dict) or value.keys() != {"keys"} or not isinstance(value["keys"], list | None):
        raise Refused("1: a file of keys is a map with the one member `keys`, a list")
    keys: dict[str, Key] = {}
    for index, entry in enumerate(value["keys"] or ()):
        try:
            key = _read_key(entry)
            if key.id in keys:
                raise Refused(f"the id `{key.id}` stands twice")
        except Refused as error:
            raise Refused(f"{_line(document, index)}: {error}") from None
        keys[key.id] = key
    return tuple(keys.values())


def _line(document: Document, index: int) -> int:
    return document.line(("keys", index))


def _read_key(entry: Any) -> Key:
    if not isinstance(entry, dict):
        raise Refused("a key is a map with `id`, `sha256`, `scopes` and `created`")
    if unknown := entry.keys() - _MEMBERS:
        raise Refused(f"`{min(unknown)}` is no member of a key")
    scopes = entry.get("scopes")
    if not isinstance(scopes, list) or not scopes or not all(scope in SCOPES for scope in scopes):
        raise Refused(f"`scopes` is a list of {', '.join(SCOPES)}")
    subject, expires = (_text(entry, name) if name in entry else None for name in ("subject", "expires"))
    return Key(
        id=_match(entry, "id", _ID, "1 to 32 letters and digits"),
        sha256=_match(entry, "sha256", _SHA256, "64 hexadecimal digits in lower case"),
        scopes=frozenset(scopes),
        created=read_instant(_text(entry, "created")),
        subject=None if subject is None else read_subject(subject),
        expires=None if expires is None else read_instant(expires),
    )


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str):
        raise Refused(f"`{name}` is missing or no text, put it in quotes")
    return value


def _match(entry: dict[str, Any], name: str, pattern: re.Pattern[str], what: str) -> str:
    text = _text(entry, name)
    if not pattern.fullmatch(text):
        raise Refused(f"`{name}` is {what}")
    return text


def write_text(keys: Iterable[Key]) -> str:
    """The text of a file that `parse` turns into these keys again."""
    lines = [_HEADER, "keys:\n"]
    for key in keys:
        scopes = ", ".join(scope for scope in SCOPES if scope in key.scopes)
        lines.append(f'  - id: "{key.id}"\n    sha256: "{key.sha256}"\n    scopes: [{scopes}]\n')
        if key.subject is not None:
            lines.append(f"    subject: {json.dumps(subject_text(key.subject), ensure_ascii=False)}\n")
        lines.append(f'    created: "{instant_text(key.created)}"\n')
        if key.expires is not None:
            lines.append(f'    expires: "{instant_text(key.expires)}"\n')
    return "".join(lines)


def read_file(path: str | Path) -> tuple[os.stat_result, bytes]:
    """The status of a file and what was in it then; `Refused` where it is no file of keys by kind or size."""
    # a pipe in the place of the file must not make us wait for someone to write
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("1: this is no file")
        if status.st_size > FILE_BYTES:
            raise Refused(f"1: {status.st_size} bytes, at most {FILE_BYTES}")
        with open(file, "rb", closefd=False) as reader:
            text = reader.read(FILE_BYTES + 1)
        if len(text) > FILE_BYTES:
            raise Refused(f"1: more than {FILE_BYTES} bytes")
        return status, text
    finally:
        os.close(file)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other writers of this tenant's keys waiting; no file is left behind."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def replace_file(path: Path, text: str) -> None:
    """Put a file in the place of the old one at once, on the disk before this returns, mode 0600."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(file, "w", encoding="utf-8") as writer:
            writer.write(text)
            writer.flush()
            os.fsync(file)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
