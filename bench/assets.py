"""What stored assets cost: as facts of a decision, written one by one and in a batch, and listed."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bench.material import make_bundle, relevant
from bench.timing import Row, compare, ratio_row
from policy_service.access.authorize import Batch, Service, authorize
from policy_service.access.batches import write_batch
from policy_service.access.enforce import Asker
from policy_service.access.lists import list_assets
from policy_service.access.query import Search
from policy_service.access.writing import Written, create
from policy_service.assets.drafts import read_entity
from policy_service.audit.sealer import Sealer
from policy_service.config import Settings
from policy_service.model import Act, Caller, Decision, Request, Thing
from policy_service.policy.bundle import Bundle
from policy_service.store.door import Store
from policy_service.store.tables import EntityRow

MANY, PAGE = 1_000, 100
_TENANTS = ("acme", "globex")
PROPERTIES = {"level": 0, **{f"property{number}": f"value {number} of some length" for number in range(9)}}
_FILES = {
    "p.cedar": relevant(10).replace("principal in Group", "principal in user_group")
    + '\n@id("ada") permit(principal == user::"ada", action, resource);',
    "relationships.yaml": "relationships:\n  in_zone: {parent: to}\n  owns: {attribute: {on: to, name: owner}}\n",
}


def rows(name: str, store: Store, bare: Engine) -> Iterator[Row]:
    """One row a figure. `acme` has hosts already, and `bare` reads the same rows with nothing in between."""
    desk = Desk(store)
    keys = (f"bench-{number}" for number in itertools.count())
    ids = [written.asset.id for written in desk.write_many(next(keys) for _ in range(MANY))]
    desk.bundles["globex"] = _bundle("globex", ids[0])
    yield ratio_row(
        f"{name}: a decision with facts from the store",
        "the same with facts from `entities.json`",
        "",
        compare(lambda: desk.decide("acme", ids[0]), lambda: desk.decide("globex", ids[0]), 50),
    )
    yield Row(f"{name}: create an entity", f"{_ms(lambda: desk.create(next(keys)), 50)} ms")
    yield Row(
        f"{name}: a batch of {MANY:,} new entities",
        f"{_ms(lambda: desk.write_many(next(keys) for _ in range(MANY)), 1, 5)} ms",
    )
    page = select(EntityRow).where(EntityRow.account_id == "acme", EntityRow.type == "host").order_by(EntityRow.id)

    def read_page() -> int:
        with Session(bare) as session:
            return len(session.scalars(page.limit(PAGE)).all())

    assert read_page() == desk.list() == PAGE
    yield ratio_row(
        f"{name}: a page of {PAGE} that the subject may see",
        "the same rows, bare",
        "",
        compare(desk.list, read_page, 3),
    )


class Desk:
    """Who asks: `ada` of `acme`, who may do all; policies and log are in memory."""

    def __init__(self, store: Store) -> None:
        self.bundles = {tenant: _bundle(tenant) for tenant in _TENANTS}
        self.asker = Asker(Caller("acme", "k", frozenset({"read", "write"}), Thing("user", "ada")), "r")
        self.service = Service(Settings(), self, {}, self, store, Quiet(store))  # type: ignore[arg-type]

    def current(self, tenant: str) -> Bundle:
        """The bundle that decides."""
        return self.bundles[tenant]

    def write(self, records: list[Mapping[str, Any]]) -> None:
        """No log: what it costs is measured elsewhere."""

    def decide(self, tenant: str, id_: str) -> None:
        """A decision about a document."""
        asked = Request(Thing("user", "ada"), Act("read"), Thing("doc", id_))
        _, (decision,) = authorize(self.service, Caller(tenant, "k", frozenset({"decide"})), Batch([asked], "r"))
        assert isinstance(decision, Decision) and decision.allowed  # noqa: PT018

    def create(self, key: str) -> None:
        """A new document."""
        create(self.service, self.asker, "entity", _draft(key))

    def write_many(self, keys: Iterator[str]) -> list[Written]:
        """Several, by one request."""
        _, answers = write_batch(self.service, self.asker, "entity", [_draft(key) for key in keys])
        written = [answer for answer in answers if isinstance(answer, Written)]
        assert len(written) == len(answers), answers[0]
        return written

    def list(self) -> int:
        """A page of hosts."""
        return len(list_assets(self.service, self.asker, Search("entity", "host"), {}, limit=PAGE).assets)


class Quiet(Sealer):
    """A sealer that does nothing."""

    def mark(self, account: str) -> None:
        """Nothing is sealed while others are measured."""


def _bundle(tenant: str, filed: str = "") -> Bundle:
    entities = [{"uid": {"type": "doc", "id": filed}, "attrs": {**PROPERTIES, "key": "bench-0"}}] if filed else []
    return make_bundle({**_FILES, "entities.json": json.dumps(entities)}, tenant)


def _draft(key: str) -> Any:
    tags = {"tag.env": "production"}
    return read_entity({"_key": key, "_type": "doc", "_class": "Document", "displayName": key, **PROPERTIES, **tags})


def _ms(function: Callable[[], object], times: int, rounds: int = 7) -> str:
    """Milliseconds of CPU for one call."""
    function()
    samples = []
    for _ in range(rounds):
        start = time.process_time_ns()
        for _ in range(times):
            function()
        samples.append((time.process_time_ns() - start) / times / 1e6)
    return f"{sorted(samples)[rounds // 2]:.1f}"
