"""The asset API over a real store, with policies and keys in memory: what a subject asks, and what was logged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policy_service.access.authorize import Batch, Service, authorize
from policy_service.audit.records import dumps, read_body
from policy_service.audit.sealer import Sealer
from policy_service.config import Settings
from policy_service.errors import NotRecorded, Unauthenticated
from policy_service.model import Act, Caller, Decision, Request, Thing
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store
from policy_service.web.asset_answers import answer
from tests.property.files import make_bundle

# ada does everything, and the others what the tests' policies say
ADA = '@id("ada") permit(principal == user::"ada", action, resource);\n'


class Bundles:
    """Bundles by tenant, in memory."""

    def __init__(self, **held: Bundle) -> None:
        self.held = held

    def current(self, tenant: str) -> Bundle:
        return self.held[tenant]


class Log:
    """The decision log in memory; `full` is a disk without room."""

    def __init__(self) -> None:
        self.full = False
        self.records: list[Mapping[str, Any]] = []

    def write(self, records: list[Mapping[str, Any]]) -> None:
        if self.full:
            raise NotRecorded("the decision could not be recorded: no space left on device")
        self.records += [read_body(dumps(record)) for record in records]


class Keys:
    """A key is its tenant and its subject: `acme/user:ada`, with the scopes that are given."""

    scopes = frozenset({"decide", "read", "write"})

    def find(self, token: str, *, tenant: str | None = None, now: float) -> Caller:
        name, _, subject = token.partition("/")
        if not subject:
            raise Unauthenticated("no key")
        kind, _, id_ = subject.partition(":")
        return Caller(name, f"key-{id_}", self.scopes, Thing(kind, id_))


@dataclass(frozen=True)
class Reply:
    """What was answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return str(self.json["_id"])


@dataclass
class Desk:
    """Asks in the name of subjects of `acme`, with the policies given, and of `globex`, where ada alone may."""

    store: Store
    log: Log = field(default_factory=Log)
    keys: Keys = field(default_factory=Keys)
    bundles: Bundles = field(default_factory=Bundles)

    def write_files(self, files: Mapping[str, str], tenant: str = "acme") -> None:
        """Let these files decide for a tenant from now on."""
        self.bundles.held[tenant] = make_bundle({"ada.cedar": ADA, **files}, tenant)

    @property
    def service(self) -> Service:
        return Service(
            Settings(public_url="https://pdp.example.com"),
            self.bundles,  # type: ignore[arg-type]
            self.keys,  # type: ignore[arg-type]
            self.log,  # type: ignore[arg-type]
            self.store,
            self.sealer,
        )

    @property
    def sealer(self) -> Sealer:
        return Quiet(self.store)

    def ask(
        self,
        who: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = "",
        tenant: str = "acme",
        **headers: Any,
    ) -> Reply:
        """What the service answers a subject (`ada`, `user:ada`); headers are keywords (`if_match`)."""
        subject = who if ":" in who else f"user:{who}"
        sent = {
            "authorization": f"Bearer {tenant}/{subject}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        status, own, payload = answer(self.service, method, f"/api/v1{path}", query, sent, raw, "127.0.0.1")
        assert len({name for name, _ in own}) == len(own), "a header stands twice"
        return Reply(status, dict(own), payload if isinstance(payload, bytes) else b"".join(payload))

    def make(self, key: str, kind: str = "host", who: str = "ada", **properties: Any) -> str:
        """A new entity; its id."""
        reply = self.ask(who, "POST", "/entities", entity(key, kind, **properties))
        assert reply.status == 201, reply.json
        return reply.id

    def relate(self, key: str, from_: str, to: str, kind: str = "owns", who: str = "ada") -> str:
        """A new relationship between two ids; its id."""
        reply = self.ask(who, "POST", "/relationships", relationship(key, from_, to, kind))
        assert reply.status == 201, reply.json
        return reply.id

    def decide(self, who: str, action: str, kind: str, id_: str, tenant: str = "acme") -> Decision:
        """What the decision API answers about a stored entity."""
        caller = Caller(tenant, "k", frozenset({"decide"}))
        request = Request(Thing("user", who), Act(action), Thing(kind, id_))
        _, (decision,) = authorize(self.service, caller, Batch([request], "r"))
        assert isinstance(decision, Decision)
        return decision


class Quiet(Sealer):
    """A sealer that only remembers what it was told."""

    marked: list[str] = []

    def mark(self, account: str) -> None:
        self.marked.append(account)


def entity(key: str, kind: str = "host", **properties: Any) -> dict[str, Any]:
    """An entity to send."""
    return {"_key": key, "_type": kind, "_class": "Host", **properties}


def relationship(key: str, from_: str, to: str, kind: str = "owns") -> dict[str, Any]:
    """A relationship to send."""
    return {"_key": key, "_type": kind, "_class": "OWNS", "_fromEntityId": from_, "_toEntityId": to}


def open_desk(store: Store, **files: str) -> Desk:
    """A desk over a store; files by their names with `_` for a dot: `own_cedar`."""
    desk = Desk(store)
    desk.write_files({name.replace("_", "."): text for name, text in files.items()})
    desk.write_files({}, "globex")
    return desk
