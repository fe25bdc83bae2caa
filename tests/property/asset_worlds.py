"""Two tenants behind one real application over a database, beside the model of each; every answer is looked through.

Keys and names are the same in both tenants; what tells whose an asset is are its id and a note, which no other has.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import delete, select

from policy_service.access.authorize import Service
from policy_service.config import Settings
from policy_service.identity import keys
from policy_service.store.tables import BlindRow, ElementRow, EntityRow, RelationshipRow, TrailEntryRow
from policy_service.web.application import mount, open_service
from tests.property.asset_spec import FILES, WHO, Inventory, Item, Ref
from tests.service.houses import ROOT, fill
from tests.stores import make_place

TENANTS = ("acme", "globex")
# a key of its own for each subject, one that names anybody, the same for reading alone, and one that is nobody's
KEYS = (*WHO, "act", "glance", "nobody")
_SCOPES = {"act": ("act", "read", "write"), "glance": ("act", "read")}
# ids, notes and names of tenants: whatever tells of somebody's asset
_TELLING = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?:acme|globex)(?:-secret-\d+)?")


class Caller(NamedTuple):
    """Who asks: by which key of which tenant, and whom `Policy-Subject` names."""

    tenant: int
    key: str
    named: str | None = None

    def refusal(self, *, writes: bool) -> int:
        """The status that it gets whatever it asks for, 0 where it is somebody."""
        if self.key == "nobody" or (self.key == "glance" and writes):
            return 403
        if self.key in WHO:
            return 403 if self.named else 0
        if not self.named:
            return 403
        return 0 if self.named.startswith("user:") else 400

    @property
    def who(self) -> str:
        return self.key if self.key in WHO else (self.named or "").removeprefix("user:")


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Home:
    """A tenant: the model of what it has, and what it was told of ids, `ETag`s and times."""

    name: str
    inventory: Inventory = field(default_factory=Inventory)
    ids: dict[Ref, str] = field(default_factory=dict)
    tags: dict[Ref, list[str]] = field(default_factory=dict)
    times: dict[tuple[Ref, int], tuple[int, int]] = field(default_factory=dict)

    def visible(self, who: str) -> set[str]:
        """All that may be told now."""
        shown = [item for ref, item in self.inventory.items.items() if self.inventory.find(who, ref)]
        return {self.name, *(self.ids[item.ref] for item in shown), *(str(item.values.get("note")) for item in shown)}

    def expect(self, who: str, item: Item) -> dict[str, Any]:
        """The JSON of an item as somebody sees it, but for its times."""
        item = self.inventory.view(who, item)
        shown = {
            "_id": self.ids[item.ref], "_key": item.ref[1], "_type": item.type, "_accountId": self.name,
            "_source": "api", "_scope": "", "_version": item.version, "_endOn": None, "_deleted": False,
            "displayName": item.name, "_class": list(item.classes) if item.ends is None else item.classes[0],
            **item.values,
        }  # fmt: skip
        for side, end in zip(("from", "to"), item.ends or (), strict=False):
            type_, id_ = end if end[0] == "zone" else (self.inventory.items[end].type, self.ids[end])
            shown |= {f"_{side}EntityId": id_, f"_{side}EntityType": type_}
        return shown


@dataclass
class World:
    """One application for all examples; `clear` begins the next."""

    service: Service
    tokens: dict[tuple[int, str], str]
    homes: list[Home] = field(default_factory=list)
    number: int = 0
    told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.client = mount(self.service).test_client()
        self.caller = Caller(0, "ada")

    def clear(self) -> None:
        """Take away what the last example left but the trail, which stays."""
        self.homes = [Home(name) for name in TENANTS]
        for name in TENANTS:
            with self.service.store.session(name, write=True) as session:
                for table in (BlindRow, ElementRow, RelationshipRow, EntityRow):
                    session.execute(delete(table))

    def read_trail(self, tenant: int) -> list[dict[str, Any]]:
        with self.service.store.session(TENANTS[tenant]) as session:
            return [json.loads(body) for body in session.scalars(select(TrailEntryRow.body))]

    def draw_note(self, tenant: int) -> str:
        self.number += 1
        return f"{TENANTS[tenant]}-secret-{self.number}"

    def ask(self, caller: Caller, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """What the application answers; `check` comes after the model has done the same."""
        before = self.homes[caller.tenant].visible(caller.who)
        reply = self.send(caller, method, path, body, **headers)
        sent = _find(f"{path} {json.dumps(body)} {headers}")
        self.told = _find(reply.body.decode()) | _find(repr(reply.headers))
        self.told -= sent | before
        self.caller = caller
        return reply

    def check(self) -> None:
        """See that the last answer told nothing that was neither sent nor the caller's to see, before or after it."""
        if self.told:
            hidden, self.told = self.told - self.homes[self.caller.tenant].visible(self.caller.who), set()
            assert not hidden, f"{self.caller} was told of {hidden}"

    def send(self, caller: Caller, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """What the application answers."""
        given = {"authorization": f"Bearer {self.tokens[caller.tenant, caller.key]}", "x-request-id": "r"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if caller.named is not None:
            given["policy-subject"] = caller.named
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            given["content-type"] = "application/json"
        reply = self.client.open(path, method=method, data=data, headers=given)
        return Reply(reply.status_code, {name.lower(): value for name, value in reply.headers.items()}, reply.data)


def _find(text: str) -> set[str]:
    return set(_TELLING.findall(text))


def draw_id() -> str:
    """An id that nothing has."""
    return str(uuid.uuid4())


@contextmanager
def open_world(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world over a database: tenants with the policies of `asset_spec` and stores, and a key of each sort."""
    shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("cases"))
    settings = Settings(folder / "policies", folder / "tenants", folder / "data")
    tokens = {}
    for number, tenant in enumerate(TENANTS):
        fill(settings.tenants / tenant, {name: text.replace("TENANT", tenant) for name, text in FILES.items()})
        for key in KEYS:
            tokens[number, key], _ = keys.create(
                settings.tenants,
                tenant,
                scopes=_SCOPES.get(key, ("decide", "read", "write")),
                subject=f"user:{key}" if key in WHO else None,
                now=time.time(),
            )
    with make_place(kind, folder, request, settings) as place:
        place.open(TENANTS).close()
        service = open_service(place.settings)
        try:
            yield World(service, tokens)
        finally:
            service.bundles.close()
            service.sealer.close()
            service.log.close()
            service.store.close()
