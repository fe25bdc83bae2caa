"""`tenant import`: an export, or lines that somebody wrote. All of a file is imported, or nothing."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import select

from policy_service.assets import entities, relationships
from policy_service.assets.asset import Kind
from policy_service.assets.changes import tell
from policy_service.assets.drafts import read_entity, read_relationship
from policy_service.assets.hierarchy import lock_hierarchy
from policy_service.assets.inventory import Inventory, open_inventory
from policy_service.audit.trail import Change, Origin, note
from policy_service.bundles.load import load
from policy_service.config import Settings
from policy_service.errors import Conflict, Refused, RequestError
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store
from policy_service.store.snapshots import renew
from policy_service.store.tables import SERVICE, EntityRow, RelationshipRow
from policy_service.tenancy.acts import Report, record, require_name, seal_trails
from policy_service.tenancy.copies import PAGE
from policy_service.tenancy.creating import write_settings
from policy_service.tenancy.lines import is_export, read_lines, read_value, refuse, verify
from policy_service.tenancy.restoring import restore

_KINDS: tuple[Kind, ...] = ("entity", "relationship")


class Imported(NamedTuple):
    """What was done: counts by kind and what became of it, such as `entity created`; of an export by kind alone.

    dropped  entries of `_rawData`, which is never stored
    already  there was a store equal to the export
    """

    counts: dict[str, int]
    dropped: int = 0
    already: bool = False


def import_file(settings: Settings, store: Store, tenant: str, path: Path, report: Report) -> Imported:
    """Import a file into a tenant. One that is no export has an entity or a relationship on each line, in any order.

    An export makes the store; other lines are for a store that is there (`NoStore`). `Refused` names the line that
    is wrong. `Conflict` where an export is of a store that is not the one here.
    """
    require_name(tenant)
    try:
        with open(path, "rb") as file:
            if is_export(file):
                return _import_export(settings, store, tenant, file, str(path), report)
            return _import_lines(settings, store, tenant, file, str(path), report)
    except OSError as error:
        raise Refused(f"`{path}` can't be read: {(error.strerror or str(error)).lower()}") from None


def is_empty(store: Store, tenant: str) -> bool:
    """Whether nothing was ever written to a tenant's store."""
    with store.session(tenant) as session:
        return all(
            session.scalars(select(table.id).where(table.account_id == tenant).limit(1)).first() is None
            for table in (EntityRow, RelationshipRow)
        )


def _import_export(
    settings: Settings, store: Store, tenant: str, file: BinaryIO, name: str, report: Report
) -> Imported:
    export = verify(file, name)
    if export.tenant != tenant:
        refuse(name, 1, f"this is an export of `{export.tenant}`, import it as that: ids and trail are its own")

    def load_bundle() -> Bundle:
        write_settings(settings.tenants, tenant)
        return _load(settings, tenant)

    done = restore(store, export, load_bundle, file, name, report)
    seal_trails(store, SERVICE)
    return Imported(dict(export.manifest["counts"]), already=not done)


def _import_lines(settings: Settings, store: Store, tenant: str, file: BinaryIO, name: str, report: Report) -> Imported:
    bundle = _load(settings, tenant)
    with store.session(tenant, write=True) as session:
        inventory = open_inventory(store, session, bundle)
        lock_hierarchy(inventory)
        lines = _Lines(store, inventory, file, name)
        for kind in _KINDS:
            lines.write(kind, report)
        detail = {"file": lines.digest, "counts": dict(sorted(lines.counts.items()))}
        record(session, "import", tenant, **detail, version=bundle.version_text)
    seal_trails(store, tenant)
    return Imported(dict(lines.counts), lines.dropped)


def _load(settings: Settings, tenant: str) -> Bundle:
    bundle, findings = load(settings.policies, settings.tenants, tenant)
    if bundle is None:
        raise Refused(f"the files of tenant `{tenant}` don't load, mend what is wrong with them first", findings)
    return bundle


class _Lines:
    """Lines on their way into one session: the entities first, then what goes from one to another."""

    def __init__(self, store: Store, inventory: Inventory, file: BinaryIO, name: str) -> None:
        self.counts: Counter[str] = Counter()
        self._made: list[Change] = []
        self._by = Origin(request=f"import:{uuid.uuid4().hex}")
        self.digest = ""
        self.dropped = 0
        self._store = store
        self._inventory = inventory
        self._file = file
        self._name = name
        self._now = time.time_ns() // 1_000_000

    def write(self, kind: Kind, report: Report) -> None:
        """Write all of one kind, and count what changed."""
        whole, done, digest = os.fstat(self._file.fileno()).st_size, 0, hashlib.sha256()
        for number, line in read_lines(self._file, self._name):
            digest.update(line)
            if number % PAGE == 0:
                renew(self._store, self._inventory.session)
                self._note()
                report(done, whole)
            done += len(line)
            if line.strip():
                self._take(kind, number, line)
        self._note()
        report(whole, whole)
        if self.digest not in ("", digest.hexdigest()):
            refuse(self._name, 1, "the file was changed while it was read")
        self.digest = digest.hexdigest()

    def _note(self) -> None:
        made, self._made = self._made, []
        if made:
            note(self._inventory.session, made, time.time())

    def _take(self, kind: Kind, number: int, line: bytes) -> None:
        raw = read_value(line, self._name, number)
        if not isinstance(raw, dict):
            refuse(self._name, number, "a line is a JSON object: an entity or a relationship")
        is_edge = any(member.startswith(("_fromEntity", "_toEntity")) for member in raw)
        if is_edge is not (kind == "relationship"):
            return
        try:
            self._store_one(kind, raw)
        except (RequestError, Conflict) as error:
            refuse(self._name, number, str(error))

    def _store_one(self, kind: Kind, raw: dict[str, Any]) -> None:
        draft = read_entity(raw) if kind == "entity" else read_relationship(raw)
        room: Any = entities if kind == "entity" else relationships
        edit = room.propose(self._inventory, draft, self._now, source=draft.source or "api")
        before = edit.before
        if before is not None and before.begin_on == self._now:
            raise Conflict(f"the {kind} `{draft.key}` stands in the file before, write it once")
        room.store(self._inventory, edit)
        self.dropped += draft.dropped
        done = "unchanged" if not edit.changes else "updated" if before else "created"
        self.counts[f"{kind} {done}"] += 1
        bundle = self._inventory.bundle
        key = self._store.keys.active(bundle.tenant)
        change = tell(edit, bundle.tenant, key, self._by, bundle.version_text, ())
        if change is not None:
            self._made.append(change)
